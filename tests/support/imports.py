"""The modules and notebooks below a folder, and what they import of each other, read as source.

An import counts wherever it stands: at the top of a module, in a function, under `TYPE_CHECKING`,
in a notebook's cell. Nothing is imported to find it.
"""

import ast
import functools
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("analysis", "book", "models")


@dataclass(frozen=True)
class Source:
    """A module or a notebook (whose name ends in `.ipynb`), and what it says."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def is_notebook(self) -> bool:
        return self.path.suffix == ".ipynb"

    @property
    def stem(self) -> str:
        return self.path.stem


@functools.cache
def sources(root: Path) -> Mapping[str, Source]:
    """Every module and notebook of the packages by its dotted name; a package is its `__init__`."""
    found = {}
    for package, suffix in itertools.product(PACKAGES, (".py", ".ipynb")):
        for path in sorted((root / package).rglob(f"*{suffix}")):
            if ".ipynb_checkpoints" not in path.parts:
                name = _dotted(path.relative_to(root))
                found[name] = Source(name, path, ast.parse(_code(path)))
    return found


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts) + (".ipynb" if path.suffix == ".ipynb" else "")


def _code(path: Path) -> str:
    if path.suffix == ".py":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@functools.cache
def imports(root: Path) -> Mapping[str, frozenset[str]]:
    """What each module and notebook imports of the packages' own modules."""
    known = sources(root)
    return {
        name: frozenset(_resolved(target, known) for target in _targets(source)) - {None, name}
        for name, source in known.items()
    }


def _targets(source: Source) -> Iterator[str]:
    """Dotted names that it imports; `from a import b` may mean a module `a.b`, or `b` of `a`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = _base(source, node)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _base(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = source.path.name == "__init__.py"
    parts = source.name.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *filter(None, [node.module])])


def _resolved(target: str, known: Mapping[str, Source]) -> str | None:
    """The longest beginning of the dotted name that is a module; None for other people's."""
    parts = target.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in known), None)


def room(name: str) -> str:
    """The first two parts of a dotted name: a package, or a module that stands beside packages."""
    return ".".join(name.removesuffix(".ipynb").split(".")[:2])


def arrows(root: Path) -> list[tuple[str, str]]:
    """Every import as (who, whom), in order."""
    return [(name, other) for name, others in imports(root).items() for other in sorted(others)]
