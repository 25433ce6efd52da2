"""What a chapter used, as its executed copy carries it: modules, files, variables and run records.

All are outputs of MIME types of our own, so that an executed copy tells its own dependencies,
whoever executed it. The kernel's witness (`book.builder.witness`) writes most of them in one output
of the last cell; a chapter declares what cannot be seen.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SEEN = "application/vnd.convbook.trace+json"
RUNS = "application/vnd.convbook.runs+json"
CELL = "convbook-trace"  # the id of the last cell, which an execution appends
MAGIC = "convbook_trace"  # what that cell calls
DIGITS = 16  # of a digest


@dataclass(frozen=True)
class Seen:
    """What an execution imported, read and wrote, by paths from the book's root, and the rest.

    What it read are files, and folders of which it asked for the files, each `opened` first so many
    seconds after the epoch. `environment` holds digests of the book's own variables that it read,
    `libraries` the versions of the distributions that it imports.
    """

    modules: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    opened: dict[str, float] = field(default_factory=dict)


def show_files(*paths: str | Path) -> None:
    """Write into the notebook that the chapter depends on these files (nothing outside one).

    Those that it opens itself are seen without it.
    """
    root = Path.cwd().resolve()
    files = [Path(path).resolve() for path in paths]
    show(SEEN, {"read": [_from_root(file, root) for file in files]})


def _from_root(file: Path, root: Path) -> str:
    return (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()


def show_runs(keys: Iterable[str]) -> None:
    """Write into the notebook that the chapter asked for the runs of these keys."""
    show(RUNS, sorted(set(keys)))


def used_runs() -> dict[str, list[str]]:
    """Return the runs that each chapter used when it was last executed: keys, by its name.

    They stand in the book's order, without chapters that used none. The chapter that asks depends
    on it: a build executes it again when others use other runs. Outside of a build it is told what
    the last one knew, if there was one.
    """
    from book.builder import environment  # not for every chapter to load

    own, last = environment.used_runs(), "_build/.jupyter_cache/used_runs.json"
    path = next((path for path in map(Path, (own, last)) if path.is_file()), None)
    if path is None:
        return {}
    show_files(path)
    used: dict[str, list[str]] = json.loads(path.read_text("utf-8"))
    return used


def show(mime: str, content: Any) -> None:
    """Write content of a MIME type of ours into the notebook (nothing outside one)."""
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is not None:
        display({mime: content}, raw=True)


def seen(cells: Iterable[Any]) -> Seen:
    """Return what the outputs of `cells` say that the execution used: declared, or seen."""
    parts = [part for part in _contents(cells, SEEN) if isinstance(part, dict)]

    def paths(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(path for part in parts for path in part.get(name, [])))

    def table(name: str) -> dict[str, Any]:
        return {key: value for part in parts for key, value in part.get(name, {}).items()}

    return Seen(
        paths("modules"),
        paths("read"),
        paths("written"),
        table("environment"),
        table("libraries"),
        table("opened"),
    )


def run_keys(cells: Iterable[Any]) -> list[str]:
    """Return the keys of the runs that a chapter asked for, each once, in order."""
    return list(dict.fromkeys(key for keys in _contents(cells, RUNS) for key in keys))


def _contents(cells: Iterable[Any], mime: str) -> Iterator[Any]:
    for cell in cells:
        for output in cell.get("outputs", []):
            if mime in output.get("data", {}):
                yield output["data"][mime]


def shown(outputs: Iterable[Any]) -> list[Any]:
    """Return the outputs that a reader sees: neither the trace nor what was said on stderr."""
    return [output for output in outputs if not _is_hidden(output)]


def _is_hidden(output: Any) -> bool:
    return bool({SEEN, RUNS} & set(output.get("data", {})) or output.get("name") == "stderr")


def value_digest(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a digest of a variable's value, which may be a secret; `unset` where it has none."""
    value = environment.get(name)
    if value is None:
        return "unset"
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS]
