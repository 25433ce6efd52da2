"""An executed notebook that any reader shows as it is meant: its numbers in its words.

Outside Sphinx nobody knows MyST's roles and directives. Here the values stand in the Markdown,
tables and figures have captions, references are words, and the works cited are listed at the end.
The code is as it was, so that the copy executes like any notebook.
"""

from pathlib import Path
from typing import Any

import nbformat

from book.builder import chapter_variants, widths
from book.builder.elsewhere import Elsewhere
from book.builder.plain_roles import PlainRoles, labels
from book.builder.plain_words import plain
from book.builder.works import Work, works

REFERENCES = "references"  # the id of the last cell
KEPT = ("kernelspec", "language_info")  # of its metadata
LONGEST = 64  # letters of a cell's id


def plain_notebook(page: Any, root: Path, docname: str) -> Any:
    """Return a page's notebook, as `overlay` makes it, in plain Markdown.

    `docname` is the page's name from the `root` of its book.
    """
    roles = PlainRoles(
        chapter_variants.glued(page), labels(page), Elsewhere(root, docname), works(root)
    )
    copy = nbformat.from_dict(page)
    copy.metadata = {name: page.metadata[name] for name in KEPT if name in page.metadata}
    copy.cells = [one for cell in copy.cells for one in _cells(cell, roles)]
    if cited := [work for key, work in roles.works.items() if key in roles.cited]:
        copy.cells.append(_references(cited))
    return copy


def _cells(cell: Any, roles: PlainRoles) -> list[Any]:
    """Return a cell in plain Markdown, and after a figure its caption."""
    if cell.cell_type == "markdown":
        cell.source = plain(cell.source, roles)
    widths.leave_wide(cell.get("outputs", []))
    for output in cell.get("outputs", []):
        if text := output.get("data", {}).get("text/markdown"):
            output["data"]["text/markdown"] = plain("".join(text), roles)
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if not figure.get("caption") or not cell.get("outputs"):
        return [cell]
    words = f"**{roles.named(figure.get('name', '')) or 'Figure'}.** {figure['caption']}"
    caption = nbformat.v4.new_markdown_cell(plain(words, roles), id=f"{cell.id}-caption"[-LONGEST:])
    return [cell, caption]


def _references(cited: list[Work]) -> Any:
    entries = "\n".join(f"- {work.entry}" for work in cited)
    return nbformat.v4.new_markdown_cell(f"## References\n\n{entries}", id=REFERENCES)
