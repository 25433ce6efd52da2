"""`python -m book status`: what a build would do, why, and how long it took the last time.

Nothing is executed and torch is not loaded: it takes a moment.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from book.builder import stamps
from book.builder.chapters import Chapter, find_book, named
from book.report.training_runs import shown_equivalent
from models import records
from models.progress import clock
from models.records import CorruptRecord, Record

HEADERS = ("chapter", "state", "last took", "runs", "to train", "by other code")


@dataclass(frozen=True)
class Status:
    """A chapter's state, why it would be executed, and the runs that its last good execution used.

    `seconds` is what that execution took (None: there was none); `missing` runs would have to be
    trained; `older` ones were made by other training code than today's, or cannot be believed.
    """

    docname: str
    state: str
    causes: tuple[str, ...]
    seconds: float | None
    missing: int
    records: tuple[Record | None, ...]  # of the runs that are there; None where unbelievable

    @property
    def used(self) -> int:
        """How many runs the chapter used."""
        return self.missing + len(self.records)

    @property
    def older(self) -> int:
        """How many of them other training code has made."""
        return sum(record is None or not records.is_current(record) for record in self.records)


def main(options: argparse.Namespace) -> int:
    """Print the table; nothing but knowledge follows from it."""
    chosen = named(find_book(Path.cwd()).chapters(), options.chapters)
    print(report([status(chapter) for chapter in chosen], options.why))
    return 0


def status(chapter: Chapter) -> Status:
    """Return the state of one chapter: fresh, stale, failed, or never executed."""
    causes = chapter.causes()
    stamp = chapter.stamp()
    if chapter.failed.exists():
        state, causes = "failed", [*causes, *_error(chapter)]
    elif not chapter.executed.exists():
        state = "never executed"
    else:
        state = "stale" if causes else "fresh"
    found = [chapter.book.runs.locate(key) for key in stamp.runs] if stamp else []
    return Status(
        docname=chapter.docname,
        state=state,
        causes=tuple(causes),
        seconds=stamp.seconds if stamp else None,
        missing=found.count(None),
        records=tuple(_read(path) for path in found if path),
    )


def _error(chapter: Chapter) -> list[str]:
    """Return the last line of a failed execution's error, if it has one."""
    then = stamps.read(chapter.failed)
    return [then.last_line] if then and then.last_line else []


def _read(path: Path) -> Record | None:
    try:
        return records.read(path)
    except CorruptRecord:
        return None


def report(found: Sequence[Status], why: bool = False) -> str:
    """Return a table of the chapters, the causes if asked why, and last a line that sums up."""
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
    return "\n\n".join([*parts, *_equivalent(found), _sum(found)])


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else clock(seconds)


def _equivalent(found: Sequence[Status]) -> list[str]:
    """Return a line on the runs by an earlier form of the training code, if there are any."""
    used = {record.key: record for one in found for record in one.records if record}
    words = shown_equivalent(list(used.values()))
    return [f"shown equivalent: {words}"] if words else []


def _sum(found: Sequence[Status]) -> str:
    """Return how many chapters a build would execute, and how long that may take."""
    due = [one for one in found if one.causes]
    if not due:
        return f"all {len(found)} chapters are fresh"
    known = [one.seconds for one in due if one.seconds is not None]
    parts = [f"about {clock(sum(known))} as the last time"] if known else []
    if len(known) < len(due):
        parts.append(f"{len(due) - len(known)} of them never timed")
    return f"{len(due)} of {len(found)} chapters would execute: {', '.join(parts)}"
