"""What print gets: columns that no number breaks, and code that no page break cuts."""

import re

from books import build, write_book, write_chapter
from docutils.core import publish_doctree
from docutils.nodes import table
from myst_parser.docutils_ import Parser

from book.builder.paper import columns
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


def test_the_latex_of_a_book_has_the_columns_and_asks_for_room_for_code(tmp_path):
    show = (
        "from book.report import tables\n"
        'tables.show([["a", 1], ["", 2]], ["name", "count"], name="tab", caption="A table")'
    )
    write_chapter(tmp_path / "chapter.ipynb", show)
    write_book(tmp_path, ["chapter"])
    run = build(tmp_path, "--builder", "latex")
    assert run.returncode == 0, run.stderr
    (written,) = (tmp_path / "_build" / "latex").glob("*.tex")
    text = written.read_text()
    assert r"{tabulary}{\linewidth}[t]{lr}" in text
    assert re.search(
        r"\\sphinxhline\s*&\s*\\sphinxAtStartPar\s*2", text
    )  # nothing in the empty cell, not a paragraph
    assert re.search(r"\\Needspace\{3\\baselineskip\}\s*\\begin\{sphinxVerbatim\}", text)
