"""Fingerprints of source code that see meaning, not layout: a comment, a docstring or a line break is no change."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# The modules of this package that decide a training's outcome.
DECISIVE = (
    "architectures",
    "augmentation",
    "curves",
    "data",
    "datasets",
    "kernels",
    "layers",
    "networks",
    "normalizations",
    "schedules",
    "training",
)


def digest(path: Path) -> str:
    """sha256 (hexadecimal) of a Python file's syntax tree without docstrings.

    The same on every Python version: fields that are empty (such as 3.12's `type_params`) do not count.

    Raises:
        SyntaxError: the file is no Python.
    """
    tree = ast.parse(path.read_bytes(), filename=str(path))
    return hashlib.sha256("".join(_tokens(tree)).encode()).hexdigest()


def _tokens(node: object) -> Iterator[str]:
    """The tree's node names, fields and constants in order, each bracketed so that no two trees read alike."""
    if isinstance(node, list):
        yield "["
        for item in node:
            yield from _tokens(item)
        yield "]"
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            value = _without_docstring(node) if name == "body" else value
            if value is not None and value != []:
                yield f" {name}="
                yield from _tokens(value)
        yield ")"
    else:
        yield f"{type(node).__name__}:{node!r},"


def _without_docstring(node: ast.AST) -> object:
    """The node's body; of a module, class or function, without its docstring."""
    body: object = getattr(node, "body", None)
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.body if ast.get_docstring(node, clean=False) is None else node.body[1:]
    return body


@cache
def code_fingerprint() -> str:
    """One sha256 (hexadecimal) over the modules of this package that decide a training's outcome."""
    folder = Path(__file__).parent
    lines = [f"{name} {digest(folder / f'{name}.py')}\n" for name in DECISIVE]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
