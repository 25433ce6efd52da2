"""What print needs and the site does not: columns as wide as their numbers, code kept whole."""

from collections.abc import Iterator

from docutils import nodes
from sphinx.addnodes import tabular_col_spec
from sphinx.application import Sphinx

LINE = 90  # characters of a table's print that fit between the margins
GAP = 2.4  # what lies between two columns, in characters
NARROW = 24  # characters of words that are never wrapped
EM, HEAD_EM = 0.48, 0.56  # width of a character of a cell and of a heading, with some room
WHOLE_PAGE = 40  # lines of code, from which on a page break may cut it


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
    wrapped = [
        "L" if one == "l" and width > NARROW else one
        for one, width in zip(letters, widths, strict=True)
    ]
    return "".join(wrapped if "L" in wrapped else map(_under_its_heading, cells))


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
    longest_word = max(map(len, head.astext().split()), default=0)
    side = {"r": r"\raggedleft", "c": r"\centering"}[letter]
    width = max(EM * widest, HEAD_EM * longest_word)
    return rf">{{{side}\arraybackslash}}p{{{width:.2f}em}}"


def prepare(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Tell LaTeX each table's columns, and how much room a code cell asks of its page."""
    if app.builder.format != "latex":
        return
    for table in list(doctree.findall(nodes.table)):
        table.parent.insert(table.parent.index(table), tabular_col_spec(spec=columns(table)))
        for cell in table.findall(nodes.entry):
            if not cell.astext():
                cell.clear()  # an empty paragraph would make the row two lines high
    for block in list(doctree.findall(nodes.literal_block)):
        lines = block.astext().count("\n") + 2
        if lines < WHOLE_PAGE:
            room = nodes.raw("", rf"\Needspace{{{lines}\baselineskip}}" + "\n", format="latex")
            block.parent.insert(block.parent.index(block), room)
