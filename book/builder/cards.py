"""Tables with prose in their cells are cards on a narrow screen: see static/book.css."""

from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx

PROSE = 8  # words of a cell that would be a narrow column there


def make_cards(app: Sphinx, page: nodes.document, docname: str) -> None:
    """Have tables with prose in their cells say of each cell which column it is in."""
    if app.builder.format != "html":
        return
    for table in page.findall(nodes.table):
        heads = [entry.astext() for head in table.findall(nodes.thead) for entry in _entries(head)]
        rows = [list(_entries(row)) for body in table.findall(nodes.tbody) for row in body]
        if any(_words(entry) >= PROSE for row in rows for entry in row):
            table["classes"].append("cards")
            for row in rows:
                for head, entry in zip(heads, row, strict=False):
                    entry["head"] = head


def _entries(part: nodes.Node) -> Iterator[nodes.entry]:
    return iter(part.findall(nodes.entry))


def _words(entry: nodes.entry) -> int:
    """Return how many words stand in a cell, formulas not counted."""
    texts = [text for text in entry.findall(nodes.Text) if not isinstance(text.parent, nodes.math)]
    return len(" ".join(map(str, texts)).split())


def setup(app: Sphinx) -> None:
    """Bind this to the events of a build."""
    app.connect("doctree-resolved", make_cards)
