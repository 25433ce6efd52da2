"""Fingerprints of source code that see meaning, not layout: a comment, a docstring or a line break
is no change.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

#: The modules that decide a training's outcome: the name under which each is hashed, and its file.
DECISIVE: Mapping[str, str] = {
    "architectures": "networks/architectures.py",
    "augmentation": "training/augmentation.py",
    "curves": "training/curves.py",
    "data": "data/loading.py",
    "datasets": "data/datasets.py",
    "kernels": "networks/kernels.py",
    "layers": "networks/layers.py",
    "networks": "networks/build.py",
    "normalizations": "networks/normalizations.py",
    "schedules": "training/schedules.py",
    "training": "training/loop.py",
}

#: Modules that have moved, and the names by which code that imports them is hashed: a move is no
#: change.
ALIASES: Mapping[str, str] = {
    "models.data": "models",
    "models.data.datasets": "models.datasets",
    "models.data.loading": "models.data",
    "models.data.sources": "models.sources",
    "models.networks.architectures": "models.architectures",
    "models.networks.build": "models.networks",
    "models.networks.kernels": "models.kernels",
    "models.networks.layers": "models.layers",
    "models.networks.normalizations": "models.normalizations",
    "models.training.augmentation": "models.augmentation",
    "models.training.curves": "models.curves",
    "models.training.schedules": "models.schedules",
}


def digest(path: Path, aliases: Mapping[str, str] | None = None) -> str:
    """sha256 (hexadecimal) of a Python file's syntax tree without docstrings.

    The same on every Python version: fields that are empty (such as 3.12's `type_params`) do not
    count. With `aliases`, what is imported from a module there is hashed under the module's other
    name, whatever the order of the imports.

    Raises:
        SyntaxError: the file is no Python.
    """
    tree = ast.parse(path.read_bytes(), filename=str(path))
    if aliases is not None:
        _rename_imports(tree, aliases)
    return hashlib.sha256("".join(_tokens(tree)).encode()).hexdigest()


def _rename_imports(tree: ast.Module, aliases: Mapping[str, str]) -> None:
    """Put the tree's first-party imports under their other names, sorted by these in the places
    that they have.
    """
    package = __name__.partition(".")[0]
    places = [place for place, node in enumerate(tree.body) if _imports_from(node, package)]
    found = [node for node in tree.body if _imports_from(node, package)]
    for node in found:
        node.module = aliases.get(node.module or "", node.module)
    for place, node in zip(places, sorted(found, key=lambda node: node.module or ""), strict=True):
        tree.body[place] = node


def _imports_from(node: ast.stmt, package: str) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == package


def _tokens(node: object) -> Iterator[str]:
    """The tree's node names, fields and constants in order, each bracketed so that no two trees
    read alike.
    """
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
    lines = [f"{name} {digest(folder / file, ALIASES)}\n" for name, file in DECISIVE.items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
