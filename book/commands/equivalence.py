"""`python -m book verify --equivalence`: that today's training code is as good as the records'.

Published runs that other code has trained are trained again (`book.commands.sample` says which, and
for how many epochs), and judged (`book.commands.judgement` says how). Where they differ by no more
than seeds do, a certificate from the old code's fingerprint to today's is written, with the numbers
(see `models.evidence`): the records of those networks, normalizations and schedules count as
current. Where they differ by more, the records stay flagged.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tabulate import tabulate

from book import settings
from book.builder.errors import BookError
from book.commands import judgement, sample
from book.commands.agreement import gaps
from book.commands.checks import titles
from book.commands.judged_table import report
from book.commands.judgement import ALPHA, Judgement
from book.commands.published import Published, load_data
from book.commands.retraining import Place, Start, threads_here
from book.commands.side_by_side import Task, Workshop
from book.commands.spread import Spreads
from models import equivalence, records
from models.evidence import NoiseCertificate, RunKind
from models.fingerprint import code_fingerprint
from models.progress import clock
from models.records import Record
from models.sweeps.cores import available_cores

COLUMNS = ("run", "what", "epochs", "threads", "recorded")
ALIGNED = ("left", "left", "right", "right", "right")


@dataclass(frozen=True)
class Plan:
    """What is to be trained again, for each fingerprint of older code, with the runs' names."""

    tasks: Mapping[str, Sequence[Task]]
    titles: Mapping[str, str]
    workshop: Workshop

    @property
    def all(self) -> list[Task]:
        """All tasks."""
        return [task for tasks in self.tasks.values() for task in tasks]

    @property
    def left(self) -> list[Task]:
        """The tasks that were not done before."""
        return [task for task in self.all if self.workshop.kept(task) is None]


def run(options: argparse.Namespace) -> int:
    """Train a sample again, judge, certify; return 0 when all of it is within seed noise."""
    published = Published.of(settings.store()).readable()
    old = [record for record in published if not _same_bits(record)]
    if options.outdated:
        old = [record for record in old if not records.is_current(record)]
    if all(map(records.is_current, old)):
        print("nothing to show: all published records are by today's training code, or as good")
        return 0
    spreads = Spreads(published)
    plan = planned(old, spreads, options)
    print(words(plan), file=sys.stderr, flush=True)
    if options.dry_run:
        return 0
    found = {task.record.key: start for task, start in retrained(plan)}
    ended = [
        _conclude(made_by, [(task, found[task.record.key]) for task in tasks], spreads, plan.titles)
        for made_by, tasks in plan.tasks.items()
    ]
    return 0 if all(ended) else 1


def _same_bits(record: Record) -> bool:
    """Return whether a record is current without any certificate of equality within noise."""
    made_by = record.provenance.code_fingerprint
    chain = equivalence.links(made_by, RunKind.of(record.spec))
    return records.is_current(record) and not any(
        isinstance(link, NoiseCertificate) for link in chain
    )


def planned(old: Sequence[Record], spreads: Spreads, options: argparse.Namespace) -> Plan:
    """Return what of the records by older code is to be trained again, and where."""
    groups = defaultdict[str, list[Record]](list)
    for record in old:
        groups[record.provenance.code_fingerprint].append(record)
    least = options.sample or sample.LEAST
    chosen = [
        record
        for _, group in sorted(groups.items())
        for record in sample.sample(group, spreads, least)
    ]
    cores, minutes = available_cores(), options.minutes or sample.MINUTES
    tasks = defaultdict[str, list[Task]](list)
    for task in sample.planned(chosen, cores, 60 * minutes, options.epochs):
        tasks[task.record.provenance.code_fingerprint].append(task)
    names = titles([record.spec for record in chosen])
    folder = settings.store().own / "equivalence" / code_fingerprint()[:12]
    workshop = Workshop(cores, Place.here(options.device or "cpu"), folder)
    return Plan(tasks, {one.key: name for one, name in zip(chosen, names, strict=True)}, workshop)


def words(plan: Plan) -> str:
    """Return a row a run, and how long all takes, as recorded."""
    rows = [_row(task, plan.titles) for task in plan.all]
    table = tabulate(rows, COLUMNS, colalign=ALIGNED, disable_numparse=True)
    left, cores = plan.left, plan.workshop.cores
    kept = f", {len(plan.all) - len(left)} of them kept from before" if left != plan.all else ""
    return (
        f"{table}\n\nretraining {len(plan.all)} runs, at least one of each network, normalization "
        f"and schedule{kept}; as recorded, on {cores} cores, that takes about "
        f"{clock(sample.wall_seconds(left, cores))}"
    )


def _row(task: Task, titles: Mapping[str, str]) -> tuple[str, ...]:
    record = task.record
    return (
        record.key,
        titles[record.key],
        f"{task.epochs} of {record.spec.epochs}",
        str(threads_here(record)),
        clock(task.seconds),
    )


def retrained(plan: Plan) -> Iterator[tuple[Task, Start]]:
    """Yield each task and what it gave, with live progress on stderr."""
    load_data({task.record.key: task.record for task in plan.left})
    started, done = time.perf_counter(), 0.0
    total = sum(task.core_seconds for task in plan.left)
    for number, (task, start, seconds) in enumerate(plan.workshop.do_all(plan.all), start=1):
        done += task.core_seconds if seconds else 0.0
        elapsed = time.perf_counter() - started
        left = clock(elapsed / done * (total - done)) if done else "?"
        took = f"{seconds:.1f} s" if seconds else "kept from before"
        title = plan.titles[task.record.key]
        print(f"{number}/{len(plan.all)} {title}: {took}; {left} left", file=sys.stderr, flush=True)
        yield task, start


def _conclude(
    made_by: str,
    found: Sequence[tuple[Task, Start]],
    spreads: Spreads,
    titles: Mapping[str, str],
) -> bool:
    """Judge the runs of one older form of the code, say so, certify; return whether all passed."""
    judged = judgement.judge(
        [(task, gaps(task.record, start, task.epochs, spreads)) for task, start in found]
    )
    print(f"training code {made_by[:12]}, today {code_fingerprint()[:12]}")
    print(report(judged, titles))
    if not judged.is_joint:
        print("not certified: these records stay flagged")
        return False
    path = equivalence.write(certificate(made_by, judged, [start for _, start in found]))
    print(f"certified: {path}")
    return all(run.is_within for run in judged.runs)


def certificate(old: str, judged: Judgement, starts: Sequence[Start]) -> NoiseCertificate:
    """Return what was shown of the code of the fingerprint `old`.

    Raises:
        BookError: The training code was changed while the runs were trained.
    """
    made = starts[0].provenance
    if {start.provenance.code_fingerprint for start in starts} != {code_fingerprint()}:
        raise BookError("today's training code was changed meanwhile: show it equivalent again")
    threads = sorted({start.provenance.threads for start in starts})
    return NoiseCertificate(
        old=old,
        new=code_fingerprint(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine={
            "device": made.device,
            "device_name": made.device_name,
            "processor_features": made.processor_features,
            "threads": ", ".join(map(str, threads)),
            "platform": made.platform,
            **{name: version for name, version in made.versions.items() if name != "convbook"},
        },
        alpha=ALPHA,
        runs=judged.runs,
        together=judged.together,
    )
