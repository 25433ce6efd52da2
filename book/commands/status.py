"""What a build would do, without doing it: which chapters it would execute, why, and how long that
took the last time.

Nothing is executed and torch is not loaded: it takes a moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from tabulate import tabulate

from book.builder import staleness
from book.builder.chapters import Chapter
from models import records
from models.progress import clock
from models.records import CorruptRecord
from models.runs.store import Store

HEADERS = ("chapter", "state", "last took", "runs", "to train", "by other code")


@dataclass(frozen=True)
class Status:
    """A chapter's state, why it would be executed, and the runs that its last good execution used.

    `seconds` is what that execution took (None: there was none); `missing` runs would have to be
    trained, and `older` ones were made by other training code than today's.
    """

    docname: str
    state: str
    causes: tuple[str, ...]
    seconds: float | None
    used: int
    missing: int
    older: int


def status(chapter: Chapter) -> Status:
    """The state of one chapter: fresh, stale, failed, or never executed."""
    causes = chapter.causes()
    stamp = chapter.stamp()
    if chapter.failed.exists():
        state, causes = "failed", [*causes, *_error(chapter)]
    elif not chapter.executed.exists():
        state = "never executed"
    else:
        state = "stale" if causes else "fresh"
    found = [Store.default().locate(key) for key in stamp["runs"]] if stamp else []
    return Status(
        docname=chapter.docname,
        state=state,
        causes=tuple(causes),
        seconds=stamp["seconds"] if stamp else None,
        used=len(found),
        missing=found.count(None),
        older=sum(_is_older(path) for path in found if path),
    )


def _error(chapter: Chapter) -> list[str]:
    """The last line of a failed execution's error."""
    stamp = nbformat.read(chapter.failed, as_version=4).metadata.get(staleness.STAMP, {})
    return str(stamp.get("error") or "").strip().splitlines()[-1:]


def _is_older(path: Path) -> bool:
    try:
        return not records.is_current(records.read(path))
    except CorruptRecord:
        return True


def report(found: Sequence[Status], why: bool = False) -> str:
    """A table of the chapters, the causes below it when asked why, and a last line that sums up."""
    rows = [
        (one.docname, one.state, _time(one.seconds), one.used, one.missing, one.older)
        for one in found
    ]
    parts = [tabulate(rows, HEADERS, colalign=("left", "left", "right", "right", "right", "right"))]
    if why:
        parts += [
            "\n".join([f"{one.docname}:", *(f"  {cause}" for cause in one.causes)])
            for one in found
            if one.causes
        ]
    return "\n\n".join([*parts, _sum(found)])


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else clock(seconds)


def _sum(found: Sequence[Status]) -> str:
    """How many chapters a build would execute, and how long that may take."""
    due = [one for one in found if one.causes]
    if not due:
        return f"all {len(found)} chapters are fresh"
    known = [one.seconds for one in due if one.seconds is not None]
    parts = [f"about {clock(sum(known))} as the last time"] if known else []
    if len(known) < len(due):
        parts.append(f"{len(due) - len(known)} of them never timed")
    return f"{len(due)} of {len(found)} chapters would execute: {', '.join(parts)}"
