"""What growing the batch did beside lowering the rate: noise, updates, curves, generalisation."""

import math
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from book.learning_rate.iterations import updates
from book.report import figures
from book.report.claims import DIVERGED, FALLS, STANDS, judge
from book.report.colours import BLACK
from book.report.comparisons import compare, generalization_gap
from book.report.experiments import (
    Results,
    difference,
    final,
    histories,
    or_nan,
    training_images,
)
from book.report.intervals import Interval, mean_interval, paired_difference, verdict
from book.report.methods import GROWING_BATCH, SHRINKING_RATE, named
from models.records import Record
from models.specs import RunSpec

#: What the test of the two curves' distance says, by the verdict that it lies in batch norm.
CAUSES = {
    STANDS: "so most of the distance is in the images that batch norm goes by, not in the weights",
    FALLS: "so most of the distance is in the weights, not in the images that batch norm goes by",
    DIVERGED: "which tells nothing: there is no distance, or a run diverged",
}


def noise_scale(rate: Any, images: Any, batch: Any, momentum: Any) -> Any:
    """Return the noise scale ε (N / B − 1) / (1 − m), of numbers or of symbols.

    ε is the learning rate, N the training images, B the batch and m the momentum (Smith and Le
    2018, section 4; Smith et al. 2018, section 3, write N / B, for B ≪ N).

    >>> noise_scale(0.5, 1000, 10, 0.5)
    99.0
    """
    return rate * (images / batch - 1) * (1 / (1 - momentum))


def noise_scales(record: Record) -> list[float]:
    """Return the noise scale in each epoch, that of its last step."""
    images, momentum = record.diagnostics["train_examples"], record.spec.momentum
    return [noise_scale(one.lr, images, one.batch_size, momentum) for one in record.history]


def memory(spec: RunSpec) -> float:
    """Return over how many updates momentum spreads a gradient, 1 / (1 − m).

    >>> round(memory(RunSpec(momentum=0.9)), 9)
    10.0
    """
    return 1 / (1 - spec.momentum)


def tail(record: Record) -> tuple[int, int]:
    """Return the last epochs that make no more updates than momentum remembers: epochs, updates."""
    made = list(accumulate(reversed(record.curve("iterations"))))
    within = [total for total in made if total <= memory(record.spec) + 1e-9]
    return len(within), within[-1] if within else 0


def tail_text(record: Record) -> str:
    """Tell whether the last epochs make enough updates for momentum, as a sentence."""
    (epochs, made), remembered = tail(record), f"{memory(record.spec):.0f}"
    if not epochs:
        return f"Each of its epochs makes more updates than the {remembered} that momentum spans."
    times = "epoch" if epochs == 1 else f"{epochs} epochs"
    return (
        f"In its last {times} the growing batch makes {made} updates, while momentum spreads "
        f"each gradient over {remembered}: there the noise scale is a formula's, not the run's."
    )


def rows(results: Results) -> list[list[object]]:
    """Return a row an epoch, as far as both runs got.

    The growing batch and its updates, the shrinking rate and its updates, both noise scales.
    """
    growing, shrinking = results[GROWING_BATCH][0], results[SHRINKING_RATE][0]
    noises = zip(noise_scales(growing), noise_scales(shrinking), strict=False)
    return [
        [
            *(one.epoch, one.batch_size, one.iterations),
            *(f"{other.lr:.2g}", other.iterations),
            *(f"{noise:.3g}" for noise in pair),
        ]
        for one, other, pair in zip(growing.history, shrinking.history, noises, strict=False)
    ]


def total(records: Sequence[Record]) -> int:
    """Return the updates of a whole run; the seeds that did not diverge all have as many."""
    return max(updates(record)[-1] for record in records)


def reach_text(spec: RunSpec, wanted: int) -> str:
    """Tell how far the batch really grows, as a sentence without its full stop."""
    largest, images = spec.max_batch_size or wanted, training_images(spec)
    reach = f"The batch grows up to {largest:,} images"
    if largest == wanted:
        return reach
    limit = f"the {images:,} training images" if images < wanted else f"{wanted:,}"
    return f"{reach} and the rate falls as often, for twice as many exceed {limit}"


def ghosts_text(spec: RunSpec) -> str:
    """Tell what the accumulation of gradients means here, as a sentence without its full stop."""
    micro, largest = spec.micro_batch or spec.batch_size, spec.max_batch_size or spec.batch_size
    if largest <= micro:
        return f"here no batch is larger than {micro:,}, so that nothing is accumulated"
    parts = -(-largest // micro)
    return (
        f"here batches of more than {micro:,} images are accumulated, up to {parts} parts a batch"
    )


def running_loss_difference(results: Results, first: str, second: str) -> Interval:
    """Return `first` − `second` in the last epoch's running training loss, nats, seed by seed.

    It is taken in training mode, while the weights change; `train_loss` of `final` is the finished
    network's, in evaluation mode.
    """
    return paired_difference(_running_losses(results[first]), _running_losses(results[second]))


def _running_losses(records: Sequence[Record]) -> list[float]:
    return [or_nan(record.final.train_loss) for record in records]


def removed_share(results: Results, growing: str, parted: str, reference: str) -> Interval:
    """Return what share of two running training losses' distance smaller parts take away.

    The two are those of `growing` and `reference` in the last epoch; `parted` is `growing` in
    smaller parts. Seed by seed: 1 is all of it; not a number where there is no distance.
    """
    losses = zip(*(_running_losses(results[n]) for n in (growing, parted, reference)), strict=True)
    return mean_interval(
        [
            (large - small) / (large - goal) if large != goal else math.nan
            for large, small, goal in losses
        ]
    )


def cause_text(share: Interval) -> str:
    """Tell whether batch norm's statistics are most of the distance, as a sentence's end."""
    verdict = judge(share.affine(offset=-0.5))
    return CAUSES.get(verdict, f"and whether that is most of the distance stays {verdict}")


def gap_difference(results: Results, first: str, second: str) -> Interval:
    """Return `first` − `second` in training less test accuracy, seed by seed."""
    return paired_difference(
        generalization_gap(results[first]), generalization_gap(results[second])
    )


def generalization_rows(results: Results, pairs: Collection[tuple[str, str]]) -> list[list[str]]:
    """Return a row a pair: its differences in training and in test accuracy, and in their gap.

    All are in percentage points; the words say what the first has.
    """
    rows = []
    for first, second in pairs:
        gap = gap_difference(results, first, second)
        accuracies = (
            difference(results, first, second, f"{p}_accuracy") for p in ("train", "test")
        )
        texts = [one.text(2, 100, sign=True) for one in (*accuracies, gap)]
        rows.append([f"{first} − {second}", *texts, verdict(gap, "a wider gap", "a narrower gap")])
    return rows


def spread(records: Sequence[Record]) -> float:
    """Return by how many percentage points the seeds' test accuracies differ at most."""
    accuracies = final(records, "test_accuracy", scale=100)
    return max(accuracies) - min(accuracies)


def lack_text(results: Results, first: str, second: str) -> str:
    """Tell what sets the test accuracies of two variants apart: training, or generalisation."""
    gap = gap_difference(results, first, second)
    trained = compare(results, first, second, "train_accuracy")
    if not gap.could_be_noise:
        return "so the two generalise differently"
    if trained.is_clear:
        return "which could be noise: they differ in how well they are trained"
    return "so these runs can't tell what sets them apart"


def draw_by_epochs_and_updates(results: Results, name: str, label: str) -> Figure:
    """Draw a column of the histories against epochs, and against updates; there a line a seed.

    The axis of the updates is logarithmic.
    """
    figure, axes = figures.new(2, size=(6.4, 3.0), sharey=True)
    by_epochs, by_updates = axes[0]
    columns = histories(results, name)
    ends = figures.curves(by_epochs, columns)
    for method, records in results.items():
        look = {"color": named(method).colour, "lw": 1, "ms": 4}
        for record, values in zip(records, columns[method], strict=True):
            by_updates.plot(updates(record), values[: len(record.history)], ".-", **look)
    by_epochs.set(xlabel="epoch", ylabel=label)
    by_updates.set_xscale("log", base=2)
    by_updates.xaxis.set_major_formatter(ScalarFormatter())
    by_updates.set_xlabel("updates")
    figures.label_ends(by_updates, ends)
    return figure


def draw_distances(results: Results, reference: str) -> Figure:
    """Draw how far each running training loss is from the reference's, epoch by epoch, in nats."""
    losses = histories(results, "train_loss")
    distances = {
        name: [
            np.subtract(ours, theirs).tolist()
            for ours, theirs in zip(runs, losses[reference], strict=True)
        ]
        for name, runs in losses.items()
        if name != reference
    }
    figure, axes = figures.new(size=(6.4, 2.6))
    ax = axes[0][0]
    ends = figures.curves(ax, distances, figures.UNLIMITED)
    ax.axhline(0, color=BLACK, lw=0.8, ls=":")
    ax.set(xlabel="epoch", ylabel=f"training loss less that\nof the {reference}, nats")
    figures.label_ends(ax, ends)
    return figure
