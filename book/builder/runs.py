"""What a book tells its builder of the runs that its chapters use.

A run is something that was measured once, has a key, and left a record in a file. A chapter says
which ones it used (`book.builder.trace.show_runs`); the book says where their records lie and what
a page tells of them, through an object that `convbook_runs` names (see `book.builder.options`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """What a page tells of its runs: lines of its provenance box, and warnings before it."""

    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Runs:
    """The runs of a book that has none; a book with some overrides these methods."""

    def locate(self, key: str) -> Path | None:
        """Return the file of a run's record; None when there is none."""
        return None

    def files(self, key: str) -> Sequence[Path]:
        """Return the files that may hold a run's record, unread, the first one to look at first."""
        path = self.locate(key)
        return [path] if path else []

    def origin(self, keys: Sequence[str]) -> Origin:
        """Return what a page tells of the runs with these keys; a missing record is no error."""
        return Origin()

    def state(self) -> str:
        """Return what `origin` depends on beside records; when it changes, pages are read anew."""
        return ""
