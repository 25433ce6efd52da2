"""What an executed copy was made from, as it stands in the copy's own metadata."""

import functools
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_origin, get_type_hints

NAME = "convbook"  # of the notebook metadata that hold it
FORMAT = 2


@dataclass(frozen=True)
class Stamp:
    """What an execution depended on, by digests, and how it went.

    `modules` are the book's own that it imported, `uses` what the chapter uses of them, `data`
    other files of the book that it read, and `written` those that it wrote, all by paths from the
    book's root. `libraries` are others' distributions with their versions.
    """

    code: str
    parameters: dict[str, Any]
    modules: dict[str, str | None]
    uses: dict[str, str]
    data: dict[str, str | None]
    environment: dict[str, str]
    runs: dict[str, str | None]
    libraries: dict[str, str]
    written: list[str]
    seconds: float
    date: str  # ISO 8601, UTC
    error: str | None = None  # with its traceback
    version: str = ""  # of the book
    commit: str = ""  # that was checked out, with `-dirty` where files differed from it

    @property
    def last_line(self) -> str | None:
        """The last line of the error, if there was one."""
        return self.error.strip().splitlines()[-1] if self.error and self.error.strip() else None

    def write(self, notebook: Any) -> None:
        """Write it into a notebook's metadata."""
        notebook.metadata[NAME] = {**asdict(self), "format": FORMAT}


def of(notebook: Any) -> Stamp | None:
    """Return a notebook's stamp; None without one of today's format."""
    try:
        content = dict(notebook["metadata"][NAME])
        if content.pop("format") != FORMAT:
            return None
        stamp = Stamp(**content)
    except (KeyError, TypeError, ValueError):
        return None
    hints = get_type_hints(Stamp)
    typed = (isinstance(getattr(stamp, f.name), _plain(hints[f.name])) for f in fields(Stamp))
    return stamp if all(typed) else None


def _plain(hint: Any) -> Any:
    """Return a type as `isinstance` takes it: without what a dictionary or list holds."""
    return get_origin(hint) if get_origin(hint) in (dict, list) else hint


def read(copy: Path) -> Stamp | None:
    """Return the stamp of an executed copy; None where it is gone, damaged or of another format."""
    try:
        facts = copy.stat()
        return _read(copy, facts.st_mtime_ns, facts.st_size, facts.st_ino)
    except OSError:
        return None


@functools.lru_cache(maxsize=256)
def _read(copy: Path, *state: int) -> Stamp | None:
    try:
        return of(json.loads(copy.read_bytes()))
    except (ValueError, RecursionError):
        return None
