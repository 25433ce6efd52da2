"""Re-earning published numbers: runs trained again, compared with their records, and re-stamped where they agree.

A run trained again comes out in one of three ways.

identical
    History, learned parameters and diagnostics agree to the last bit. That is what the same processor, threads,
    versions and training code must give in fp32: there, anything else counts as different.
within tolerance
    Elsewhere sums are rounded in another order, and over thousands of steps that grows until the run is as good as
    another draw. Then the final accuracies may differ by 4 binomial standard errors of a difference,
    sqrt(2 p (1 - p) / n) with n judged examples (a chance of 1 in 16,000), and the final training losses by 25 % of
    the recorded one or by 0.02 nats, whichever is more (near zero, a quarter of a loss is nothing).
DIFFERS
    Anything else.

Comparing looks at both places of a record that say how a run ended: its last epoch, and its diagnostics.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tabulate import tabulate

from book import publishing
from book.builder.chapters import Chapter
from models import records, runs
from models.datasets import DATASETS
from models.fingerprint import code_fingerprint
from models.folders import cache_folder
from models.progress import Progress, clock, live, title
from models.records import CorruptRecord, Record
from models.sources import DataError
from models.specs import SpecError

STANDARD_ERRORS = 4
LOSS_SHARE = 0.25  # of the recorded training loss
LOSS_FLOOR = 0.02  # nats
TOLERANCE = (
    "identical: same bits, a must with the same processor, threads, versions and code in fp32; elsewhere within "
    f"tolerance: final accuracies differ by at most {STANDARD_ERRORS} binomial standard errors, final training losses "
    f"by {LOSS_SHARE:.0%} or {LOSS_FLOOR}"
)

IDENTICAL = "identical"
WITHIN = "within tolerance"
DIFFERS = "DIFFERS"
IMPOSSIBLE = "NOT RETRAINED"
AGREES = (IDENTICAL, WITHIN)


@dataclass(frozen=True)
class Check:
    """A published run, what training it again gave, and what follows; `reason` says why it does not agree."""

    key: str
    record: Record | None
    retrained: Record | None
    verdict: str
    reason: str = ""
    restamped: bool = False


def published_runs(chapters: Sequence[Chapter]) -> list[list[str]]:
    """The published runs of each chapter, executed now where its executed copy is stale.

    Raises
    ------
    ChapterFailed
        With the last line of the chapter's error.
    """
    published = publishing.published_records()
    return [[key for key in publishing.used_runs(chapter) if key in published] for chapter in chapters]


def all_published(chapters: Sequence[Chapter]) -> list[list[str]]:
    """All published runs: those of each chapter's last execution here, then those that none of them used."""
    published = publishing.published_records()
    stamps = [chapter.stamp() or {"runs": {}} for chapter in chapters]
    used = [[key for key in stamp["runs"] if key in published] for stamp in stamps]
    return [*used, [path.stem for path in publishing.unused(chapters)]]


def draw(groups: Sequence[Sequence[str]], seed: int, sample: int | None = None) -> list[str]:
    """Runs to verify: one of each group (of each chapter's runs), or `sample` in all; the same ones for one seed.

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


def read(keys: Sequence[str]) -> dict[str, Record | CorruptRecord]:
    """Published records by key; the error in place of one that cannot be believed, or whose spec is none any more."""
    found = publishing.published_records()
    return {key: _read(found[key]) for key in keys}


def _read(path: Path) -> Record | CorruptRecord:
    try:
        return records.read(path)
    except CorruptRecord as error:
        return error


def plan(found: Mapping[str, Record | CorruptRecord]) -> str:
    """What is about to be done, and how long it took when it was recorded."""
    seconds = [record.provenance.seconds for record in found.values() if isinstance(record, Record)]
    runs_ = "1 run" if len(seconds) == 1 else f"{len(seconds)} runs"
    return f"retraining {runs_}; as recorded, that takes {clock(sum(seconds))}"


def load_data(found: Mapping[str, Record | CorruptRecord]) -> None:
    """Load each data set that the runs need once, so that a missing one is found before any training.

    Raises
    ------
    models.sources.DataError
        A data set is missing or damaged.
    """
    from models.data import load

    for name in sorted({record.spec.dataset for record in found.values() if isinstance(record, Record)}):
        load(name)


def verify_all(found: Mapping[str, Record | CorruptRecord], device: str | None = None) -> Iterator[Check]:
    """Verify one run after the other, with live progress on stderr; each check comes as soon as it is known."""
    for key, record in found.items():
        if isinstance(record, CorruptRecord):
            yield Check(key, None, None, IMPOSSIBLE, str(record))
        else:
            yield verify(record, live(), device)


def verify(record: Record, progress: Progress, device: str | None = None) -> Check:
    """Train a published run again, compare, and re-stamp its record if it agrees and other code had made it."""
    try:
        retrained = retrain(record, progress, device)
    except (SpecError, DataError) as error:  # today's networks or data are not those of the record
        return Check(record.key, record, None, IMPOSSIBLE, " ".join(str(error).split()))
    verdict, reason = judge(record, retrained)
    outdated = verdict in AGREES and not records.is_current(record)
    if outdated:
        records.write(restamped(record, verdict, retrained.provenance.device_name), runs.published_folder())
    return Check(record.key, record, retrained, verdict, reason, outdated)


def retrain(record: Record, progress: Progress, device: str | None = None) -> Record:
    """Train a record's run from nothing, in a cache of its own, with as many threads as then if there are so many."""
    from models.making import make

    with _own_cache() as cache, _threads(record.provenance.threads):
        return make(record.spec, cache / "runs", progress, device)


@contextmanager
def _own_cache() -> Iterator[Path]:
    """An empty cache folder, so that neither a record nor a checkpoint is found; but the data are those of the user."""
    data = cache_folder() / "data"
    before = os.environ.get("CONVBOOK_CACHE")
    with TemporaryDirectory(prefix="convbook-verify-") as folder:
        if data.is_dir():
            Path(folder, "data").symlink_to(data, target_is_directory=True)
        os.environ["CONVBOOK_CACHE"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["CONVBOOK_CACHE"]
            else:
                os.environ["CONVBOOK_CACHE"] = before


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(count, os.cpu_count() or 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def judge(recorded: Record, retrained: Record) -> tuple[str, str]:
    """The verdict on a run trained again, and why, if it does not agree."""
    if _outcome(recorded, recorded) == _outcome(retrained, recorded):
        return IDENTICAL, ""
    if must_be_identical(recorded, retrained):
        return DIFFERS, "same processor, threads, versions and code, but not the same bits"
    found = differences(recorded, retrained)
    return (DIFFERS, "; ".join(found)) if found else (WITHIN, "")


def _outcome(record: Record, like: Record) -> dict[str, Any]:
    """What a record says of its run, as strict JSON would; of its diagnostics, those that `like` has too."""
    content = json.loads(records.dumps(record))
    content["diagnostics"] = {name: value for name, value in content["diagnostics"].items() if name in like.diagnostics}
    return {part: content[part] for part in ("diverged", "history", "parameters", "diagnostics")}


def must_be_identical(recorded: Record, retrained: Record) -> bool:
    """Whether both were made in one setting: processor, threads, versions and training code, in fp32."""
    return recorded.spec.precision == "fp32" and _setting(recorded) == _setting(retrained)


def _setting(record: Record) -> tuple[Any, ...]:
    made = record.provenance
    versions = {name: version for name, version in made.versions.items() if name != "convbook"}
    return made.code_fingerprint, made.device, made.device_name, made.threads, made.platform, versions


def differences(recorded: Record, retrained: Record) -> list[str]:
    """How the ends of two trainings differ by more than the tolerance, in words; two that diverged end alike."""
    if recorded.diverged or retrained.diverged:
        return [] if recorded.diverged and retrained.diverged else ["only one of the two diverged"]
    ends = [(_end(recorded)[name], _end(retrained)[name], name) for name in _end(recorded)]
    return [text for old, new, name in ends if (text := _difference(recorded, name, old, new))]


def _end(record: Record) -> dict[str, Any]:
    """Final accuracies and training losses by name, those of the last epoch and those of the finished network."""
    names = ("test_accuracy", "validation_accuracy", "train_loss")
    epoch = {f"last epoch's {name}": getattr(record.final, name) for name in names}
    return epoch | {f"final {name}": record.diagnostics.get(name) for name in names}


def _difference(record: Record, name: str, old: float | None, new: float | None) -> str:
    """One difference in words; empty when it is within tolerance."""
    if old is None or new is None:
        return "" if old == new else f"{name}: recorded {old}, retrained {new}"
    if name.endswith("loss"):
        limit = max(LOSS_SHARE * old, LOSS_FLOOR)
    else:
        judged = record.spec.validation_size if "validation" in name else DATASETS[record.spec.dataset].test_size
        limit = accuracy_limit((old + new) / 2, judged)
    return "" if abs(new - old) <= limit else f"{name}: recorded {old:.4f}, retrained {new:.4f}, tolerance {limit:.4f}"


def accuracy_limit(accuracy: float, examples: int) -> float:
    """How much two accuracies around `accuracy`, each judged on so many examples, may differ by chance.

    >>> round(accuracy_limit(0.99, 10_000), 4)
    0.0056
    """
    p = min(max(accuracy, 1 / examples), 1 - 1 / examples)  # even at 0 or 1, one example more or less is chance
    return STANDARD_ERRORS * math.sqrt(2 * p * (1 - p) / examples)


def restamped(record: Record, verdict: str, device_name: str) -> Record:
    """The record under today's code fingerprint, with a note of when and where it was verified; date and machine stay.

    Its fingerprint then says which training code is known to give these numbers.
    """
    note = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": code_fingerprint(),
        "device": device_name,
        "verdict": verdict,
    }
    changes = {"code_fingerprint": code_fingerprint(), "verified": note}
    return record.model_copy(update={"provenance": record.provenance.model_copy(update=changes)})


HEADERS = ("run", "what", "epochs", "recorded", "retrained", "difference", "verdict", "re-stamped", "time then", "now")


def report(checks: Sequence[Check]) -> str:
    """A table of all checks, with the final test accuracies, then a line for each that does not agree."""
    align = ("left", "left", "right", "right", "right", "right", "left", "left", "right", "right")
    table = tabulate([_row(check) for check in checks], HEADERS, colalign=align, disable_numparse=True)
    reasons = [f"{check.key}: {check.reason}" for check in checks if check.reason]
    agree = sum(check.verdict in AGREES for check in checks)
    return "\n".join([table, "", *reasons, f"verified: {agree} of {len(checks)} agree"])


def _row(check: Check) -> list[str]:
    old, new = (_accuracy(record) for record in (check.record, check.retrained))
    return [
        check.key,
        title(check.record.spec) if check.record else "?",
        str(check.record.spec.epochs) if check.record else "?",
        "–" if old is None else f"{old:.4f}",
        "–" if new is None else f"{new:.4f}",
        "–" if old is None or new is None else f"{new - old:+.4f}",
        check.verdict,
        "yes" if check.restamped else "no",
        *(clock(record.provenance.seconds) if record else "–" for record in (check.record, check.retrained)),
    ]


def _accuracy(record: Record | None) -> float | None:
    return record.diagnostics.get("test_accuracy", record.final.test_accuracy) if record else None
