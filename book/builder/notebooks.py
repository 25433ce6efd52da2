"""Notebooks as files: read whole, whatever their format, or refused in one line."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat.reader import NotJSONError
from nbformat.v4 import nbformat_minor

from book.builder.declared import declared
from book.builder.declared_types import check_types
from book.builder.errors import BookError

UNREADABLE = (
    NotJSONError,
    nbformat.ValidationError,
    nbformat.NBFormatError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)
VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read_notebook(path: Path) -> Any:
    """Return a notebook in the newest format 4, each of its cells with an id of its own.

    Cells without an id, as formats before 4.5 have them, and those that share one are named by
    their places.

    Raises:
        BookError: The file is no notebook, or cannot be read.
    """
    try:
        notebook = nbformat.reader.reads(path.read_text(encoding="utf-8"))
        identified = (notebook.nbformat, notebook.get("nbformat_minor", 0)) >= (4, 5)
        notebook = nbformat.convert(notebook, to_version=4)
        notebook.nbformat_minor = nbformat_minor
        _complete(notebook, identified)
        nbformat.validate(notebook)
    except UNREADABLE as error:
        first, *_ = str(error).splitlines() or [type(error).__name__]
        raise BookError(f"{path.name} is no notebook: {first}") from None
    except OSError as error:
        raise BookError(f"{path.name} cannot be read: {error.strerror}") from None
    return notebook


def _complete(notebook: Any, identified: bool) -> None:
    """Give each cell an id of its own, and what a code cell must have and may be forgotten."""
    seen: set[str] = set()
    for place, cell in enumerate(notebook.cells):
        name = str(cell.get("id")) if identified else ""
        if name in seen or not VALID_ID.fullmatch(name):
            name = f"cell-{place}"
        while name in seen:
            name += "-"
        seen.add(name)
        cell["id"] = name
        cell.setdefault("metadata", nbformat.NotebookNode())
        if cell.cell_type == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)


def code_cells(notebook: Any) -> list[Any]:
    """Return a notebook's code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: Any) -> list[str]:
    """Return a cell's tags."""
    return list(cell.metadata.get("tags", []))


def defaults(source: Path) -> dict[str, Any]:
    """Return the parameters that a chapter declares, with their published values.

    Raises:
        BookError: The chapter is no notebook, or its `parameters` cell no Python.
    """
    return declared(declaration(read_notebook(source)))


def check_values(source: Path, given: Mapping[str, Any]) -> None:
    """Refuse values of other types than a chapter declares.

    Raises:
        BookError: Names the parameter, what was expected and what came; or the chapter is none.
    """
    check_types(declaration(read_notebook(source)), given)


def declaration(notebook: Any) -> str:
    """Return the code of a notebook's `parameters` cell; empty without one."""
    return next((cell.source for cell in code_cells(notebook) if "parameters" in tags(cell)), "")
