"""What a kernel sees of its own chapter: files opened, folders listed, variables read, imports.

It watches from before the first import to the last cell, by an audit hook, and costs a microsecond
an opened file. What a chapter's own subprocesses open it does not see, nor what a library opens in
C (HDF5, SQLite), a listing of the book's root, or whether a file was there that it never opened:
`book.builder.trace.show_files` declares those.
"""

import fnmatch
import functools
import importlib.metadata
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from book.builder import trace

HERE = Path(__file__).resolve().parent
BUILDER = __name__.rpartition(".")[0]
ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
IMPORT = re.compile(r"(?:^|;)[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([\w., \t]+))", re.MULTILINE)


class Environment(os._Environ[str]):
    """A process's environment that notes which variables are read."""

    noted: set[str]

    def __getitem__(self, name: str) -> str:
        if isinstance(name, str):  # others look for bytes, in vain
            self.noted.add(name)
        return super().__getitem__(name)


class Witness:
    """Watches this process, whose working directory is the book's root, until it ends."""

    def __init__(self, variables: Sequence[str]) -> None:
        self.root = Path.cwd().resolve()
        self.variables = variables
        self.given = dict(os.environ)
        self.asked: set[str] = set()
        self.listed: dict[str, float] = {}  # when it was done first, since the epoch
        self.read: dict[str, float] = {}
        self.written: dict[str, float] = {}

    def watch(self) -> None:
        """Begin; there is no end, as an audit hook cannot be taken away."""
        os.environ.__class__ = Environment
        os.environ.noted = self.asked  # type: ignore[attr-defined]
        told: dict[str, Callable[..., None]] = {
            "open": self._opened,
            "os.listdir": self._listed,
            "os.rename": self._renamed,
            "os.scandir": self._listed,
        }

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in told:
                told[event](*arguments)

        sys.addaudithook(hook)

    def _opened(self, path: Any, mode: str | None, flags: int) -> None:
        name = _absolute(path)
        if name is None:
            return
        access = flags & ACCESS
        if access != os.O_WRONLY and not flags & os.O_TRUNC and name not in self.written:
            self.read.setdefault(name, time.time())  # not what it wrote itself
        if access != os.O_RDONLY:
            self.written[name] = 0.0

    def _listed(self, path: Any) -> None:
        name = _absolute(path or ".")
        if name:
            self.listed.setdefault(name, time.time())

    def _renamed(self, source: Any, target: Any, *_: int) -> None:
        old, new = _absolute(source), _absolute(target)
        if old and new:
            self.written.pop(old, None)
            self.written[new] = 0.0

    def testimony(self, cells: Iterable[str]) -> dict[str, Any]:
        """Return what was seen, as `trace.Seen` has it, of a chapter with these cells."""
        modules = imported_files(self.root)
        written = [name for name in self._inside(self.written) if (self.root / name).is_file()]
        files = {
            name: when for name, when in self._inside(self.read).items() if name not in modules
        }
        opened = files | self._folders([*modules, *written])
        own = {Path(name).parts[0].removesuffix(".py") for name in modules}
        sources = [*cells, *map(_source, (self.root / name for name in modules))]
        asked = [n for n in self.asked if any(fnmatch.fnmatch(n, p) for p in self.variables)]
        return {
            "modules": modules,
            "read": sorted(opened),
            "opened": opened,
            "written": sorted(written),
            "environment": {n: trace.value_digest(n, self.given) for n in sorted(asked)},
            "libraries": libraries(sources, own),
        }

    def _folders(self, own: Iterable[str]) -> dict[str, float]:
        """Return the folders whose files the chapter asked for.

        They are not those that Python searches for modules, nor those that the chapter wrote to:
        the folders of its `own` files.
        """
        searched = {".", *(Path(name).parent.as_posix() for name in own)}
        searched |= set(self._inside(dict.fromkeys(map(os.path.abspath, sys.path), 0.0)))
        listed = self._inside(self.listed).items()
        return {
            name: when
            for name, when in listed
            if name not in searched and (self.root / name).is_dir()
        }

    def _inside(self, names: dict[str, float]) -> dict[str, float]:
        """Return the book's own files among these, from its root."""
        found = {}
        for name, when in list(names.items()):
            path = Path(_real_folder(os.path.dirname(name)), os.path.basename(name))
            if path.is_relative_to(self.root) and not path.is_relative_to(HERE):
                relative = path.relative_to(self.root)
                if not _is_installed(relative):
                    found[relative.as_posix()] = when
        return found


def _absolute(path: Any) -> str | None:
    """Return an opened path; None for a descriptor, or what is no path, as `<string>` is none."""
    if isinstance(path, int):
        return None
    try:
        name = os.fsdecode(path)
        return None if name.startswith("<") else os.path.abspath(name)
    except (OSError, TypeError, ValueError):  # the working directory is gone, or nonsense
        return None


@functools.cache
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def imported_files(root: Path) -> list[str]:
    """Return the files of the book's own modules that this process has imported, from `root`."""
    return sorted({file.as_posix() for file in own_modules(root).values()})


def own_modules(root: Path) -> dict[str, Path]:
    """Return the book's own modules that this process has imported, with their files from `root`.

    Its own are those in the book's folder `root`, without what is installed there, and without the
    builder: how a chapter is built is not what it says.
    """
    files = {
        name: Path(_real_folder(os.path.dirname(file)), os.path.basename(file))
        for name, module in list(sys.modules.items())
        if _is_path(file := getattr(module, "__file__", None)) and not name.startswith(BUILDER)
    }
    inside = {n: file.relative_to(root) for n, file in files.items() if file.is_relative_to(root)}
    return {name: file for name, file in inside.items() if not _is_installed(file)}


def _is_path(file: Any) -> TypeGuard[str]:
    """Whether a module's `__file__` is a path: torch calls that of `torch.ops` `_ops.py`."""
    return isinstance(file, str) and os.path.isabs(file)


def _is_installed(relative: Path) -> bool:
    return any(
        part.startswith((".", "_build")) or part in ("site-packages", "__pycache__")
        for part in relative.parts
    )


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.suffix == ".py" else ""
    except OSError:
        return ""


def libraries(sources: Iterable[str], own: Iterable[str] = ()) -> dict[str, str]:
    """Return the distributions that these sources import and this process has, with versions.

    Their lines are searched: parsing a book's modules would cost each chapter a tenth of a second.
    """
    found = {name for source in sources for name in _imported(source)}
    names = (found & set(sys.modules)) - sys.stdlib_module_names - set(own)
    distributions = filter(None, map(_distribution, sorted(names)))
    return {name: importlib.metadata.version(name) for name in distributions}


def _imported(source: str) -> Iterator[str]:
    for package, names in IMPORT.findall(source):
        for name in [package] if package else names.split(","):
            yield name.strip().partition(" ")[0].partition(".")[0]


def _distribution(module: str) -> str | None:
    """Return the distribution that a top-level module comes from."""
    try:
        importlib.metadata.version(module)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return _other_name(module)
    return module


@functools.cache
def _other_name(module: str) -> str | None:
    """Return the distribution of a module that has another name, as PyYAML is yaml's."""
    for distribution in importlib.metadata.distributions():
        if module in (distribution.read_text("top_level.txt") or "").split():
            return str(distribution.metadata["Name"])
    return None
