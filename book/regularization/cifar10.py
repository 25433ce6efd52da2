"""What the chapter on CIFAR-10 compares: the sketch's network with each normalization, the note's
with and without.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from analysis import Derivation
from analysis.rows import Row
from book.report.experiments import Groups, Results, Variants, final
from book.report.intervals import Interval, mean_interval, paired_difference
from book.report.tables import quantity
from models.networks.build import build, count_parameters
from models.records import Record
from models.specs import RunSpec

#: The sketch's normalizations, by the names of `figures.METHOD_COLOURS`, and over what each takes
#: mean and variance.
SKETCH: Mapping[str, tuple[str, str]] = {
    "no norm": ("none", "–"),
    "batch norm": ("batch", "each channel, over the batch and its pixels"),
    "layer norm": ("layer", "each example, over all its channels and pixels"),
    "group norm": ("group", "each example, over half of its channels and their pixels"),
    "instance norm": ("instance", "each channel of each example, over its pixels"),
}


@dataclass(frozen=True)
class Note:
    """What the note reports (source): its claim, its results, and the cells of its summary that can
    be read.
    """

    claimed_without: float = 0.74
    claimed_with: float = 0.79
    test_accuracy: float = 0.7896
    test_loss: float = 0.7624
    lowest_validation_loss: float = 0.6415
    lowest_epoch: int = 8
    cells: tuple[int, ...] = (12, 896, 128, 9248)


#: Networks that the sketch's question can be asked of, its own first.
NETWORKS = ("lenet5-norm", "lenet5", "lenet-stride1", "minigooglenet")

#: The two that every question of the chapter needs, and what may be compared with them.
BOTH = ("no norm", "batch norm")
OTHER_NORMS = tuple(norm for name, (norm, _) in SKETCH.items() if name not in BOTH)


def sketch(base: RunSpec, others: Collection[str] = OTHER_NORMS) -> Variants:
    """`base` with no norm, with batch norm, and with each of the sketch's `others` in its hidden
    layers.
    """
    return {
        name: base.with_(norm=norm)
        for name, (norm, _) in SKETCH.items()
        if name in BOTH or norm in others
    }


def note(base: RunSpec) -> Variants:
    """The note's network as it is, batch norm on the input included, and without any batch norm."""
    return {
        "no norm": base.with_(input_norm="none"),
        "batch norm": base.with_(norm="batch", input_norm="batch"),
    }


def groups(
    variants: Variants, other: RunSpec, seeds: int, note_base: RunSpec, note_seeds: int
) -> Groups:
    """All of the chapter's runs: the sketch's `variants`, two of them on the other data set, and
    the note's.
    """
    return {
        "sketch": (variants, seeds),
        "other": (sketch(other, ()), seeds),
        "note": (note(note_base), note_seeds),
    }


# Improvement


@dataclass(frozen=True)
class Improvement:
    """What batch norm adds to the test accuracy, seed by seed, and which share of the errors it
    takes away.
    """

    points: Interval
    errors_removed: Interval


def improvement(results: Results) -> Improvement:
    """Batch norm against no norm."""
    return Improvement(mean_interval(_gained(results)), mean_interval(_removed(results)))


def _removed(results: Results) -> list[float]:
    return [
        1 - (1 - one) / (1 - other) if other < 1 else math.nan
        for one, other in _accuracies(results)
    ]


def _gained(results: Results) -> list[float]:
    return [one - other for one, other in _accuracies(results)]


def _accuracies(results: Results) -> list[tuple[float, float]]:
    """Of each seed with batch norm, and with no norm."""
    return list(
        zip(*(final(results[name], "test_accuracy") for name in reversed(BOTH)), strict=True)
    )


def more_improvement(results: Results, others: Results) -> Improvement:
    """How much more batch norm improves the first runs than the others, seed by seed."""
    return Improvement(
        paired_difference(_gained(results), _gained(others)),
        paired_difference(_removed(results), _removed(others)),
    )


# Overfitting


@dataclass(frozen=True)
class Overfitting:
    """Where the validation loss is lowest, and by how much it has risen when training ends (nats);
    over seeds.
    """

    epoch: Interval
    lowest: Interval
    rise: Interval


def overfitting(records: Sequence[Record]) -> Overfitting:
    """Of runs with a validation set; a loss that was lost is infinite."""
    curves = [
        [math.inf if loss is None else loss for loss in record.curve("validation_loss")]
        for record in records
    ]
    lowest = [min(curve) for curve in curves]
    return Overfitting(
        mean_interval(
            [float(curve.index(low) + 1) for curve, low in zip(curves, lowest, strict=True)]
        ),
        mean_interval(lowest),
        mean_interval([curve[-1] - low for curve, low in zip(curves, lowest, strict=True)]),
    )


# Summaries, from two witnesses


def summary_rows(derived: Derivation, network: nn.Module) -> list[list[object]]:
    """A row a layer: its output, its parameters as derived (Keras counts the moving statistics),
    and in the network.

    Raises:
        ValueError: the live network does not have as many layers with parameters as were derived.
    """
    live = iter(live_counts(network))
    rows: list[list[object]] = [
        [
            row.layer,
            quantity(row, "output"),
            keras_parameters(row),
            next(live) if keras_parameters(row) else 0,
        ]
        for row in derived.rows
        if row.kind != "input"
    ]
    if left := list(live):
        raise ValueError(
            f"expected {len(rows)} derived layers to cover the network; it has {len(left)} more: {left}"
        )
    return rows


def keras_parameters(row: Row) -> int:
    """A layer's weights, biases and moving statistics."""
    return int(row.parameters) + int(row.buffers)


def live_counts(network: nn.Module) -> list[int]:
    """The same of each layer of a live network that has any, in order."""
    leaves = (module for module in network.modules() if not list(module.children()))
    return [count for module in leaves if (count := count_parameters(module).total)]


def live(**fields: object) -> nn.Module:
    """A fresh network of a spec, whose weights nobody has trained."""
    return build(RunSpec(**fields))
