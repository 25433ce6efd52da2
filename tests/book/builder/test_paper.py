"""What print gets: columns that no number breaks, floats, and nothing that a page break cuts."""

import re

import numpy as np
import pytest
from books import build, write_book, write_chapter
from docutils.core import publish_doctree
from docutils.nodes import table
from matplotlib.pyplot import imsave
from myst_parser.docutils_ import Parser

from book.builder.paper import columns
from book.builder.placement import START
from book.report.tables import markdown

WORDS = "the difference could be noise (its interval contains zero)"


def spec(rows, headers, align=None):
    """The columns that LaTeX gets of a table as the chapters show it."""
    doctree = publish_doctree(markdown(rows, headers, align=align), parser=Parser())
    return columns(next(doctree.findall(table)))


def test_a_table_that_fits_is_as_wide_as_its_words():
    assert spec([["conv1", 34848, "✓"]], ["layer", "weights", "equal"], align="lrc") == "lrc"


def test_in_a_wide_table_words_are_wrapped_and_numbers_are_not():
    assert (
        spec(
            [[WORDS, WORDS, "−0.0489 ± 0.1384"]],
            ["claim", "in these runs", "difference"],
            align="llr",
        )
        == "LLr"
    )


def test_in_a_wide_table_a_short_name_is_not_wrapped():
    assert spec([["dropout", WORDS, WORDS]], ["variant", "claim", "verdict"], align="lll") == "lLL"


def test_in_a_wide_table_of_numbers_a_heading_longer_than_them_is_wrapped():
    found = spec([["conv1", *[1] * 6]], ["layer", *["number of the source"] * 6])
    heads = re.fullmatch(r"l(>\{\\raggedleft\\arraybackslash\}p\{(.*?)em\}){6}", found)
    assert heads, found
    assert len("source") / 2 < float(heads[2]) < len("number of the source") / 2


def test_names_in_code_count_as_wider_than_words():
    names = [
        "native_batch_norm_backward",
        "native_batch_norm_backward",
        "native_batch_norm_backward",
    ]
    heads = ["one", "two", "three"]
    assert spec([names], heads, align="lll") == "lll"
    assert spec([[f"`{name}`" for name in names]], heads, align="lll") == "LLL"


SHORT = """
from book.report import tables
tables.show([["a", 1], ["", 2]], ["name", "count"], name="tab", caption="A table")
"""
LONG = """
from book.report import tables
rows = [[f"row {row}", "many words of a claim " * 4, row] for row in range(12)]
tables.show(rows, ["name", "claim", "n"], name="long", caption="Long", align="llr")
"""
BOXES = """#:## Words

```{note}
A box with a line.
```

```{figure} dot.png
:name: dot
:alt: a dot

A dot
```
"""
CODE = "total = 0\n" * 30
FRONT = "# A small book\n\nWords & more.\n\n## How to read it\n\nFrom left to right.\n"


@pytest.fixture(scope="module")
def latex(tmp_path_factory):
    """The LaTeX of a small book."""
    folder = tmp_path_factory.mktemp("paper")
    checks = "import math\n\nassert math.pi > number"
    write_chapter(folder / "chapter.ipynb", checks, SHORT, LONG, BOXES, CODE)
    write_book(folder, ["chapter"])
    (folder / "index.md").write_text(FRONT)
    imsave(folder / "dot.png", np.zeros((4, 4)))
    run = build(folder, "--builder", "latex", "-W")
    assert run.returncode == 0, run.stderr
    (written,) = (folder / "_build" / "latex").glob("*.tex")
    return written.read_text()


def test_a_book_loads_the_builders_style_and_names_its_language(latex):
    assert r"\usepackage{convbook}\hypersetup{pdflang=en}" in latex


def test_a_table_has_its_columns_and_no_paragraph_in_an_empty_cell(latex):
    assert r"{tabulary}{\linewidth}[t]{lr}" in latex
    assert re.search(r"\\sphinxhline\s*&\s*\\sphinxAtStartPar\s*2", latex)


def test_a_short_table_and_a_figure_float(latex):
    assert re.search(r"\\begin\{table\}\[htbp\]\s*\\begin\{savenotes\}\\sphinxattablestart", latex)
    assert latex.count(r"\end{table}") == 1
    assert r"\begin{figure}[htbp]" in latex


def test_a_long_table_breaks_under_a_repeated_heading_and_leaves_no_row_alone(latex):
    paragraph = r">\{\\raggedright\\arraybackslash\}p\{[\d.]+em\}"
    assert re.search(rf"\\begin\{{longtable\}}\{{l{paragraph}r\}}", latex)
    assert r"\endhead" in latex
    assert re.search(r"\\noalign\{\\nobreak\}\s*\\sphinxAtStartPar\s*row 11", latex)


def test_boxes_and_code_ask_for_room_and_long_code_for_its_first_lines(latex):
    assert re.search(r"\\Needspace\{5.5\\baselineskip\}\s*\\begin\{sphinxadmonition\}", latex)
    asked = re.findall(r"\\Needspace\{(\d+)\\baselineskip\}\s*\\begin\{sphinxVerbatim\}", latex)
    assert asked == ["3", "4", str(START)]


def test_parameters_and_the_imports_after_them_are_left_out_and_other_code_is_not(latex):
    assert r"\PYG{n}{number}" not in latex
    assert r"\PYG{n+nn}{math}" not in latex
    assert r"\PYG{n}{total}" in latex


def test_the_front_page_has_titles_that_the_contents_list(latex):
    assert r"\unnumbered{chapter}{Introduction}" in latex
    assert r"\unnumbered{section}{How to read it}" in latex
    assert "DUlineblock" not in latex
