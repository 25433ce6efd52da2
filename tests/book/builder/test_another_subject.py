"""The builder alone builds a book of another subject, which has neither networks nor runs.

What is installed for it is a copy of `book.builder` and nothing else of this project.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from books import BUILD_SECONDS, edit, last_line, page, write_chapter

from book.builder.chapters import find_book

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
FORBIDDEN = ("analysis", "models")

CONFIG = """\
title: Tides
only_build_toc_files: true
execute: {execute_notebooks: "off"}
sphinx:
  local_extensions: {book.builder.extension: "."}
  config:
    nb_render_markdown_format: myst
    convbook_profiles: heights
    convbook_runs: tides.gauges:GAUGES
"""
MODULE = '''\
"""Heights of the tide."""

from pathlib import Path

from book.builder import trace

TABLE = Path(__file__).with_name("harbours.txt")


def range_between(low, high):
    """The range, in metres."""
    return high - low


def harbours():
    trace.show_files(str(TABLE))
    return TABLE.read_text().split()


def measured(name):
    trace.show_runs([name])
    return Path("measured", name).read_text()
'''
GAUGES = """\
from pathlib import Path

from book.builder.runs import Origin, Runs

HERE = Path(__file__).resolve().parents[1]


class Gauges(Runs):
    def locate(self, key):
        path = HERE / "measured" / key
        return path if path.is_file() else None

    def origin(self, keys):
        warnings = ("A gauge was broken.",) if "broken" in keys else ()
        warnings += tuple(self.state().splitlines())
        return Origin(tuple(f"Measured by the gauge `{key}`" for key in keys), warnings)

    def state(self):
        notes = HERE / "notes"
        return notes.read_text() if notes.exists() else ""


GAUGES = Gauges()
"""
HEIGHTS = "from tides import heights\n\nprint('range:', heights.range_between(low, high), 'm')"
PLACES = "from tides import heights\n\nprint(heights.harbours(), heights.measured('brest'))"
SAYS_MODULES = """\
import sys

tops = {name.split(".")[0] for name in sys.modules}
assert not tops & {"analysis", "models", "torch", "sphinx"}, tops
ours = sorted(name for name in sys.modules if name.startswith("book"))
assert ours == ["book", "book.builder", "book.builder.trace"], ours"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder of packages: the builder alone, and others that refuse to be imported."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "book").mkdir()
    shutil.copy(ROOT / "book" / "__init__.py", folder / "book")
    shutil.copytree(ROOT / "book" / "builder", folder / "book" / "builder")
    for name in FORBIDDEN:
        (folder / f"{name}.py").write_text(f"raise ImportError('no book of tides has {name}')")
    return folder


@pytest.fixture
def tides(tmp_path):
    (tmp_path / "_config.yml").write_text(CONFIG)
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n- file: range\n- file: places\n"
    )
    (tmp_path / "index.md").write_text("# Tides\n\nWords.\n")
    write_chapter(
        tmp_path / "range.ipynb",
        HEIGHTS,
        SAYS_MODULES,
        parameters="low: float = 1.5  # metres\nhigh: float = 6.0  # metres",
    )
    write_chapter(tmp_path / "places.ipynb", PLACES)
    for folder in ("tides", "heights", "measured"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tides" / "__init__.py").touch()
    (tmp_path / "tides" / "heights.py").write_text(MODULE)
    (tmp_path / "tides" / "gauges.py").write_text(GAUGES)
    (tmp_path / "tides" / "harbours.txt").write_text("Brest Dover")
    (tmp_path / "heights" / "neap.yml").write_text("'*': {high: 4.0}\n")
    (tmp_path / "measured" / "brest").write_text("6.1 m")
    return tmp_path


@pytest.fixture
def build(tides, installed):
    def build(**environment: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("jupyter-book")
        own = {"PYTHONPATH": str(installed), "CONVBOOK_PROFILE": "", **environment}
        return subprocess.run(
            [program, "build", "."],
            cwd=tides,
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )

    return build


def test_a_book_of_tides_is_built_and_only_what_changed_is_built_again(tides, build):
    first = build()
    assert first.returncode == 0, first.stdout + first.stderr
    assert last_line(first) == "chapters: 2 executed, 0 reused, 0 failed"
    assert "range: 4.5 m" in page(tides, "range")
    assert "Where these numbers come from" in page(tides, "range")
    assert "Measured by the gauge" in page(tides, "places")
    assert "Measured by the gauge" not in page(tides, "range")
    assert last_line(build()) == "chapters: 0 executed, 2 reused, 0 failed"

    edit(tides / "tides" / "heights.py", '"""The range, in metres."""', '"""Metres."""  # both')
    edit(tides / "tides" / "gauges.py", "by the gauge", "with the gauge")  # no kernel imported it
    assert last_line(build()) == "chapters: 0 executed, 2 reused, 0 failed"

    edit(tides / "tides" / "harbours.txt", "Dover", "Calais")
    run = build()
    assert "chapter places: executing, because tides/harbours.txt changed" in run.stdout
    assert last_line(run) == "chapters: 1 executed, 1 reused, 0 failed"

    edit(tides / "tides" / "heights.py", "high - low", "abs(high - low)")
    (tides / "measured" / "brest").write_text("6.2 m")
    run = build()
    assert "chapter range: executing, because tides/heights.py changed" in run.stdout
    assert "chapter places: executing, because run brest changed" in run.stdout, "it uses no range"
    assert last_line(run) == "chapters: 2 executed, 0 reused, 0 failed"
    assert "6.2 m" in page(tides, "places")


def test_a_page_follows_what_the_book_tells_of_its_runs_each_time(tides, build):
    build()
    for note in ("All gauges stand in a wrong place.", ""):
        (tides / "notes").write_text(note)
        assert last_line(build()) == "chapters: 0 executed, 2 reused, 0 failed"
        for name in ("places", "range"):
            assert ("All gauges stand in a wrong place." in page(tides, name)) == bool(note)


def test_the_profile_that_the_configuration_names_counts_everywhere(tides, build, monkeypatch):
    monkeypatch.syspath_prepend(tides)
    edit(
        tides / "_config.yml", "convbook_profiles", "convbook_profile: neap\n    convbook_profiles"
    )
    assert last_line(build()) == "chapters: 2 executed, 0 reused, 0 failed"
    assert "range: 2.5 m" in page(tides, "range")
    for published in (True, False):
        assert all(
            not chapter.causes() for chapter in find_book(tides, published=published).chapters()
        )


def test_it_has_a_profile_of_its_own_and_a_chapter_that_fails_alone(tides, build):
    edit(tides / "places.ipynb", "harbours()", "harbors()")
    edit(tides / "places.ipynb", "measured('brest')", "measured('broken')")
    run = build(CONVBOOK_PROFILE="neap")
    assert run.returncode != 0
    assert last_line(run) == "chapters: 1 executed, 0 reused, 1 failed"
    assert "range: 2.5 m" in page(tides, "range")
    assert "This chapter failed when it was last executed" in page(tides, "places")
    assert "AttributeError" in page(tides, "places")
    assert "harbors" in page(tides, "places").rpartition("AttributeError")[2]

    edit(tides / "places.ipynb", "harbors()", "harbours()")
    (tides / "measured" / "broken").write_text("?")
    run = build(CONVBOOK_PROFILE="neap")
    assert last_line(run) == "chapters: 1 executed, 1 reused, 0 failed"
    assert "A gauge was broken." in page(tides, "places")

    unknown = build(CONVBOOK_PROFILE="spring")
    assert unknown.returncode != 0
    assert "convbook: unknown profile 'spring'; known: neap" in unknown.stdout + unknown.stderr


def test_an_object_that_tells_of_no_runs_is_refused_in_words(tides, build):
    edit(tides / "_config.yml", "tides.gauges:GAUGES", "tides.gauges:HERE")
    run = build()
    assert run.returncode != 0
    assert "convbook_runs: expected an object of the class book.builder.runs.Runs" in (
        run.stdout + run.stderr
    )
    edit(tides / "_config.yml", "tides.gauges:HERE", "tides.gouges:GAUGES")
    run = build()
    assert "convbook_runs: expected the module:object that tells of this book" in (
        run.stdout + run.stderr
    )
