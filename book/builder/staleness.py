"""When a chapter must be executed again, and why.

A chapter is stale when its code cells, its parameters, a module of the book that its kernel really
imported, or a run record that it used has changed. Code is compared by syntax tree: prose,
comments, docstrings and formatting never count.
"""

import ast
import contextlib
import functools
import hashlib
from pathlib import Path
from typing import Any

import nbformat

from book.builder import trace
from book.builder.runs import Runs

STAMP = "convbook"  # the notebook metadata that hold what an executed copy was made from
CHANGED = "while it was executed"  # in place of a digest
DIGITS = 16  # of a digest


def stamp(
    source: Any, executed: Any, parameters: dict[str, Any], root: Path, runs: Runs, began: float
) -> dict[str, Any]:
    """Return what a notebook depends on: code, parameters, modules and records, with digests.

    A module that was changed after the execution `began` (seconds since the epoch) gets none that
    could ever fit: nobody knows whether the kernel imported it before or after.
    """
    modules = [(path, root / path) for path in trace.collected(executed.cells, trace.MODULES)]
    keys = trace.collected(executed.cells, trace.RUNS)
    return {
        "code": code_digest(source),
        "parameters": parameters,
        "modules": {
            name: CHANGED if _newer(path, began) else file_digest(path) for name, path in modules
        },
        "runs": {key: record_digest(key, runs) for key in keys},
    }


def _newer(path: Path, moment: float) -> bool:
    return path.exists() and path.stat().st_mtime > moment


def causes(
    source: Any, copy: Path, parameters: dict[str, Any], root: Path, runs: Runs
) -> list[str]:
    """Return why a notebook's executed `copy` can't be used, in words; nothing when it can."""
    if not copy.exists():
        return ["never executed"]
    try:
        then = nbformat.read(copy, as_version=4).metadata[STAMP]
    except (KeyError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        return ["the executed copy is damaged"]
    changes = {
        "its code": then["code"] != code_digest(source),
        "its parameters": then["parameters"] != parameters,
        **{path: old != file_digest(root / path) for path, old in then["modules"].items()},
        **{f"run {key}": old != record_digest(key, runs) for key, old in then["runs"].items()},
    }
    return [f"{what} changed" for what, changed in changes.items() if changed]


def code_digest(notebook: Any) -> str:
    """Return a digest of a notebook's code cells, in order, by syntax tree."""
    cells = [(cell.id, _tree(cell.source)) for cell in notebook.cells if cell.cell_type == "code"]
    return _digest(repr(cells).encode())


def file_digest(path: Path) -> str | None:
    """Return a digest of a module's syntax tree, of other files' bytes; None when it is gone."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    if path.suffix == ".py":
        with contextlib.suppress(SyntaxError, ValueError):  # half-written, or with null bytes
            return _module_digest(content)
    return _digest(content)


def record_digest(key: str, runs: Runs) -> str | None:
    """Return a digest of a run record, wherever it lies; None when it is gone."""
    path = runs.locate(key)
    return file_digest(path) if path else None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def _tree(source: str) -> str:
    """Return a cell's syntax tree; its text where it is not plain Python (magics)."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source


@functools.cache  # chapters share most of their modules
def _module_digest(source: bytes) -> str:
    """Return a digest of a module's syntax tree without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node, clean=False) is not None
            node.body = node.body[1:] if documented else node.body
    return _digest(ast.dump(tree).encode())
