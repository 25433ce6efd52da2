"""What print needs and the site does not: columns as wide as their numbers, code that no page break cuts."""

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
    """LaTeX's columns of a table, in which no number is wrapped or cut.

    A table that fits between the margins is as wide as its words. In a wider one, words are wrapped where their
    column is wide, and headings of numbers wherever they are longer than the numbers.
    """
    cells = [list(column) for column in zip(*_rows(table), strict=True)]
    widths = [max(map(_width, column)) for column in cells]
    fits = sum(widths) + GAP * len(cells) <= LINE
    return "".join(_natural(column) if fits else _narrowed(column) for column in cells)


def _rows(table: nodes.table) -> Iterator[list[nodes.entry]]:
    """The table's rows, its heading first."""
    for row in table.findall(nodes.row):
        yield list(row.findall(nodes.entry))


def _width(cell: nodes.entry) -> float:
    """A cell's width in characters; those of code are wider."""
    code = sum(len(one.astext()) for one in cell.findall(nodes.literal))
    return len(cell.astext()) + 0.3 * code


def _natural(column: list[nodes.entry]) -> str:
    """The letter of a column as wide as its widest cell."""
    classes = column[-1]["classes"]
    return "r" if "text-right" in classes else "c" if "text-center" in classes else "l"


def _narrowed(column: list[nodes.entry]) -> str:
    """A column of a table that is too wide: numbers keep to a line, words and headings are wrapped."""
    head, *body = column
    widest = max(map(_width, body), default=0.0)
    letter = _natural(column)
    if letter == "l":
        return "l" if max(widest, _width(head)) <= NARROW else "L"
    if _width(head) <= widest:
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
