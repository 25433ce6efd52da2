"""Re-earning published numbers: runs trained again, compared with their records, and re-stamped
where they agree.

What "agree" means is said in `book.commands.agreement`. Training happens in a cache of its own:
nothing that was trained before is used, neither a record nor a checkpoint.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tabulate import tabulate

from book.builder.chapters import Chapter
from book.commands import publish
from book.commands.agreement import AGREES, judge, judge_start
from models import records
from models.data.sources import DataError
from models.fingerprint import code_fingerprint
from models.progress import Progress, clock, live, title
from models.records import CorruptRecord, Epoch, Record
from models.runs.store import Store
from models.specs import SpecError

IMPOSSIBLE = "NOT RETRAINED"  # the verdict on a run that today's code or data cannot give


@dataclass(frozen=True)
class Check:
    """A published run, what training it again gave, and what follows; `reason` says why it does not
    agree.
    """

    key: str
    record: Record | None
    retrained: Record | None
    verdict: str
    reason: str = ""
    restamped: bool = False


def published_runs(chapters: Sequence[Chapter]) -> list[list[str]]:
    """The published runs of each chapter, executed now where its executed copy is stale.

    Raises:
        ChapterFailed: With the last line of the chapter's error.
    """
    published = publish.published_records()
    return [[key for key in publish.used_runs(chapter) if key in published] for chapter in chapters]


def all_published(chapters: Sequence[Chapter]) -> list[list[str]]:
    """All published runs: those of each chapter's last execution here, then those that none of them
    used.
    """
    published = publish.published_records()
    stamps = [chapter.stamp() or {"runs": {}} for chapter in chapters]
    used = [[key for key in stamp["runs"] if key in published] for stamp in stamps]
    return [*used, [path.stem for path in publish.unused(chapters)]]


def outdated(groups: Sequence[Sequence[str]]) -> list[list[str]]:
    """Of each group, the runs that were trained by other code than today's, or whose record cannot
    be believed.
    """
    found = read([key for group in groups for key in group])
    old = {
        key
        for key, one in found.items()
        if isinstance(one, CorruptRecord) or not records.is_current(one)
    }
    return [[key for key in group if key in old] for group in groups]


def draw(groups: Sequence[Sequence[str]], seed: int, sample: int | None = None) -> list[str]:
    """Runs to verify: one of each group (of each chapter's runs), or `sample` in all; the same ones
    for one seed.

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
    """Published records by key; the error in place of one that cannot be believed, or whose spec is
    none any more.
    """
    found = publish.published_records()
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
    """Load each data set that the runs need once, so that a missing one is found before any
    training.

    Raises:
        models.data.sources.DataError: A data set is missing or damaged.
    """
    from models.data.loading import load

    for name in sorted(
        {record.spec.dataset for record in found.values() if isinstance(record, Record)}
    ):
        load(name)


def verify_all(
    found: Mapping[str, Record | CorruptRecord],
    device: str | None = None,
    epochs: int | None = None,
) -> Iterator[Check]:
    """Verify one run after the other, with live progress on stderr; each check comes as soon as it
    is known.
    """
    for number, (key, record) in enumerate(found.items(), start=1):
        if isinstance(record, CorruptRecord):
            yield Check(key, None, None, IMPOSSIBLE, str(record))
            continue
        progress = live()
        progress.note(
            f"{number}/{len(found)}: run {key}, {clock(record.provenance.seconds)} as recorded"
        )
        yield verify(record, progress, device, epochs)


def verify(
    record: Record, progress: Progress, device: str | None = None, epochs: int | None = None
) -> Check:
    """Train a published run again, compare, and re-stamp its record if it agrees and other code had
    made it.

    With `epochs`, only so many are trained, and they must agree to the last bit.
    """
    retrained = None
    try:
        if epochs is None:
            retrained = retrain(record, progress, device)
            verdict, reason = judge(record, retrained)
        else:
            verdict, reason = judge_start(record, retrain_start(record, epochs, progress, device))
    except (SpecError, DataError) as error:  # today's networks or data are not those of the record
        return Check(record.key, record, None, IMPOSSIBLE, " ".join(str(error).split()))
    outdated = verdict in AGREES and not records.is_current(record)
    if outdated:
        records.write(restamped(record, verdict, here(device)), publish.published_folder())
    return Check(record.key, record, retrained, verdict, reason, outdated)


def here(device: str | None) -> str:
    """The name of the processor or GPU that trains."""
    import torch

    from models.runs.making import default_device, device_name

    return device_name(torch.device(device or default_device()))


def retrain(record: Record, progress: Progress, device: str | None = None) -> Record:
    """Train a record's run from nothing, in a store of its own, with as many threads as then if
    there are so many.
    """
    from models.runs.making import make

    with (
        TemporaryDirectory(prefix="convbook-verify-") as folder,
        _threads(record.provenance.threads),
    ):
        return make(record.spec, Store(Path(folder)), progress, device)


def retrain_start(
    record: Record, epochs: int, progress: Progress, device: str | None = None
) -> list[Epoch]:
    """The first epochs of a record's run, trained from nothing; no file is read or written but the
    data.
    """
    from models.runs.making import data_of, default_device
    from models.training.loop import Training
    from models.training.probes import attach

    with _threads(record.provenance.threads):
        training = Training(record.spec, data_of(record.spec), device or default_device(), progress)
        attach(training)
        progress.start(record.spec, 0)
        try:
            return list(itertools.islice(training.epochs(), epochs))
        finally:
            progress.close()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(count, os.cpu_count() or 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def restamped(record: Record, verdict: str, device_name: str) -> Record:
    """The record under today's code fingerprint, with a note of when and where it was verified;
    date and machine stay.

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


HEADERS = (
    "run",
    "what",
    "epochs",
    "recorded",
    "retrained",
    "difference",
    "verdict",
    "re-stamped",
    "time then",
    "now",
)


def report(checks: Sequence[Check]) -> str:
    """A table of all checks, with the final test accuracies, then a line for each that does not
    agree.
    """
    align = ("left", "left", "right", "right", "right", "right", "left", "left", "right", "right")
    table = tabulate(
        [_row(check) for check in checks], HEADERS, colalign=align, disable_numparse=True
    )
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
        *(
            clock(record.provenance.seconds) if record else "–"
            for record in (check.record, check.retrained)
        ),
    ]


def _accuracy(record: Record | None) -> float | None:
    return record.diagnostics.get("test_accuracy", record.final.test_accuracy) if record else None
