"""Fingerprints of source code that see meaning, not layout.

A comment, a docstring or a line break is no change. Nor is a move: when a decisive module, or one
that decisive modules import, gets another name, enter its new name and the one before it in
`ALIASES`, and it is hashed as if it had stayed. (That sees `from module import name`, which is how
decisive modules import.) A rewrite that computes the same bits is another matter, of
`models.equivalence`.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

#: The modules that decide a training's outcome, in the order in which they are hashed.
DECISIVE = (
    "models.data.datasets",
    "models.data.loading",
    "models.networks.architectures",
    "models.networks.batch_last",
    "models.networks.build",
    "models.networks.channels_last",
    "models.networks.compiled",
    "models.networks.compiled_rows",
    "models.networks.fused",
    "models.networks.kernels",
    "models.networks.layers",
    "models.networks.normalizations",
    "models.training.augmentation",
    "models.training.batches",
    "models.training.curves",
    "models.training.loop",
    "models.training.optimizers",
    "models.training.precision",
    "models.training.randomness",
    "models.training.schedules",
)

#: Modules that have moved since, and the names under which they and their imports are hashed.
ALIASES: Mapping[str, str] = {}


@cache
def code_fingerprint() -> str:
    """Return one sha256 (hexadecimal) over the modules that decide a training's outcome."""
    return fingerprint(Path(__file__).parents[1], DECISIVE, ALIASES)


def fingerprint(root: Path, modules: Iterable[str], aliases: Mapping[str, str]) -> str:
    """Return one sha256 (hexadecimal) over modules below a folder, in the order of their aliases.

    Raises:
        SyntaxError: A module is no Python.
    """
    hashed = {aliases.get(name, name): root / f"{name.replace('.', '/')}.py" for name in modules}
    lines = [f"{name} {digest(path, aliases)}\n" for name, path in sorted(hashed.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def digest(path: Path, aliases: Mapping[str, str] | None = None) -> str:
    """Return the sha256 (hexadecimal) of a Python file's syntax tree without docstrings.

    It is the same on every Python version: fields that are empty (such as 3.12's `type_params`) do
    not count. With `aliases`, what is imported from a module there is hashed under the module's
    other name, whatever the order of the imports.

    Raises:
        SyntaxError: The file is no Python.
    """
    tree = ast.parse(path.read_bytes(), filename=str(path))
    if aliases is not None:
        _rename_imports(tree, aliases)
    return hashlib.sha256("".join(_tokens(tree)).encode()).hexdigest()


def _rename_imports(tree: ast.Module, aliases: Mapping[str, str]) -> None:
    """Put first-party imports under their other names, sorted by these in the places they have."""
    found = {
        place: node
        for place, node in enumerate(tree.body)
        if isinstance(node, ast.ImportFrom) and _is_first_party(node)
    }
    for node in found.values():
        node.module = aliases.get(node.module or "", node.module)
    by_name = sorted(found.values(), key=lambda node: node.module or "")
    for place, node in zip(found, by_name, strict=True):
        tree.body[place] = node


def _is_first_party(node: ast.ImportFrom) -> bool:
    return (node.module or "").partition(".")[0] == __name__.partition(".")[0]


def _tokens(node: object) -> Iterator[str]:
    """Yield the tree's node names, fields and constants in order.

    Each is bracketed, so that no two trees read alike.
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
    """Return the node's body; of a module, class or function, without its docstring."""
    body: object = getattr(node, "body", None)
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.body if ast.get_docstring(node, clean=False) is None else node.body[1:]
    return body
