"""`python -m book verify`: published runs trained again, compared with their records, re-stamped.

What "agree" means is said in `book.commands.agreement`; a record that agrees is stamped with
today's training code.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from book import settings
from book.builder.chapters import find_book, named
from book.builder.errors import BookError
from book.commands.agreement import AGREES, TOLERANCE, judge, judge_start
from book.commands.checks import IMPOSSIBLE, Check, report
from book.commands.published import Published, Readable
from book.commands.retraining import device_name, retrain, retrain_start
from models import records
from models.data.sources import DataError
from models.fingerprint import code_fingerprint
from models.progress import Progress, clock, live
from models.records import CorruptRecord, Record
from models.runs.obtain import require_device
from models.specs import SpecError


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare which runs to verify, and how."""
    only = "only the runs of these chapters"
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help=only)
    extent = command.add_mutually_exclusive_group()
    sample = "N runs in all (default: one of each chapter)"
    extent.add_argument("--sample", type=positive, metavar="N", help=sample)
    extent.add_argument("--all", action="store_true", help="every run")
    outdated = "only runs that other code than today's has trained"
    command.add_argument("--outdated", action="store_true", help=outdated)
    epochs = "only the first N epochs of each, which must have the same bits"
    command.add_argument("--epochs", type=positive, metavar="N", help=epochs)
    seed = "draw the sample that S gives (default: a new one)"
    command.add_argument("--seed", type=int, metavar="S", help=seed)
    device = "where to train (default: cuda when there is one)"
    command.add_argument("--device", choices=("cpu", "cuda"), help=device)


def positive(text: str) -> int:
    """Return a whole number from 1 on.

    Raises:
        argparse.ArgumentTypeError: The text is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def main(options: argparse.Namespace) -> int:
    """Verify the runs that were asked for; return 0 when all agree, 1 when some do not.

    Raises:
        SpecError: The device is not there.
    """
    require_device(options.device)
    published = Published.of(settings.store())
    groups = candidates(options, published)
    if options.outdated and not any(groups):
        print("verified: none of these runs was trained by other code than today's")
        return 0
    keys, drawn = chosen(options, groups)
    found = published.read(keys)
    print(f"{plan(found)}{drawn}\n{TOLERANCE}", file=sys.stderr, flush=True)
    load_data(found)
    verification = Verification(published.folder, options.device, options.epochs)
    checks: list[Check] = []
    try:
        checks.extend(verification.verify_all(found))
    finally:  # what was found out until an interruption is told all the same
        if checks:
            print(report(checks))
    return 0 if all(check.verdict in AGREES for check in checks) else 1


def candidates(options: argparse.Namespace, published: Published) -> list[list[str]]:
    """Return the published runs that may be verified: those of each chapter, then the others."""
    chapters = named(find_book(Path.cwd(), published=True).chapters(), options.chapters)
    groups = published.used(chapters) if options.chapters else published.all(chapters)
    return outdated(groups, published) if options.outdated else groups


def chosen(options: argparse.Namespace, groups: Sequence[Sequence[str]]) -> tuple[list[str], str]:
    """Return the runs to verify, and words on how they were drawn.

    Raises:
        BookError: There is none.
    """
    keys = sorted({key for group in groups for key in group})
    if not keys:
        raise BookError(
            "none of these chapters uses a published run: python -m book publish CHAPTER"
        )
    if options.all:
        return keys, ""
    seed = random.randrange(10_000) if options.seed is None else options.seed
    words = f" (of {len(keys)} published, drawn with --seed {seed})"
    return draw(groups, seed, options.sample), words


def outdated(groups: Sequence[Sequence[str]], published: Published) -> list[list[str]]:
    """Return of each group the runs of other training code, or whose record is unbelievable."""
    found = published.read({key for group in groups for key in group})
    old = {
        key
        for key, one in found.items()
        if isinstance(one, CorruptRecord) or not records.is_current(one)
    }
    return [[key for key in group if key in old] for group in groups]


def draw(groups: Sequence[Sequence[str]], seed: int, sample: int | None = None) -> list[str]:
    """Return runs to verify: one of each group, or `sample` in all; the same ones for one seed.

    >>> draw([["a"], ["b"], []], seed=0)
    ['a', 'b']
    >>> draw([["a", "b"], ["b"]], seed=0, sample=5)
    ['a', 'b']
    """
    generator = random.Random(seed)
    if sample is None:
        return sorted({generator.choice(sorted(group)) for group in groups if group})
    keys = sorted({key for group in groups for key in group})
    return sorted(generator.sample(keys, min(sample, len(keys))))


def plan(found: Mapping[str, Readable]) -> str:
    """Return what is about to be done, and how long it took when it was recorded."""
    seconds = [record.provenance.seconds for record in found.values() if isinstance(record, Record)]
    count = "1 run" if len(seconds) == 1 else f"{len(seconds)} runs"
    return f"retraining {count}; as recorded, that takes {clock(sum(seconds))}"


def load_data(found: Mapping[str, Readable]) -> None:
    """Load each data set that the runs need once: a missing one is found before any training.

    Raises:
        DataError: A data set is missing or damaged.
    """
    from models.data.loading import load

    for name in sorted({one.spec.dataset for one in found.values() if isinstance(one, Record)}):
        load(name)


@dataclass(frozen=True)
class Verification:
    """How runs are verified: on which device, for how many epochs (None: all), stamped where."""

    folder: Path
    device: str | None = None
    epochs: int | None = None

    def verify_all(self, found: Mapping[str, Readable]) -> Iterator[Check]:
        """Yield each check as soon as it is known, with live progress on stderr."""
        for number, (key, record) in enumerate(found.items(), start=1):
            if isinstance(record, CorruptRecord):
                yield Check(key, None, None, IMPOSSIBLE, str(record))
                continue
            progress = live()
            seconds = clock(record.provenance.seconds)
            progress.note(f"{number}/{len(found)}: run {key}, {seconds} as recorded")
            yield self.verify(record, progress)

    def verify(self, record: Record, progress: Progress) -> Check:
        """Train a run again, compare, and re-stamp its record if it agrees and is outdated.

        When only its first epochs are trained, they must agree to the last bit.
        """
        try:
            verdict, reason, retrained = self._judged(record, progress)
        except (SpecError, DataError) as error:  # today's networks or data are not the record's
            return Check(record.key, record, None, IMPOSSIBLE, " ".join(str(error).split()))
        stamp = verdict in AGREES and not records.is_current(record)
        if stamp:
            records.write(restamped(record, verdict, device_name(self.device)), self.folder)
        return Check(record.key, record, retrained, verdict, reason, stamp)

    def _judged(self, record: Record, progress: Progress) -> tuple[str, str, Record | None]:
        if self.epochs is not None:
            start = retrain_start(record, self.epochs, progress, self.device)
            return *judge_start(record, start), None
        retrained = retrain(record, progress, self.device)
        return *judge(record, retrained), retrained


def restamped(record: Record, verdict: str, device: str) -> Record:
    """Return the record under today's code fingerprint, with a note of when and where it agreed.

    Its date and machine stay; its fingerprint then says which training code is known to give these
    numbers.
    """
    note = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": code_fingerprint(),
        "device": device,
        "verdict": verdict,
    }
    changes = {"code_fingerprint": code_fingerprint(), "verified": note}
    return record.model_copy(update={"provenance": record.provenance.model_copy(update=changes)})
