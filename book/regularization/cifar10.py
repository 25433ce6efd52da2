"""What the chapter on CIFAR-10 compares: networks of a sketch and a note, with norms or without."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from analysis import Derivation
from analysis.rows import Row
from book.report.derivations import quantity
from book.report.experiments import Groups, Results, Variants, final
from book.report.glue import listing
from book.report.intervals import Interval, mean_interval, paired_difference, too_few
from book.report.methods import BATCH_NORM, GROUP_NORM, INSTANCE_NORM, LAYER_NORM, NO_NORM
from models.networks.build import build, count_parameters
from models.records import Record
from models.specs import RunSpec

#: The sketch's normalizations: a spec's name of each, and over what it takes mean and variance.
SKETCH: Mapping[str, tuple[str, str]] = {
    NO_NORM: ("none", "–"),
    BATCH_NORM: ("batch", "each channel, over the batch and its pixels"),
    LAYER_NORM: ("layer", "each example, over all its channels and pixels"),
    GROUP_NORM: ("group", "each example, over half of its channels and their pixels"),
    INSTANCE_NORM: ("instance", "each channel of each example, over its pixels"),
}

#: The two that every question of the chapter needs, and the norms that may be compared with them.
COMPARED = (NO_NORM, BATCH_NORM)
OTHER_NORMS = tuple(norm for method, (norm, _) in SKETCH.items() if method not in COMPARED)

AGREE = 2  # epochs by which the seeds' lowest losses may lie apart and still name one place

#: Networks that the sketch's question can be asked of, its own first.
NETWORKS = ("lenet5-norm", "lenet5", "lenet-stride1", "minigooglenet")


@dataclass(frozen=True)
class Note:
    """What the note reports (source): its claim, its results, and its summary's legible cells."""

    claimed_without: float = 0.74
    claimed_with: float = 0.79
    test_accuracy: float = 0.7896
    test_loss: float = 0.7624
    lowest_validation_loss: float = 0.6415
    lowest_epoch: int = 8
    cells: tuple[int, ...] = (12, 896, 128, 9248)


def sketch(base: RunSpec, others: Collection[str] = OTHER_NORMS) -> Variants:
    """Return `base` with no norm, with batch norm, and with each of `others`, in hidden layers."""
    return {
        method: base.with_(norm=norm)
        for method, (norm, _) in SKETCH.items()
        if method in COMPARED or norm in others
    }


def note(base: RunSpec) -> Variants:
    """Return the note's network without any batch norm, and as it is: on the input, too."""
    return {
        NO_NORM: base.with_(input_norm="none"),
        BATCH_NORM: base.with_(norm="batch", input_norm="batch"),
    }


def groups(
    variants: Variants, other: RunSpec, seeds: int, note_base: RunSpec, note_seeds: int
) -> Groups:
    """Return all of the chapter's runs.

    They are the sketch's `variants`, two of them on the other data set, and the note's.
    """
    return {
        "sketch": (variants, seeds),
        "other": (sketch(other, ()), seeds),
        "note": (note(note_base), note_seeds),
    }


# Improvement


@dataclass(frozen=True)
class Improvement:
    """What batch norm adds to the test accuracy, and which share of the errors it takes away.

    Both are taken seed by seed.
    """

    points: Interval
    errors_removed: Interval


def improvement(results: Results) -> Improvement:
    """Compare batch norm with no norm."""
    return Improvement(mean_interval(_gained(results)), mean_interval(_removed(results)))


def more_improvement(results: Results, others: Results) -> Improvement:
    """Return how much more batch norm improves the first runs than the others, seed by seed."""
    return Improvement(
        paired_difference(_gained(results), _gained(others)),
        paired_difference(_removed(results), _removed(others)),
    )


def _gained(results: Results) -> list[float]:
    return [with_norm - without for without, with_norm in _accuracies(results)]


def _removed(results: Results) -> list[float]:
    return [
        1 - (1 - with_norm) / (1 - without) if without < 1 else math.nan
        for without, with_norm in _accuracies(results)
    ]


def _accuracies(results: Results) -> list[tuple[float, float]]:
    """Return the test accuracies of each seed with no norm, and with batch norm."""
    without, with_norm = (final(results[method], "test_accuracy") for method in COMPARED)
    return list(zip(without, with_norm, strict=True))


# Overfitting


@dataclass(frozen=True)
class Overfitting:
    """Where the validation loss is lowest, and by how much it has risen when training ends.

    `epochs` has the epoch of each seed. Losses are in nats; means over seeds. A rise since the
    lowest is never negative.
    """

    epochs: tuple[int, ...]
    lowest: Interval
    rise: Interval

    @property
    def epochs_text(self) -> str:
        """The epoch of each seed, such as `epoch 8` or `epochs 15, 8 and 8`."""
        kind = "epoch" if len(self.epochs) == 1 else "epochs"
        return f"{kind} {listing([str(epoch) for epoch in self.epochs])}"

    @property
    def words(self) -> str:
        """What that says of overfitting, as the end of a sentence."""
        if self.rise.half_width is None:
            return f"of which {too_few(self.rise)} can't tell whether it is more than noise"
        if self.rise.could_be_noise:
            return "so nothing here says that it overfits"
        if max(self.epochs) - min(self.epochs) > AGREE:
            return "so it overfits in the end, but the seeds don't agree from which epoch on"
        return "so it overfits from about there on"


def overfitting(records: Sequence[Record]) -> Overfitting:
    """Return the overfitting of runs with a validation set; a loss that is none is infinite."""
    curves = [
        [math.inf if loss is None else loss for loss in record.curve("validation_loss")]
        for record in records
    ]
    lowest = [min(losses) for losses in curves]
    pairs = list(zip(curves, lowest, strict=True))
    return Overfitting(
        epochs=tuple(losses.index(low) + 1 for losses, low in pairs),
        lowest=mean_interval(lowest),
        rise=mean_interval([losses[-1] - low for losses, low in pairs]),
    )


# Summaries, from two witnesses


def summary_rows(derived: Derivation, network: nn.Module) -> list[list[object]]:
    """Return a row a layer: its output, and its parameters as derived and in the network.

    Keras counts the moving statistics as parameters, and so does this.

    Raises:
        ValueError: The live network has more layers with parameters than were derived.
    """
    counts = iter(live_counts(network))
    rows: list[list[object]] = []
    for row in derived.rows:
        if row.kind != "input":
            expected = keras_parameters(row)
            output = quantity(row, "output")
            rows.append([row.layer, output, expected, next(counts, 0) if expected else 0])
    if left := list(counts):
        raise ValueError(
            f"expected {len(rows)} derived layers to cover the network; "
            f"it has {len(left)} more: {left}"
        )
    return rows


def keras_parameters(row: Row) -> int:
    """Return a layer's weights, biases and moving statistics."""
    return int(row.parameters) + int(row.buffers)


def live_counts(network: nn.Module) -> list[int]:
    """Return the same of each layer of a live network that has any, in order."""
    leaves = (module for module in network.modules() if not list(module.children()))
    return [count for module in leaves if (count := count_parameters(module).total)]


def live(**fields: object) -> nn.Module:
    """Return a fresh network of a spec, whose weights nobody has trained."""
    return build(RunSpec(**fields))
