"""A chapter's experiments: variants of a run, each with several seeds, asked for and kept track of."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from book.builder.trace import show_runs
from book.report.intervals import Interval, mean_interval, paired_difference
from models.data.datasets import DATASETS
from models.networks.architectures import layer_names
from models.records import Record
from models.specs import RunSpec
from models.sweeps import sweep

#: Specs by the name that tables and figures give them.
Variants = dict[str, RunSpec]

#: Records of each variant, one a seed, in the order of the seeds.
Results = dict[str, list[Record]]

#: Variants of a run by name, group by group, each group with its number of seeds.
Groups = Mapping[str, tuple[Mapping[str, RunSpec], int]]


def ask(variants: Mapping[str, RunSpec], seeds: int) -> Results:
    """The records of every variant with seeds 0, 1, …: found, or else trained now.

    Which records were used is written into the notebook: see `book.builder.trace`.
    """
    return ask_groups({"": (variants, seeds)})[""]


def ask_groups(groups: Groups) -> dict[str, Results]:
    """The same for several groups of variants, each with its number of seeds, asked for all at
    once.
    """
    specs = {
        (group, name): [spec.with_(seed=seed) for seed in range(seeds)]
        for group, (variants, seeds) in groups.items()
        for name, spec in variants.items()
    }
    asked = [spec for seeded in specs.values() for spec in seeded]
    show_runs(spec.key for spec in asked)
    found = iter(sweep.ask(asked))
    results: dict[str, Results] = {group: {} for group in groups}
    for (group, name), seeded in specs.items():
        results[group][name] = [next(found) for _ in seeded]
    return results


def final(records: Sequence[Record], name: str, *, scale: float = 1.0) -> list[float]:
    """A number at the end of each run: of its last epoch (`test_accuracy`) or its diagnostics
    (`train_loss`).

    A diverged run has no loss: it counts as not a number, and so does every mean it is part of.
    `scale` 100 gives per cent.
    """
    return [
        scale * _number(record.diagnostics.get(name, getattr(record.final, name, None)))
        for record in records
    ]


def after(records: Sequence[Record], name: str, epoch: int) -> list[float]:
    """A number of the history of each run after so many epochs; of a run that ended before, its
    last.
    """
    return [_number(record.curve(name)[:epoch][-1]) for record in records]


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def histories(results: Results, name: str, *, scale: float = 1.0) -> dict[str, list[list[float]]]:
    """A quantity epoch by epoch, by variant and seed, times `scale` (100 gives per cent).

    After a run has diverged there is nothing left to tell: not a number.
    """
    return {
        variant: [_history(record, name, scale) for record in records]
        for variant, records in results.items()
    }


def _history(record: Record, name: str, scale: float) -> list[float]:
    values = [scale * _number(value) for value in record.curve(name)]
    return values + [math.nan] * (record.spec.epochs - len(values))


def mean(records: Sequence[Record], name: str) -> Interval:
    """Mean over seeds of a number at the end, with its interval."""
    return mean_interval(final(records, name))


def difference(results: Results, first: str, second: str, name: str) -> Interval:
    """Mean difference between two variants, seed by seed, with its interval."""
    return paired_difference(final(results[first], name), final(results[second], name))


def learned(records: Sequence[Record], name: str) -> dict[str, list[float]]:
    """Learned normalization parameters (`gamma`, `beta`) by layer, from the input on: all channels
    of all seeds.
    """
    order = (
        "input",
        *layer_names(records[0].spec.network),
    )  # a record's file has them in the alphabet's
    layers = sorted(records[0].parameters, key=lambda layer: order.index(layer.partition(".")[0]))
    return {
        layer: [value for record in records for value in record.parameters[layer][name]]
        for layer in layers
    }


def each(variants: Mapping[str, RunSpec], **changes: object) -> Variants:
    """Every variant with the same fields changed, such as `epochs=60` or `width=2`."""
    return {name: spec.with_(**changes) for name, spec in variants.items()}


def training_size(spec: RunSpec) -> int:
    """Images that a run may choose its training and validation sets from.

    >>> training_size(RunSpec(dataset="mnist")), training_size(RunSpec(dataset="mnist", train_size=600))
    (60000, 600)
    """
    return spec.train_size or DATASETS[spec.dataset].train_size


def part(variants: Mapping[str, RunSpec], divisor: int) -> Variants:
    """Every variant on a part of its training set, one in `divisor` images and at least one a
    class.
    """
    return {
        name: spec.with_(train_size=_part_size(spec, divisor)) for name, spec in variants.items()
    }


def fewer(variants: Mapping[str, RunSpec], divisor: int) -> Variants:
    """As `part`, but seen so often that an epoch has as many images as before, and so as many
    updates.
    """
    return {
        name: spec.with_(train_size=size, passes=spec.passes * (training_size(spec) // size))
        for name, spec in variants.items()
        for size in [_part_size(spec, divisor)]
    }


def _part_size(spec: RunSpec, divisor: int) -> int:
    return max(len(DATASETS[spec.dataset].classes), training_size(spec) // divisor)
