"""When a chapter must be executed again, and why.

A chapter is stale when its code cells, its parameters, a first-party module that its kernel really
imported, or a run record that it used has changed. Code is compared by syntax tree: prose, comments
and formatting never count.
"""

import ast
import contextlib
import hashlib
from pathlib import Path
from typing import Any

import nbformat

from book.builder import trace
from models import fingerprint
from models.runs.store import Store

STAMP = "convbook"  # the notebook metadata that hold what an executed copy was made from
CHANGED = "while it was executed"  # in place of a digest


def executed_path(build: Path, docname: str) -> Path:
    """Where the executed copy of a chapter lies, beside the built site."""
    return build / "executed" / f"{docname}.ipynb"


def failed_path(build: Path, docname: str) -> Path:
    """Where a failed execution of a chapter is kept, with its traceback; the last good copy stays
    as it is.
    """
    return build / "executed" / f"{docname}.failed.ipynb"


def stamp(
    source: Any, executed: Any, parameters: dict[str, Any], root: Path, began: float
) -> dict[str, Any]:
    """What the notebook `executed` depends on: code, parameters, modules and records, each with a
    digest.

    A module that was changed after the execution `began` (seconds since the epoch) gets none that
    could ever fit: nobody knows whether the kernel imported it before or after.
    """
    modules = [(path, root / path) for path in trace.collected(executed.cells, trace.MODULES)]
    runs = trace.collected(executed.cells, trace.RUNS)
    return {
        "code": code_digest(source),
        "parameters": parameters,
        "modules": {
            name: CHANGED if _newer(path, began) else file_digest(path) for name, path in modules
        },
        "runs": {key: record_digest(key) for key in runs},
    }


def _newer(path: Path, moment: float) -> bool:
    return path.exists() and path.stat().st_mtime > moment


def causes(source: Any, copy: Path, parameters: dict[str, Any], root: Path) -> list[str]:
    """Why the executed `copy` of the notebook `source` can't be used, in words; empty when it can."""
    if not copy.exists():
        return ["never executed"]
    try:
        then = nbformat.read(copy, as_version=4).metadata[STAMP]
    except (KeyError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        return ["the executed copy is damaged"]
    found = []
    if then["code"] != code_digest(source):
        found.append("its code changed")
    if then["parameters"] != parameters:
        found.append("its parameters changed")
    found += [
        f"{path} changed"
        for path, digest in then["modules"].items()
        if digest != file_digest(root / path)
    ]
    found += [
        f"run {key} changed" for key, digest in then["runs"].items() if digest != record_digest(key)
    ]
    return found


def code_digest(notebook: Any) -> str:
    """Digest of a notebook's code cells, in order, by syntax tree."""
    cells = [(cell.id, _tree(cell.source)) for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(repr(cells).encode()).hexdigest()[:16]


def _tree(source: str) -> str:
    """A cell's syntax tree; its text where it is not plain Python (magics)."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source


def file_digest(path: Path) -> str | None:
    """Digest of a module by its syntax tree, of what is no Python by its bytes; None when it is
    gone.
    """
    if not path.is_file():
        return None
    if path.suffix == ".py":
        with contextlib.suppress(SyntaxError, ValueError):  # half-written, or with null bytes
            return fingerprint.digest(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def record_digest(key: str) -> str | None:
    """Digest of a run record, wherever it lies; None when it is gone."""
    path = Store.default().locate(key)
    return file_digest(path) if path else None
