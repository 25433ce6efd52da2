"""A build that fails says so once, and last; what follows from a failed chapter says nothing."""

import pytest
from books import edit, last_line
from shapes import Shapes

pytestmark = pytest.mark.slow

BREAKS = """\
def setup(app):
    app.connect("doctree-resolved", fail)


def fail(*_):
    raise ValueError("the reason")
"""


def said(run):
    return [line for line in run.stderr.splitlines() if "WARNING" in line or "ERROR" in line]


def test_a_failed_chapter_is_said_once_and_other_warnings_all_the_same(tmp_path):
    shapes = Shapes(tmp_path)
    shapes.write()
    edit(shapes.book / "square.ipynb", "from IPython", "raise ValueError('no data')\\nfrom IPython")
    run = shapes.run()
    assert run.returncode != 0
    assert len(said(run)) == 1
    assert "chapter square failed: ValueError: no data" in said(run)[0]
    assert last_line(run) == "chapters: 1 executed, 0 reused, 1 failed"

    edit(shapes.book / "words/closing.md", "{ref}`the-square`", "{ref}`the-pentagon`")
    edit(shapes.book / "circle.ipynb", "See {numref}", "{glue:text}`none` {numref}")
    edit(shapes.book / "words/opening.md", "{figure-of} fig-square", "{figure-of} fig-none")
    run = shapes.run()
    failed, glued, *referred = said(run)
    assert "chapter square failed" in failed
    assert "No key 'none' found" in glued
    assert any("undefined label: 'the-pentagon'" in line for line in referred)
    assert any("undefined label: 'fig-none' has no picture" in line for line in referred)
    assert len(referred) == 2

    source = shapes.book / "square.ipynb"
    source.write_text("no notebook: " + source.read_text())  # other pages refer to its sections
    failed, *others = said(shapes.run())
    assert "square.ipynb is no notebook" in failed
    assert others == referred


def test_a_build_that_fails_elsewhere_does_not_say_that_nothing_failed(tmp_path):
    shapes = Shapes(tmp_path)
    shapes.write()
    edit(shapes.book / "words/closing.md", "{ref}`the-square`", "{ref}`the-pentagon`")
    run = shapes.run("-W", "--keep-going")
    assert run.returncode != 0
    assert last_line(run) == "the build failed, though no chapter did: see above"

    edit(shapes.book / "_config.yml", "local_extensions: {", 'local_extensions: {breaks: ".", ')
    (shapes.book / "breaks.py").write_text(BREAKS)
    run = shapes.run()
    assert run.returncode != 0
    assert last_line(run).startswith("the build failed: ExtensionError: Handler")
    assert "the reason" in last_line(run)
