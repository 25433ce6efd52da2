"""`python -m book status`: what a build would do, why, and how long it took the last time.

Nothing is executed and torch is not loaded: it takes a moment.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from book import settings
from book.builder import environment, staleness, stamps
from book.builder.chapters import Chapter, find_book, named
from book.builder.stamps import Stamp
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
    drift: tuple[str, ...] = ()  # the libraries that have another version now, in words

    @property
    def used(self) -> int:
        """How many runs the chapter used."""
        return self.missing + len(self.records)

    @property
    def older(self) -> int:
        """How many of them other training code has made."""
        return sum(record is None or not records.is_current(record) for record in self.records)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the chapters, and what to say of them."""
    command.description = (
        f"{command.description}. Runs: the trainings that a chapter uses; to train: those of them "
        "that have no record; by other code: those that other training code than today's has made."
    )
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help="only these chapters")
    command.add_argument("--why", action="store_true", help="say what made each chapter stale")
    check = "exit with status 1 when a build would execute one of them"
    command.add_argument("--check", action="store_true", help=check)


def main(options: argparse.Namespace) -> int:
    """Print the table; return 1 when asked to check and a chapter would be executed, else 0."""
    chosen = named(find_book(Path.cwd()).chapters(), options.chapters)
    found = [status(chapter) for chapter in chosen]
    print(report(found, options.why))
    return int(options.check and any(one.causes for one in found))


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
        seconds=chapter.seconds(),
        missing=found.count(None),
        records=tuple(_read(path) for path in found if path),
        drift=tuple(_drift(stamp)) if stamp else (),
    )


def _error(chapter: Chapter) -> list[str]:
    """Return the last line of a failed execution's error, if it has one."""
    then = stamps.read(chapter.failed)
    return [then.last_line] if then and then.last_line else []


def _drift(stamp: Stamp) -> Iterator[str]:
    for name, (then, now) in staleness.drift(stamp).items():
        yield f"{name} {then} then, {now or 'none'} now"


def _read(path: Path) -> Record | None:
    try:
        return settings.store().read(path)
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
    return "\n\n".join([*parts, *_equivalent(found), *_drifted(found), _sum(found)])


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else clock(seconds)


def _equivalent(found: Sequence[Status]) -> list[str]:
    """Return a line on the runs by an earlier form of the training code, if there are any."""
    used = {record.key: record for one in found for record in one.records if record}
    words = shown_equivalent(list(used.values()))
    return [f"shown equivalent: {words}"] if words else []


def _drifted(found: Sequence[Status]) -> list[str]:
    """Return a line on libraries that fresh chapters were executed with in other versions."""
    changed = [word for one in found if not one.causes for word in one.drift]
    words = ", ".join(dict.fromkeys(changed))
    return [f"{words}: not executed for that; python -m book build --force"] if words else []


def _sum(found: Sequence[Status]) -> str:
    """Return how many chapters a build would execute, and how long that may take."""
    due = [one for one in found if one.causes]
    if not due:
        return f"all {len(found)} chapters are fresh" if len(found) > 1 else "the chapter is fresh"
    known = [one.seconds for one in due if one.seconds is not None]
    share = min(environment.workers() or environment.cores(), len(due))
    at_once = f", {share} at once" if share > 1 else ""
    took = f"about {clock(wall_time(known, share))} as the last time{at_once}, and then the pages"
    parts = [took] if known else []
    if len(known) < len(due):
        parts.append(f"{len(due) - len(known)} of them never timed")
    return f"{len(due)} of {len(found)} chapters would execute: {'; '.join(parts)}"


def wall_time(seconds: Iterable[float], workers: int) -> float:
    """Return how long workers take for tasks of known length, the longest first.

    >>> wall_time([3, 4, 2, 2], workers=2)
    6.0
    """
    busy = [0.0] * workers
    for length in sorted(seconds, reverse=True):
        busy[busy.index(min(busy))] += length
    return max(busy)
