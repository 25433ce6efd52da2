"""`python -m book certify COMMIT`: that today's training code gives the same bits as a commit's.

Both train the first epoch of some published runs, side by side on this machine. If not a bit
differs, a certificate is written (see `models.equivalence`): records by the commit's code then
count as current. Thousands of steps lie in an epoch, each built on the one before, so other
arithmetic would show.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from tabulate import tabulate

from book import settings
from book.builder.errors import BookError
from book.commands.published import Published, load_data
from book.commands.trees import HERE, FirstEpoch, Tree, tree_of
from models import equivalence
from models.evidence import BitCertificate, ComparedRun
from models.fingerprint import code_fingerprint
from models.networks.architectures import ARCHITECTURES
from models.progress import clock, title
from models.records import Record
from models.specs import RunSpec
from models.sweeps.cores import available_cores

ANY_VALUE = ("dataset_digest", "seed")  # fields of which one value is as good as another
COLUMNS = {"run": "left", "what": "left", "then": "right", "today": "right", "bits": "left"}


@dataclass(frozen=True)
class Comparison:
    """A run's first epoch by the old form of the code and by today's."""

    record: Record
    old: FirstEpoch
    new: FirstEpoch

    @property
    def differing(self) -> list[str]:
        """The columns of the history that differ, and `weights` if those do; none of equal bits."""
        columns = sorted({*self.old.history, *self.new.history})
        found = [name for name in columns if _text(self.old, name) != _text(self.new, name)]
        same = self.old.weights_sha256 == self.new.weights_sha256
        return found if same else [*found, "weights"]


def _text(epoch: FirstEpoch, name: str) -> str:
    return json.dumps(epoch.history.get(name), sort_keys=True, allow_nan=False)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the commit, and what is left out."""
    what = "a revision of this repository, as git names it"
    command.add_argument("commit", metavar="COMMIT", help=what)
    without = "leave this network's runs out: nothing is then certified of it; may be repeated"
    command.add_argument(
        "--without",
        action="append",
        choices=tuple(ARCHITECTURES),
        default=[],
        metavar="NETWORK",
        help=without,
    )


def main(options: argparse.Namespace) -> int:
    """Compare, and certify; return 0 when all bits are the same, 1 when some are not."""
    published = Published.of(settings.store()).readable()
    runs = covering(one for one in published if one.spec.network not in options.without)
    if not runs:
        raise BookError("expected published runs to train anew, but there is none")
    load_data({record.key: record for record in runs})
    with tree_of(options.commit) as old:
        fingerprint = old.fingerprint()
        if fingerprint == code_fingerprint():
            print(f"nothing to certify: {options.commit} has today's training code")
            return 0
        print(plan(runs), file=sys.stderr, flush=True)
        comparisons = list(compare_all(runs, old, Tree("today's training code", HERE)))
    print(report(comparisons))
    if any(comparison.differing for comparison in comparisons):
        return 1
    if {comparison.new.fingerprint for comparison in comparisons} != {code_fingerprint()}:
        raise BookError("today's training code was changed meanwhile: certify it again")
    path = equivalence.write(certificate(fingerprint, comparisons))
    print(f"certified: {path}")
    return 0


def covering(records: Iterable[Record]) -> list[Record]:
    """Return the cheapest runs of each network, schedule and precision, and of each field's value.

    Every name that a field has in some record (a norm, an order, an optimizer, a data set) is
    among theirs, and every number, list or flag both as its default and as something else.
    """
    chosen, covered = list[Record](), set[object]()
    for record in sorted(records, key=lambda record: (_seconds(record), record.key)):
        if aspects := _aspects(record.spec) - covered:
            chosen.append(record)
            covered |= aspects
    return chosen


def _seconds(record: Record) -> float:
    """Return how long the first epoch took, as recorded."""
    return record.provenance.epoch_seconds[0]


def _aspects(spec: RunSpec) -> set[object]:
    """Return what about a spec may take another path through the training code."""
    fields = {name: field for name, field in RunSpec.model_fields.items() if name not in ANY_VALUE}
    values = {name: getattr(spec, name) for name in fields}
    return {(spec.network, spec.schedule, spec.precision)} | {
        (name, value if isinstance(value, str) else value != fields[name].default)
        for name, value in values.items()
    }


def plan(runs: Sequence[Record]) -> str:
    """Return what is about to be done, and how long it took when it was recorded."""
    seconds = clock(sum(map(_seconds, runs)))
    return f"training the first epoch of {len(runs)} runs by both forms; as recorded: {seconds}"


def compare_all(runs: Sequence[Record], old: Tree, new: Tree) -> Iterator[Comparison]:
    """Yield each run's comparison as soon as it is known, with live progress on stderr."""
    started, total, done = time.perf_counter(), sum(map(_seconds, runs)), 0.0
    for number, record in enumerate(runs, start=1):
        comparison = compare(record, old, new)
        done += _seconds(record)
        elapsed = time.perf_counter() - started
        print(
            f"{number}/{len(runs)} {title(record.spec)}: {comparison.old.seconds:.1f} s and "
            f"{comparison.new.seconds:.1f} s, {_verdict(comparison)}; "
            f"{clock(elapsed / done * (total - done))} left",
            file=sys.stderr,
            flush=True,
        )
        yield comparison


def compare(record: Record, old: Tree, new: Tree) -> Comparison:
    """Train a run's first epoch by both forms at once, each with its half of the cores."""
    with ThreadPoolExecutor(2) as pool:
        epochs = pool.map(lambda tree: tree.first_epoch(record.spec, _threads(record)), (old, new))
        return Comparison(record, *epochs)


def _threads(record: Record) -> int:
    return max(1, min(record.provenance.threads, available_cores() // 2))


def _verdict(comparison: Comparison) -> str:
    differing = ", ".join(comparison.differing)
    return f"DIFFERS in {differing}" if differing else "identical"


def report(comparisons: Sequence[Comparison]) -> str:
    """Return a table of all runs, and a line that sums up."""
    rows = [
        (
            comparison.record.key,
            title(comparison.record.spec),
            f"{comparison.old.seconds:.1f} s",
            f"{comparison.new.seconds:.1f} s",
            _verdict(comparison),
        )
        for comparison in comparisons
    ]
    align = tuple(COLUMNS.values())
    table = tabulate(rows, tuple(COLUMNS), colalign=align, disable_numparse=True)
    same = sum(not comparison.differing for comparison in comparisons)
    return f"{table}\n\ncompared: {same} of {len(comparisons)} first epochs are identical"


def certificate(old: str, comparisons: Sequence[Comparison]) -> BitCertificate:
    """Return what was shown: that the code of the fingerprint `old` gave the bits of today's."""
    return BitCertificate(
        old=old,
        new=code_fingerprint(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine([comparison.record for comparison in comparisons]),
        runs=tuple(map(_compared, comparisons)),
    )


def machine(records: Sequence[Record]) -> dict[str, str | int | None]:
    """Return where the records' first epochs were trained anew, and with what."""
    import torch

    from models.runs import making

    threads = sorted({_threads(record) for record in records})
    return {
        "device": "cpu",
        "device_name": making.device_name(torch.device("cpu")),
        "threads": ", ".join(map(str, threads)),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: making.version(name) for name in making.PACKAGES if name != "convbook"},
    }


def _compared(comparison: Comparison) -> ComparedRun:
    spec, epoch = comparison.record.spec, comparison.new
    history = json.dumps(epoch.history, sort_keys=True, allow_nan=False)
    return ComparedRun(
        key=comparison.record.key,
        network=spec.network,
        dataset=spec.dataset,
        schedule=spec.schedule,
        norm=spec.norm,
        precision=spec.precision,
        epochs=1,
        train_size=spec.train_size,
        history_sha256=hashlib.sha256(history.encode()).hexdigest(),
        weights_sha256=epoch.weights_sha256,
    )
