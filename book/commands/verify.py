"""`python -m book verify`: published runs trained again, compared with their records, re-stamped.

What "agree" means is said in `book.commands.agreement`; a record that agrees is stamped with
today's training code. With `--equivalence`, `book.commands.equivalence` judges that code instead.
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
from book.commands import equivalence
from book.commands.agreement import AGREES, EARNS, TOLERANCE, Judge, elsewhere
from book.commands.checks import IMPOSSIBLE, Check, report, titles
from book.commands.published import Published, Readable, load_data
from book.commands.retraining import Place, Start, retrain, retrain_start
from book.commands.sample import MINUTES
from book.commands.spread import Spreads
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
    outdated = "only runs by code that is neither today's nor shown to be as good"
    command.add_argument("--outdated", action="store_true", help=outdated)
    epochs = "only the first N epochs of each"
    command.add_argument("--epochs", type=positive, metavar="N", help=epochs)
    seed = "draw the sample that S gives (default: a new one)"
    command.add_argument("--seed", type=int, metavar="S", help=seed)
    device = "where to train (default: cuda when there is one; with --equivalence cpu)"
    command.add_argument("--device", choices=("cpu", "cuda"), help=device)
    dry = "say what would be trained, and how long that took when it was recorded"
    command.add_argument("--dry-run", action="store_true", help=dry)
    equal = (
        "judge whether today's code is as good as that of the records, from a sample of each "
        "network, normalization and schedule, at least N, and certify it"
    )
    command.add_argument("--equivalence", action="store_true", help=equal)
    minutes = f"with --equivalence: cut the sample's longest runs to M minutes ({MINUTES})"
    command.add_argument("--minutes", type=positive, metavar="M", help=minutes)


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
        BookError: The options say nothing together.
        SpecError: The device is not there.
    """
    _check(options)
    require_device(options.device)
    if options.equivalence:
        return equivalence.run(options)
    published = Published.of(settings.store())
    groups = candidates(options, published)
    if options.outdated and not any(groups):
        print("verified: the code of all these runs is today's or shown to be as good")
        return 0
    keys, drawn = chosen(options, groups)
    found = published.read(keys)
    print(f"{plan(found, options.epochs)}{drawn}\n{TOLERANCE}", file=sys.stderr, flush=True)
    if options.dry_run:
        return 0
    load_data(found)
    here = Place.here(options.device)
    if told := told_elsewhere(found, here):
        print(told, file=sys.stderr, flush=True)
    judge = Judge.of(Spreads(published.readable()), len(found))
    return _concluded(Verification(published.folder, here, judge, options.epochs), found)


def _check(options: argparse.Namespace) -> None:
    """Refuse options that say nothing together.

    Raises:
        BookError: There are such.
    """
    given = {
        "CHAPTER": bool(options.chapters),
        "--all": options.all,
        "--seed": options.seed is not None,
    }
    if options.equivalence and any(given.values()):
        names = ", ".join(name for name, there in given.items() if there)
        raise BookError(f"expected --equivalence without {names}: it chooses its own sample")
    if options.minutes and not options.equivalence:
        raise BookError("expected --minutes with --equivalence only")


def _concluded(verification: Verification, found: Mapping[str, Readable]) -> int:
    """Verify all, and tell what was found out, be it interrupted; return the exit status."""
    checks: list[Check] = []
    try:
        checks.extend(verification.verify_all(found))
    finally:
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


def plan(found: Mapping[str, Readable], epochs: int | None = None) -> str:
    """Return what is about to be done, and how long it took when it was recorded."""
    made = [record.provenance for record in found.values() if isinstance(record, Record)]
    seconds = sum(sum(one.epoch_seconds[:epochs]) for one in made)
    count = "1 run" if len(made) == 1 else f"{len(made)} runs"
    extent = {None: "", 1: ", the first epoch of each"}.get(
        epochs, f", the first {epochs} epochs of each"
    )
    return f"retraining {count}{extent}; as recorded, that takes {clock(seconds)}"


def told_elsewhere(found: Mapping[str, Readable], here: Place) -> str:
    """Return why bits of how many runs cannot be compared here; nothing where all can."""
    known = [record for record in found.values() if isinstance(record, Record)]
    reasons = {record.key: elsewhere(record, here) for record in known}
    count = sum(map(bool, reasons.values()))
    words = "; ".join(sorted({reason for found in reasons.values() for reason in found}))
    if not count:
        return ""
    return (
        f"the bits of {count} of {len(known)} runs cannot be compared here, for they were trained "
        f"{words}: within tolerance is all that can be told"
    )


@dataclass(frozen=True)
class Verification:
    """How runs are verified: where, by whose judgement, for how many epochs (None: all).

    Records that agree are stamped in `folder`.
    """

    folder: Path
    here: Place
    judge: Judge
    epochs: int | None = None

    def verify_all(self, found: Mapping[str, Readable]) -> Iterator[Check]:
        """Yield each check as soon as it is known, with live progress on stderr."""
        known = [record.spec for record in found.values() if isinstance(record, Record)]
        names = {spec.key: name for spec, name in zip(known, titles(known), strict=True)}
        for number, (key, record) in enumerate(found.items(), start=1):
            if isinstance(record, CorruptRecord):
                yield Check(key, None, None, IMPOSSIBLE, str(record))
                continue
            progress = live()
            seconds = clock(sum(record.provenance.epoch_seconds[: self.epochs]))
            told = f"run {key}, {seconds} as recorded: {names[key]}"
            progress.note(f"{number}/{len(found)}: {told}")
            yield self.verify(record, progress)

    def verify(self, record: Record, progress: Progress) -> Check:
        """Train a run again, compare, and re-stamp its record if it agrees and is outdated."""
        try:
            retrained = self._retrained(record, progress)
        except (SpecError, DataError) as error:  # today's networks or data are not the record's
            return Check(record.key, record, None, IMPOSSIBLE, " ".join(str(error).split()))
        verdict, reason = self.judge.verdict(record, retrained)
        stamp = verdict in EARNS and not records.is_current(record)
        if stamp:
            records.write(restamped(record, verdict, self.here.device_name), self.folder)
        return Check(record.key, record, retrained, verdict, reason, stamp)

    def _retrained(self, record: Record, progress: Progress) -> Record | Start:
        if self.epochs is None:
            return retrain(record, progress, self.here.device)
        return retrain_start(record, self.epochs, progress, self.here.device)


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
