"""What a chapter's kernel really used: the first-party modules it imported and the run records it
read.

Both are written into the executed notebook as outputs of a MIME type of our own, so that an
executed copy carries its own dependencies, whoever executed it.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

MODULES = "application/vnd.convbook.modules+json"
RUNS = "application/vnd.convbook.runs+json"

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("analysis", "book", "models")
NEVER = ("book.builder",)  # how a chapter is built, not what it says


def imported_files(root: Path) -> list[str]:
    """Files of first-party modules that this process has imported, relative to `root` where they
    lie in it.

    First-party is what belongs to this project's packages, and any module beside the chapters in
    `root`.
    """
    files = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or name.startswith(NEVER):
            continue
        path = Path(file).resolve()
        ours = name.partition(".")[0] in PACKAGES and path.is_relative_to(ROOT)
        if ours or (path.is_relative_to(root) and not _is_installed(path.relative_to(root))):
            files.add(path)
            files.update(path.parent.glob("*.mplstyle") if path.name == "figures.py" else ())
    return sorted(
        str(path.relative_to(root)) if path.is_relative_to(root) else str(path) for path in files
    )


def _is_installed(relative: Path) -> bool:
    return any(
        part.startswith((".", "_build")) or part == "site-packages" for part in relative.parts
    )


def show_imports() -> None:
    """Write the imported first-party files into the notebook; the last thing that an executed
    chapter does.
    """
    from IPython.display import display

    display({MODULES: imported_files(Path.cwd().resolve())}, raw=True)


def show_runs(keys: Iterable[str]) -> None:
    """Write the keys of the run records that a chapter asked for into the notebook (nothing outside
    one).
    """
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is not None:
        display({RUNS: sorted(set(keys))}, raw=True)


def collected(cells: Iterable[Any], mime: str) -> list[str]:
    """All strings that the outputs of `cells` hold under `mime`, without repetition, in order."""
    return list(dict.fromkeys(_values(cells, mime)))


def _values(cells: Iterable[Any], mime: str) -> Iterator[str]:
    for cell in cells:
        for output in cell.get("outputs", []):
            yield from output.get("data", {}).get(mime, [])


def shown(outputs: Iterable[Any]) -> list[Any]:
    """The outputs that a reader sees: neither the trace nor what was said on stderr."""
    return [output for output in outputs if not _is_hidden(output)]


def _is_hidden(output: Any) -> bool:
    return bool({MODULES, RUNS} & set(output.get("data", {})) or output.get("name") == "stderr")
