"""A chapter's SVG is a sharp PDF in print, whatever else the cell shows."""

import shutil

import pytest
from books import build, write_book, write_chapter

from book.builder.svg import PROGRAM

FIGURE = """
from book.report import figures

figures.use_style()
figure, ((ax,),) = figures.new()
ax.plot([1, 2], [3, 4])
figure
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"needs {PROGRAM}: see make pdf")
def test_a_figure_is_vector_graphics_in_print(tmp_path):
    write_chapter(tmp_path / "chapter.ipynb", FIGURE)
    write_book(tmp_path, ["chapter"])
    run = build(tmp_path, "--builder", "latex", "-W")
    assert run.returncode == 0, run.stderr
    folder = tmp_path / "_build" / "latex"
    (picture,) = folder.glob("*.pdf")
    assert picture.read_bytes().startswith(b"%PDF")
    assert [*folder.glob("*.svg"), *folder.glob("*.png")] == []
    (written,) = folder.glob("*.tex")
    assert rf"\noindent\sphinxincludegraphics{{{{{picture.stem}}}.pdf}}" in written.read_text()
