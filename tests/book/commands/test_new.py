"""`python -m book new`: a chapter that builds at once and keeps this book's rules."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from books import build, page, write_book, write_chapter

from book.__main__ import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder(own_folders, monkeypatch):
    (own_folders / "part").mkdir()
    (own_folders / "empty").mkdir()
    write_book(own_folders, ["part/first"])
    write_chapter(own_folders / "part" / "first.ipynb", "print('first says', number)")
    monkeypatch.chdir(own_folders)
    return own_folders


@pytest.mark.slow
def test_a_new_chapter_builds_at_once_with_a_figure_a_table_and_a_number(folder, capsys):
    assert main(["new", "part/my_second", "--title", "What is «new» here"]) == 0
    told = capsys.readouterr().out
    assert f"wrote {folder / 'part' / 'my_second.ipynb'}, listed in line 5 of" in told
    run = build(folder, "-W", "--keep-going")
    assert run.returncode == 0, run.stdout + run.stderr
    html = page(folder, "part/my_second")
    assert "What is «new» here" in html
    assert re.search(r"is off by 0\.0\d\d\.", re.sub("<[^>]+>", "", html))
    assert re.search(r'aria-label="A falling line: [^"]+"', html)
    assert 'id="tab-my-second"' in html
    assert 'id="fig-my-second"' in html
    assert "new" not in {cell.id for cell in notebook(folder, "part/my_second").cells}


def notebook(folder, name):
    return nbformat.read(folder / f"{name}.ipynb", as_version=4)


def test_a_second_new_chapter_shares_no_name_with_the_first(folder):
    assert main(["new", "part/a_1"]) == 0
    assert main(["new", "part/b_2"]) == 0
    a, b = (
        {name for cell in notebook(folder, f"part/{stem}").cells for name in named(cell)}
        for stem in ("a_1", "b_2")
    )
    assert len(a) >= 4
    assert not a & b


def named(cell):
    """What must stand once in a book: names of figures, tables and glued numbers."""
    glued = re.findall(r"(\w+)=", "".join(re.findall(r"glue\((.*)\)", cell.source)))
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    return [
        *glued,
        *re.findall(r'name="([^"]+)"', cell.source),
        *filter(None, [figure.get("name")]),
    ]


CONTENTS = """\
format: jb-book
root: index
# the parts
parts:
  - caption: One
    chapters:
      - file: part/first   # a comment
        title: First
        sections:
          - file: "part/deep"

  - caption: Two
    chapters:
    - file: other/third
"""


@pytest.mark.parametrize(
    ("name", "line", "added"),
    [
        ("part/new_one", 11, '          - file: "part/deep"\n          - file: part/new_one\n\n'),
        ("other/new_one", 15, "    - file: other/third\n    - file: other/new_one\n"),
        ("empty/new_one", 15, "    - file: other/third\n    - file: empty/new_one\n"),
    ],
)
def test_it_is_listed_after_its_kin_and_the_rest_stays_as_it_is(name, line, added, folder, capsys):
    (folder / "other").mkdir()
    (folder / "_toc.yml").write_text(CONTENTS.rstrip("\n"))
    assert main(["new", name]) == 0
    assert f"listed in line {line} of" in capsys.readouterr().out
    contents = (folder / "_toc.yml").read_text()
    assert added in contents
    assert contents.replace(f"- file: {name}\n", "").split() == CONTENTS.split()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("part/first", "is there already: choose another name"),
        ("part/index", None),
        ("index", "is there already: choose another name"),
        ("part/Second-Chapter", "expected a name of small letters, digits and _"),
        ("part/", "expected a name of small letters, digits and _"),
        ("nowhere/second", "expected a folder of this book, but there is no"),
        ("../second", "expected a folder of this book"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(name, message, folder, capsys):
    before = sorted(folder.rglob("*")), (folder / "_toc.yml").read_text()
    assert main(["new", name]) == (2 if message else 0)
    if message:
        told = capsys.readouterr().err
        assert message in told
        assert told.count("\n") == 1
        assert (sorted(folder.rglob("*")), (folder / "_toc.yml").read_text()) == before


def test_contents_of_an_unusual_layout_are_left_to_their_author(folder, capsys):
    flow = "format: jb-book\nroot: index\nchapters: [{file: part/first}]\n"
    (folder / "_toc.yml").write_text(flow)
    assert main(["new", "part/second"]) == 2
    assert "list it by hand first" in capsys.readouterr().err
    assert (folder / "_toc.yml").read_text() == flow
    assert not (folder / "part" / "second.ipynb").exists()


def test_in_this_book_the_folder_book_need_not_be_said(tmp_path, monkeypatch):
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "book" / "regularization").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert main(["new", "regularization/weight_decay"]) == 0
    toc = (tmp_path / "_toc.yml").read_text()
    assert "exercises\n      - file: book/regularization/weight_decay\n  - caption: Learning" in toc
