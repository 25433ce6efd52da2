"""What stands where on paper: floats, boxes and code kept whole, the introduction's titles."""

from math import ceil

from docutils import nodes
from sphinx_jupyterbook_latex.nodes import RootHeader

WHOLE = 20  # lines of a table, a box or code, up to which a page keeps it whole
START = 6  # lines of a longer one that stand together before a page may cut it
LETTERS = 95  # of a line of text in a box
INTRODUCTION = "Introduction"


def float_table(table: nodes.table, lines: int) -> None:
    """Let a table go to a page's top or bottom; let a long one break under its repeated heading."""
    if _in_box(table):
        return
    if lines > WHOLE:
        table["classes"].append("longtable")
        _before(table, room(lines))
        last = list(table.findall(nodes.row))[-1]
        _before(last, _latex(r"\noalign{\nobreak}"))  # it does not stand alone on a page
    elif any(table.findall(nodes.title)):
        _before(table, _latex(r"\begin{table}[htbp]"))
        table.parent.insert(table.parent.index(table) + 1, _latex(r"\end{table}"))


def keep_whole(doctree: nodes.document) -> None:
    """Have each box and each cell of code ask for the room that it needs of its page."""
    elements = [one for one in doctree.findall(nodes.Element) if not _in_box(one)]
    for element in elements:
        if isinstance(element, nodes.literal_block):
            _before(element, room(element.astext().count("\n") + 2))
        elif isinstance(element, nodes.Admonition):
            paragraphs = [len(one.astext()) for one in element.findall(nodes.paragraph)]
            _before(element, room(4 + sum(ceil(length / LETTERS) + 0.5 for length in paragraphs)))


def room(lines: float) -> nodes.raw:
    """Return what asks a page for room: for all lines, or of a long block for the first ones."""
    return _latex(rf"\Needspace{{{lines if lines <= WHOLE else START:g}\baselineskip}}")


def title_introduction(doctree: nodes.document) -> None:
    """Give the book's first page titles that the contents and the bookmarks list."""
    for header in list(doctree.findall(RootHeader)):
        level = "section" if header["level"] <= 2 else "subsection"
        header.replace_self(_unnumbered(level, header))
    book = next(iter(doctree.findall(nodes.section)), None)
    if book is not None and any(isinstance(one, nodes.paragraph) for one in book):
        book.insert(1, _unnumbered("chapter", nodes.inline(text=INTRODUCTION)))


def _unnumbered(level: str, title: nodes.Element) -> nodes.inline:
    """Return a title without a number, of LaTeX's level."""
    words = [one.deepcopy() for one in title.children]
    return nodes.inline("", "", _latex(rf"\unnumbered{{{level}}}{{"), *words, _latex("}"))


def _in_box(node: nodes.Node) -> bool:
    """Return whether a node stands in a box, where LaTeX lets nothing float."""
    parent = node.parent
    return parent is not None and (isinstance(parent, nodes.Admonition) or _in_box(parent))


def _before(node: nodes.Element, other: nodes.Node) -> None:
    node.parent.insert(node.parent.index(node), other)


def _latex(text: str) -> nodes.raw:
    return nodes.raw("", text, format="latex")
