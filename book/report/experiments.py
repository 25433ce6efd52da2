"""A chapter's experiments: variants of a run, each with several seeds, and what they gave."""

import math
from collections.abc import Mapping, Sequence

from book import settings
from book.builder.trace import show_runs
from book.report.intervals import Interval, mean_interval, paired_difference
from models.data.datasets import DATASETS
from models.networks.architectures import layer_names
from models.records import Record
from models.runs.store import Store
from models.specs import RunSpec

#: Specs by the name that tables and figures give them.
Variants = dict[str, RunSpec]

#: Records of each variant, one a seed, in the order of the seeds.
Results = dict[str, list[Record]]

#: Variants of a run by name, group by group, each group with its number of seeds.
Groups = Mapping[str, tuple[Mapping[str, RunSpec], int]]


# Asking for runs


def ask(variants: Mapping[str, RunSpec], seeds: int) -> Results:
    """Return the records of every variant with seeds 0, 1, …: found, or else trained now.

    Which records were used is written into the notebook: see `book.builder.trace`.
    """
    return ask_groups({"": (variants, seeds)})[""]


def ask_groups(groups: Groups) -> dict[str, Results]:
    """Return the records of several groups of variants, asked for all at once."""
    specs = {
        (group, name): [spec.with_(seed=seed) for seed in range(seeds)]
        for group, (variants, seeds) in groups.items()
        for name, spec in variants.items()
    }
    runs = {spec.key: spec for seeded in specs.values() for spec in seeded}
    show_runs(runs)
    records = _obtain(runs)
    results: dict[str, Results] = {group: {} for group in groups}
    for (group, name), seeded in specs.items():
        results[group][name] = [records[spec.key] for spec in seeded]
    return results


def _obtain(runs: Mapping[str, RunSpec]) -> dict[str, Record]:
    """Return the records of runs by their keys; those that are in no store are trained now."""
    store = settings.store()
    records = {key: found.record for key, spec in runs.items() if (found := store.find(spec))}
    missing = [spec for key, spec in runs.items() if key not in records]
    if missing:
        records |= {record.key: record for record in _train(missing, store)}
    return records


def _train(missing: Sequence[RunSpec], store: Store) -> list[Record]:
    """Train runs; training code is imported here alone: a chapter that only reads does without.

    Raises:
        DataError: Their data are missing or damaged; the message also says which run asked.
    """
    from models.data.layouts import DataError
    from models.sweeps import sweep

    try:
        return sweep.ask(missing, store=store)
    except DataError as error:
        why = str(error).splitlines()[0].partition(". ")[0]
        raise DataError(
            f"{len(missing)} runs have no record (one is {missing[0].key}) and can't be trained: "
            f"{why}; restore the records, or set CONVBOOK_DATA to a folder with the data"
        ) from error


# What runs gave


def final(records: Sequence[Record], name: str, *, scale: float = 1.0) -> list[float]:
    """Return a number at the end of each run, times `scale` (100 gives per cent).

    It is one of its last epoch (`test_accuracy`) or of its diagnostics (`train_loss`). A diverged
    run has no loss: it counts as not a number, and so does every mean it is part of.
    """
    return [
        scale * or_nan(record.diagnostics.get(name, getattr(record.final, name, None)))
        for record in records
    ]


def after(records: Sequence[Record], name: str, epoch: int) -> list[float]:
    """Return a number of each run's history after so many epochs.

    Of a run that ended before, it is the last.
    """
    return [or_nan(record.curve(name)[:epoch][-1]) for record in records]


def or_nan(value: float | None) -> float:
    """Return a number as it is, and what is none as not a number.

    >>> or_nan(0.5), or_nan(None)
    (0.5, nan)
    """
    return math.nan if value is None else float(value)


def learned_nothing(record: Record) -> bool:
    """Return whether a run ends within a point of guessing on the test set."""
    (accuracy,) = final([record], "test_accuracy")
    return accuracy < 1 / len(DATASETS[record.spec.dataset].classes) + 0.01


def epochs_until(
    values: Sequence[float | None], target: float, *, falling: bool = False
) -> int | None:
    """Return the first epoch, from 1 on, whose value is at least `target`; None if none is.

    Values that are `falling`, such as losses, are to be at most the target.

    >>> epochs_until([0.5, 0.7, 0.8], 0.7), epochs_until([2.0, None, 1.0], 1.5, falling=True)
    (2, 3)
    """
    for epoch, value in enumerate(values, start=1):
        if value is not None and (value <= target if falling else value >= target):
            return epoch
    return None


def histories(results: Results, name: str, *, scale: float = 1.0) -> dict[str, list[list[float]]]:
    """Return a quantity epoch by epoch, by variant and seed, times `scale` (100 gives per cent).

    After a run has diverged there is nothing left to tell: not a number.
    """
    return {
        variant: [_history(record, name, scale) for record in records]
        for variant, records in results.items()
    }


def _history(record: Record, name: str, scale: float) -> list[float]:
    values = [scale * or_nan(value) for value in record.curve(name)]
    return values + [math.nan] * (record.spec.epochs - len(values))


def mean(records: Sequence[Record], name: str) -> Interval:
    """Return the mean over seeds of a number at the end, with its interval."""
    return mean_interval(final(records, name))


def difference(results: Results, first: str, second: str, name: str) -> Interval:
    """Return the mean difference between two variants, seed by seed, with its interval."""
    return paired_difference(final(results[first], name), final(results[second], name))


def learned(records: Sequence[Record], name: str) -> dict[str, list[float]]:
    """Return learned normalization parameters (`gamma`, `beta`), all channels of all seeds.

    They stand by layer, from the input on; a record's file has them in the alphabet's order.
    """
    order = ("input", *layer_names(records[0].spec.network))
    layers = sorted(records[0].parameters, key=lambda layer: order.index(layer.partition(".")[0]))
    return {
        layer: [value for record in records for value in record.parameters[layer][name]]
        for layer in layers
    }


# Variants of variants


def each(variants: Mapping[str, RunSpec], **changes: object) -> Variants:
    """Return every variant with the same fields changed, such as `epochs=60` or `width=2`."""
    return {name: spec.with_(**changes) for name, spec in variants.items()}


def available_images(spec: RunSpec) -> int:
    """Return how many images a run may choose its training and validation sets from.

    >>> available_images(RunSpec(dataset="mnist"))
    60000
    >>> available_images(RunSpec(dataset="mnist", train_size=600))
    600
    """
    return spec.train_size or DATASETS[spec.dataset].train_size


def training_images(spec: RunSpec) -> int:
    """Return how many images a run trains on: those available without those held out."""
    return available_images(spec) - spec.validation_size


def part(variants: Mapping[str, RunSpec], divisor: int) -> Variants:
    """Return every variant on one in `divisor` training images, and at least one a class."""
    return {
        name: spec.with_(train_size=_part_size(spec, divisor)) for name, spec in variants.items()
    }


def fewer(variants: Mapping[str, RunSpec], divisor: int) -> Variants:
    """Return every variant on a `part` of its images, seen that many times as often.

    An epoch then has as many images as before, and so as many updates.
    """
    return {
        name: spec.with_(train_size=size, passes=spec.passes * (available_images(spec) // size))
        for name, spec in variants.items()
        for size in [_part_size(spec, divisor)]
    }


def _part_size(spec: RunSpec, divisor: int) -> int:
    return max(len(DATASETS[spec.dataset].classes), available_images(spec) // divisor)
