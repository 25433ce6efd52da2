"""Notebooks as files: read whole or refused in words, and what their parameters cell declares."""

from pathlib import Path
from typing import Any

import nbformat

from book.builder.declared import declared
from book.builder.errors import BookError

UNREADABLE = (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError)


def read_source(path: Path) -> Any:
    """Return a chapter's notebook.

    Cells without ids, as formats before 4.5 have them, are named by their places.

    Raises:
        BookError: the file is no notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except UNREADABLE as error:
        raise BookError(f"{path.name} is no notebook: {str(error).splitlines()[0]}") from None
    for place, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{place}")
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    return notebook


def defaults(source: Path) -> dict[str, Any]:
    """Return the parameters that a chapter declares, with their published values."""
    cells = [
        cell.source
        for cell in read_source(source).cells
        if "parameters" in cell.metadata.get("tags", [])
    ]
    return declared(cells[0]) if cells else {}
