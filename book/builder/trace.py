"""What a chapter's kernel really used: modules of the book's own, other files, and run records.

All are written into the executed notebook as outputs of a MIME type of our own, so that an executed
copy carries its own dependencies, whoever executed it.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

MODULES = "application/vnd.convbook.modules+json"
RUNS = "application/vnd.convbook.runs+json"
BUILDER = __name__.rpartition(".")[0]


def imported_files(root: Path) -> list[str]:
    """Return the files of the book's own modules that this process has imported, from `root`.

    Its own are those in the book's folder `root`, without what is installed there, and without the
    builder: how a chapter is built is not what it says.
    """
    files = {
        Path(file).resolve()
        for name, module in list(sys.modules.items())
        if (file := getattr(module, "__file__", None)) and not name.startswith(BUILDER)
    }
    inside = {file.relative_to(root) for file in files if file.is_relative_to(root)}
    return sorted(str(file) for file in inside if not _is_installed(file))


def _is_installed(relative: Path) -> bool:
    return any(
        part.startswith((".", "_build")) or part == "site-packages" for part in relative.parts
    )


def show_imports() -> None:
    """Write the imported files into the notebook; the last thing that an executed chapter does."""
    _show(MODULES, imported_files(Path.cwd().resolve()))


def show_files(*paths: Path) -> None:
    """Write into the notebook that the chapter depends on these files (nothing outside one)."""
    root = Path.cwd().resolve()
    files = [path.resolve() for path in paths]
    _show(MODULES, [str(f.relative_to(root) if f.is_relative_to(root) else f) for f in files])


def show_runs(keys: Iterable[str]) -> None:
    """Write into the notebook that the chapter asked for the runs of these keys."""
    _show(RUNS, sorted(set(keys)))


def _show(mime: str, values: list[str]) -> None:
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is not None:
        display({mime: values}, raw=True)


def collected(cells: Iterable[Any], mime: str) -> list[str]:
    """Return all strings that the outputs of `cells` hold under `mime`, each once, in order."""
    return list(dict.fromkeys(_values(cells, mime)))


def _values(cells: Iterable[Any], mime: str) -> Iterator[str]:
    for cell in cells:
        for output in cell.get("outputs", []):
            yield from output.get("data", {}).get(mime, [])


def shown(outputs: Iterable[Any]) -> list[Any]:
    """Return the outputs that a reader sees: neither the trace nor what was said on stderr."""
    return [output for output in outputs if not _is_hidden(output)]


def _is_hidden(output: Any) -> bool:
    return bool({MODULES, RUNS} & set(output.get("data", {})) or output.get("name") == "stderr")


CELL = "convbook-trace"


class Seen:
    def __init__(self, modules, read):
        self.modules, self.read, self.written, self.environment, self.libraries = (
            modules,
            read,
            [],
            {},
            {},
        )


def seen(cells):
    paths = collected(cells, MODULES)
    return Seen(
        [p for p in paths if p.endswith(".py")], [p for p in paths if not p.endswith(".py")]
    )


def run_keys(cells):
    return collected(cells, RUNS)


def value_digest(name):
    import os

    return os.environ.get(name, "")
