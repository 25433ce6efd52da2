"""What print needs and the site does not: columns as wide as their numbers, pages well filled."""

from collections.abc import Iterator
from itertools import compress
from math import ceil
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import tabular_col_spec
from sphinx.application import Sphinx
from sphinx.config import Config

from book.builder import placement

STYLES = Path(__file__).with_name("latex")
LINE = 90  # characters of a table's print that fit between the margins
GAP = 2.4  # what lies between two columns, in characters
NARROW = 24  # characters of words that are never wrapped
EM, HEAD_EM = 0.48, 0.56  # width of a character of a cell and of a heading, with some room
LINE_EM, GAP_EM = 45.0, 1.0  # between the margins, and between two columns


def columns(table: nodes.table) -> str:
    """Return LaTeX's columns of a table, in which no number is wrapped or cut.

    A table that fits between the margins is as wide as its words. In a wider one, words are wrapped
    where their column is wide; where none is, headings are wrapped that are longer than their
    numbers.
    """
    cells = [list(column) for column in zip(*_rows(table), strict=True)]
    widths = [max(map(_width, column)) for column in cells]
    letters = [_letter(column) for column in cells]
    if sum(widths) + GAP * len(cells) <= LINE:
        return "".join(letters)
    wrapped = [one == "l" and width > NARROW for one, width in zip(letters, widths, strict=True)]
    if not any(wrapped):
        return "".join(map(_under_its_heading, cells))
    if "longtable" in table["classes"]:
        return _given(cells, wrapped)
    return "".join("L" if wraps else one for wraps, one in zip(wrapped, letters, strict=True))


def _given(cells: list[list[nodes.entry]], wrapped: list[bool]) -> str:
    """Return the columns of a table that may break, which can't find widths by itself.

    Those that are wrapped share what the others leave.
    """
    taken = sum(_fitted(column) for column, wraps in zip(cells, wrapped, strict=True) if not wraps)
    wide = sum(max(map(_width, column)) for column in compress(cells, wrapped))
    each = (LINE_EM - GAP_EM * len(cells) - taken) / wide
    return "".join(
        rf">{{\raggedright\arraybackslash}}p{{{each * max(map(_width, column)):.2f}em}}"
        if wraps
        else _under_its_heading(column)
        for column, wraps in zip(cells, wrapped, strict=True)
    )


def _rows(table: nodes.table) -> Iterator[list[nodes.entry]]:
    """Yield the table's rows, its heading first."""
    for row in table.findall(nodes.row):
        yield list(row.findall(nodes.entry))


def _width(cell: nodes.entry) -> float:
    """Return a cell's width in characters; those of code are wider."""
    code = sum(len(one.astext()) for one in cell.findall(nodes.literal))
    return len(cell.astext()) + 0.3 * code


def _letter(column: list[nodes.entry]) -> str:
    """Return the letter of a column as wide as its widest cell."""
    classes = column[-1]["classes"]
    return "r" if "text-right" in classes else "c" if "text-center" in classes else "l"


def _under_its_heading(column: list[nodes.entry]) -> str:
    """Return a column of numbers as wide as the widest, a longer heading wrapped.

    In a table with wrapped words it would not do: tabulary forgets the space beside columns of a
    given width.
    """
    head, *body = column
    widest, letter = max(map(_width, body), default=0.0), _letter(column)
    if letter == "l" or _width(head) <= widest:
        return letter
    side = {"r": r"\raggedleft", "c": r"\centering"}[letter]
    return rf">{{{side}\arraybackslash}}p{{{_fitted(column):.2f}em}}"


def _fitted(column: list[nodes.entry]) -> float:
    """Return the em that a column takes whose heading alone is wrapped."""
    head, *body = column
    widest = max(map(_width, body), default=0.0)
    if _letter(column) == "l":
        return EM * max(widest, _width(head))
    return max(EM * widest, HEAD_EM * max(map(_heading_width, head.astext().split()), default=0.0))


def _heading_width(word: str) -> float:
    """Return a heading's width in characters; capitals and arrows are wider."""
    return len(word) + 0.3 * sum(one.isupper() or not one.isascii() for one in word)


def lines(table: nodes.table) -> int:
    """Return how many lines a table takes in print, about, without its caption."""
    rows = list(_rows(table))
    given = _shares([max(map(_width, column)) for column in zip(*rows, strict=True)])
    return sum(
        max(ceil(_width(cell) / max(width, 1)) for cell, width in zip(row, given, strict=True))
        for row in rows
    )


def _shares(widths: list[float]) -> list[float]:
    """Return the characters that columns get: their own, of wide ones a part of what is left."""
    room = LINE - GAP * len(widths)
    wide = sum(width for width in widths if width > NARROW)
    left = room - sum(widths) + wide
    if sum(widths) <= room or left <= 0:
        return widths
    return [width * left / wide if width > NARROW else width for width in widths]


def prepare(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Ready the book for LaTeX: its tables' columns, what floats, what no page may cut."""
    if app.builder.format != "latex":
        return
    placement.title_introduction(doctree)
    for table in list(doctree.findall(nodes.table)):
        placement.float_table(table, lines(table))
        table.parent.insert(table.parent.index(table), tabular_col_spec(spec=columns(table)))
        for cell in table.findall(nodes.entry):
            if not cell.astext():
                cell.clear()  # an empty paragraph would make the row two lines high
    placement.keep_whole(doctree)


def use_style(app: Sphinx, config: Config) -> None:
    """Have LaTeX load the builder's style, let figures float, and name the book's language."""
    files = map(str, sorted(STYLES.glob("*.sty")))
    config.latex_additional_files = [*config.latex_additional_files, *files]
    elements = {"figure_align": "htbp", "fncychap": "", "preamble": "", **config.latex_elements}
    style = rf"\usepackage{{convbook}}\hypersetup{{pdflang={config.language}}}"
    config.latex_elements = {**elements, "preamble": f"{style}\n{elements['preamble']}"}


def setup(app: Sphinx) -> None:
    """Bind these to the events of a build."""
    app.connect("config-inited", use_style)
    app.connect("doctree-resolved", prepare)
