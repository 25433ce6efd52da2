"""A chapter's experiments: variants of a run, each with several seeds, asked for and kept track of."""

from collections.abc import Mapping, Sequence
from typing import Any

from book.builder.trace import show_runs
from book.intervals import Interval, mean_interval, paired_difference
from models import runs
from models.records import Record
from models.specs import RunSpec

#: Records of each variant, one a seed, in the order of the seeds.
Results = dict[str, list[Record]]


def ask(variants: Mapping[str, RunSpec], seeds: int) -> Results:
    """The records of every variant with seeds 0, 1, …: found, or else trained now.

    Which records were used is written into the notebook: see :mod:`book.builder.trace`.
    """
    specs = [spec.with_(seed=seed) for spec in variants.values() for seed in range(seeds)]
    show_runs(spec.key for spec in specs)
    records = runs.ask(specs)
    return {name: records[i * seeds : (i + 1) * seeds] for i, name in enumerate(variants)}


def final(records: Sequence[Record], name: str) -> list[float]:
    """A number at the end of each run: of its last epoch (``test_accuracy``) or its diagnostics (``train_loss``).

    A diverged run has no loss: it counts as not a number, and so does every mean it is part of.
    """
    return [_number(record.diagnostics.get(name, getattr(record.final, name, None))) for record in records]


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def histories(results: Results, name: str, *, scale: float = 1.0) -> dict[str, list[list[float]]]:
    """A quantity epoch by epoch, by variant and seed, times `scale` (100 gives per cent)."""
    return {
        variant: [[scale * _number(value) for value in record.curve(name)] for record in records]
        for variant, records in results.items()
    }


def mean(records: Sequence[Record], name: str) -> Interval:
    """Mean over seeds of a number at the end, with its interval."""
    return mean_interval(final(records, name))


def difference(results: Results, first: str, second: str, name: str) -> Interval:
    """Mean difference between two variants, seed by seed, with its interval."""
    return paired_difference(final(results[first], name), final(results[second], name))


def learned(records: Sequence[Record], name: str) -> dict[str, list[float]]:
    """Learned normalization parameters (``gamma``, ``beta``) by layer, the input first: all channels of all seeds."""
    layers = sorted(records[0].parameters, key=lambda layer: layer != "input")  # a stable sort keeps the others' order
    return {layer: [value for record in records for value in record.parameters[layer][name]] for layer in layers}
