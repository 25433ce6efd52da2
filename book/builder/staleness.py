"""When a chapter must be executed again, and why.

A chapter is stale when its code cells, its parameters, what it uses of a module of the book, a file
of the book that it read, a variable of the book's own, or a run record that it used has changed.
Code is compared by syntax tree: prose, comments, docstrings and formatting never count. Libraries
that changed are told, and executed again only when someone asks.
"""

import ast
import functools
import json
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from book.builder import trace, uses
from book.builder.notebooks import code_cells, tags
from book.builder.runs import Runs
from book.builder.stamps import Stamp
from book.builder.syntax.sources import digest

CHANGED = "while it was executed"  # in place of a digest: nothing ever equals it
#: Tags that change what an execution does.
MEANINGFUL = {"parameters", "raises-exception", "skip-execution"}
LINE_END = re.compile(r"\r\n|\r|\n")  # as Python has it


def stamp(
    source: Any,
    executed: Any,
    parameters: dict[str, Any],
    root: Path,
    runs: Runs,
    began: float,
    **outcome: Any,
) -> Stamp:
    """Return what an execution of the notebook `source` depended on, with digests.

    A file that was changed after the execution `began` (seconds since the epoch) gets none that
    could ever fit: nobody knows whether the kernel read it before or after.
    """
    seen = trace.seen(executed.cells)
    keys = trace.run_keys(executed.cells)
    records = {path.name for key in keys if (path := runs.locate(key))}  # wherever they lie
    read = {path for path in seen.read if Path(path).name not in records}
    return Stamp(
        code=code_digest(source),
        parameters=parameters,
        modules=_digests(seen.modules, root, began),
        uses=used(source, seen.modules, root),
        data=_digests(sorted(read - set(seen.written)), root, began, seen.opened),
        environment=seen.environment,
        runs={key: record_digest(key, runs) for key in keys},
        libraries=seen.libraries,
        written=list(seen.written),
        **outcome,
    )


def causes(
    source: Any, then: Stamp, parameters: dict[str, Any], root: Path, runs: Runs
) -> list[str]:
    """Return why an executed copy with this stamp can't be used, in words; nothing when it can."""
    changes = {
        "its code": then.code != code_digest(source),
        "its parameters": _canonical(then.parameters) != _canonical(parameters),
        **dict.fromkeys(_changed_modules(source, then, root), True),
        **{path: old != file_digest(root / path) for path, old in then.data.items()},
        **{f"${name}": old != trace.value_digest(name) for name, old in then.environment.items()},
        **{f"run {key}": not is_record(key, old, runs) for key, old in then.runs.items()},
    }
    return [f"{what} changed" for what, changed in changes.items() if changed]


def _changed_modules(source: Any, then: Stamp, root: Path) -> list[str]:
    """Return the modules of which something changed that the chapter uses.

    Syntax trees are compared only where bytes differ.
    """
    if all(old == file_digest(root / path) for path, old in then.modules.items()):
        return []
    now = used(source, list(then.modules), root)
    raced = [path for path, old in then.modules.items() if old == CHANGED]
    changed = [path for path in then.modules if now.get(path) != then.uses.get(path)]
    return list(dict.fromkeys([*raced, *changed]))


def used(source: Any, modules: Sequence[str], root: Path) -> dict[str, str]:
    """Return a digest of what a chapter uses of each of these modules, those that are there."""
    files = {path: root / path for path in modules if (root / path).is_file()}
    return uses.digests([cell.source for cell in code_cells(source)], files)


def drift(then: Stamp) -> dict[str, tuple[str, str | None]]:
    """Return the libraries that have another version now: that of then, and today's if any."""
    now = {name: _installed(name) for name in then.libraries}
    return {name: (old, now[name]) for name, old in then.libraries.items() if old != now[name]}


@functools.cache
def _installed(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _digests(
    paths: Sequence[str], root: Path, began: float, opened: Mapping[str, float] | None = None
) -> dict[str, str | None]:
    """Return digests of files, none that fits of one that changed after it was first opened."""
    first = opened or {}
    return {
        path: CHANGED if _touched(root / path, first.get(path, began)) else file_digest(root / path)
        for path in paths
    }


def _touched(path: Path, moment: float) -> bool:
    """Whether a file was written after a moment, whatever time it claims to be from."""
    return path.exists() and path.stat().st_ctime > moment


def code_digest(notebook: Any) -> str:
    """Return a digest of a notebook's code cells, in order, by syntax tree."""
    cells = [
        (_tree(cell.source), sorted(MEANINGFUL & set(tags(cell)))) for cell in code_cells(notebook)
    ]
    return digest(repr(cells).encode())


def file_digest(path: Path) -> str | None:
    """Return a digest of a file's content, of a folder's names; None when it is gone."""
    try:
        facts = path.stat()
        return _content_digest(path, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size)
    except (FileNotFoundError, NotADirectoryError):
        return None


@functools.cache  # chapters share most of their modules
def _content_digest(path: Path, *state: int) -> str:
    if path.is_dir():
        names = sorted(p.name for p in path.iterdir() if not p.name.startswith((".", "__")))
        return digest("/".join(names).encode())
    return digest(path.read_bytes())


def is_record(key: str, then: str | None, runs: Runs) -> bool:
    """Return whether a run's record is the one with the digest of then, which was believed then."""
    first = next((path for path in runs.files(key) if path.is_file()), None)
    if first and then == file_digest(first):
        return True  # to read it again would tell nothing new
    return then == record_digest(key, runs)


def record_digest(key: str, runs: Runs) -> str | None:
    """Return a digest of a run record, wherever it lies; None when it is gone."""
    path = runs.locate(key)
    return file_digest(path) if path else None


def _canonical(parameters: Mapping[str, Any]) -> str:
    return json.dumps(parameters, sort_keys=True, default=repr)


def _tree(source: str) -> str:
    """Return a cell's syntax tree; its text where it is not plain Python (magics)."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return source
    return ast.dump(tree) + ";" * _shows_nothing(tree, source)


def _shows_nothing(tree: ast.Module, source: str) -> bool:
    """Whether a cell ends with an expression and a semicolon, for which Jupyter shows no value."""
    match tree.body:
        case [*_, ast.Expr(end_lineno=int(line), end_col_offset=int(column))]:
            last = LINE_END.split(source)[line - 1].encode()
            return last[column:].lstrip().startswith(b";")
    return False
