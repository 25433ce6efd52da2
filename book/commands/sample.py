"""Which published runs are trained again to show new code equivalent, and how much of each.

At least one of each network, normalization and schedule, and `LEAST` in all if there are so many:
the cheapest as recorded, those first whose variant has seeds enough to tell a spread. Where all
that takes too long, the longest is cut by an epoch, and again, until it does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from book.commands.side_by_side import Task
from book.commands.spread import Spreads, variant
from models.records import Record
from models.specs import RunSpec

LEAST = 20  # runs
MINUTES = 45  # that they may take, as recorded
ENOUGH = 3  # seeds, of which two are left when a run is left out


def kind(spec: RunSpec) -> tuple[str, str, str]:
    """Return what must be in the sample: a network, a normalization, a schedule."""
    return spec.network, spec.norm, spec.schedule


def sample(records: Iterable[Record], spreads: Spreads, least: int = LEAST) -> list[Record]:
    """Return the runs to train again: the same ones for the same records, the cheapest first.

    One of each kind, then one of each variant, then more seeds, as long as they are too few.
    """
    ordered = sorted(records, key=lambda record: _order(record, spreads))
    firsts = list(_firsts(ordered, [kind(record.spec) for record in ordered]))
    variants = list(_firsts(ordered, [variant(record.spec) for record in ordered]))
    chosen = {record.key: record for record in firsts}
    for record in [*variants, *ordered]:
        if len(chosen) < least:
            chosen.setdefault(record.key, record)
    return sorted(chosen.values(), key=lambda record: (record.provenance.seconds, record.key))


def _order(record: Record, spreads: Spreads) -> tuple[bool, bool, float, str]:
    few = spreads.seeds(record.spec) < ENOUGH
    return record.diverged, few, Task(record, len(record.history)).core_seconds, record.key


def _firsts(records: Sequence[Record], names: Sequence[object]) -> Iterator[Record]:
    """Yield the first record of each name."""
    seen = set[object]()
    for record, name in zip(records, names, strict=True):
        if name not in seen:
            seen.add(name)
            yield record


def planned(
    records: Sequence[Record], cores: int, seconds: float, epochs: int | None = None
) -> list[Task]:
    """Return how much of each run is trained again, so that all takes so long on so many cores.

    No more than `epochs` of each, where that is given, and at least one.
    """
    tasks = [Task(record, min(most(record), epochs or most(record))) for record in records]
    while wall_seconds(tasks, cores) > seconds:
        longest = max(range(len(tasks)), key=lambda place: _cuttable(tasks[place]))
        if tasks[longest].epochs == 1:
            break
        tasks[longest] = Task(tasks[longest].record, tasks[longest].epochs - 1)
    return tasks


def most(record: Record) -> int:
    """Return after how many epochs a run can be compared at most: after all it has.

    Of a range test, after the one with the lowest training loss: what follows is chaos by design.
    """
    if record.spec.schedule != "range-test":
        return len(record.history)
    return min(
        record.history, key=lambda epoch: math.inf if epoch.train_loss is None else epoch.train_loss
    ).epoch


def _cuttable(task: Task) -> tuple[bool, float]:
    return task.epochs > 1, task.core_seconds


def wall_seconds(tasks: Iterable[Task], cores: int) -> float:
    """Return about how long the tasks take, as recorded, when all cores are kept busy."""
    return sum(task.core_seconds for task in tasks) / max(1, cores)
