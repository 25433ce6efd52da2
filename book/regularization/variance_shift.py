"""Variance shift: dropout changes the variance that a batch norm sees in training, but not in use.

Li et al. 2019, section 3. The moving variance is learned with dropout on; in evaluation mode
dropout is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from book.report import figures
from book.report.colours import BLACK, GREEN, GREY, ORANGE, PINK, RED, SKY
from book.report.comparisons import compare, leader
from book.report.experiments import Results, mean
from book.report.intervals import Interval, mean_interval, slope
from book.report.methods import BATCH_NORM
from models.networks.architectures import parse_order
from models.records import Record

if TYPE_CHECKING:
    from torch import Tensor

COLOURS = (ORANGE, SKY, GREEN, RED, PINK, BLACK)  # of the six orders


def dropped_variance(mean: float, variance: float, rate: float) -> float:
    """Return the variance of a value after inverted dropout: (variance + mean²)/(1 − rate) − mean².

    `mean` and `variance` are those before it, which evaluation mode keeps; Li et al. 2019, section
    3.1, case (a).

    >>> dropped_variance(0.0, 1.0, rate=0.5), dropped_variance(1.0, 1.0, rate=0.5)
    (2.0, 3.0)
    """
    return (variance + mean**2) / (1 - rate) - mean**2


def summed_variance(
    weights: Sequence[float], values: np.ndarray, rate: float
) -> tuple[float, float]:
    """Return the variances of a unit that adds up dropped-out values, in training and in use.

    `values` (N, D) are N examples of D inputs, `weights` (D,) the unit's. By the law of total
    variance, the masks add rate / (1 − rate) · Σ w² E[x²] to what the values themselves give; Li et
    al. 2019, section 3.1, case (b).
    """
    weighted = np.asarray(weights) * values  # (N, D)
    in_use = float(weighted.sum(axis=1).var())
    return in_use + rate / (1 - rate) * float(np.square(weighted).mean(axis=0).sum()), in_use


def moment_rows(x: Tensor, y: Tensor, rate: float) -> list[list[str]]:
    """Return a row a column of `x` (N, D): its value, then mean and variance of `y`, beside theory.

    A column of `x` is constant; `y` (N, D) is `x` after dropout. The theory is a mean of x and a
    variance of rate / (1 − rate) · x².
    """
    columns = zip(x[0].tolist(), y.mean(0).tolist(), y.var(0).tolist(), strict=True)
    rows = []
    for value, observed_mean, observed_variance in columns:
        proved = dropped_variance(value, 0.0, rate)
        numbers = (value, observed_mean, value, observed_variance, proved)
        rows.append([f"{number + 0.0:.3f}".replace("-", "−") for number in numbers])
    return rows


def measured(records: Sequence[Record]) -> dict[str, list[float]]:
    """Return each layer's moving variance over its variance in evaluation mode, one a seed.

    Both are means over the layer's units (`models.training.probes`); runs that diverged have none.
    """
    variances = [
        record.diagnostics["probes"]["variances"]
        for record in records
        if "probes" in record.diagnostics
    ]
    layers = variances[0] if variances else ()
    return {
        layer: [one[layer]["running"] / one[layer]["eval"] for one in variances] for layer in layers
    }


def shifts(records: Sequence[Record]) -> dict[str, Interval]:
    """Return the shift of each layer, mean over seeds.

    1 is none, 2 a batch norm that divides by twice the right variance.
    """
    return {layer: mean_interval(ratios) for layer, ratios in measured(records).items()}


def overall_shift(records: Sequence[Record]) -> Interval | None:
    """Return by which factor a layer's shift is off 1, up or down: exp of mean |ln|, over seeds.

    A mean of the shifts themselves would let a layer with too much and one with too little cancel.
    None where every run diverged.
    """
    factors = _factors(records)
    return mean_interval(factors) if factors else None


def _factors(records: Sequence[Record]) -> list[float]:
    """Return the overall shift of each seed: exp of the layers' mean |ln shift|."""
    seeds = zip(*measured(records).values(), strict=True)
    return [float(np.exp(np.mean(np.abs(np.log(ratios))))) for ratios in seeds]


def per_doubling(results: Results) -> Interval:
    """Return what a doubling of the overall shift changes in mean test accuracy, in points.

    It is the slope of the line through the orders, by log₂ of the shift; its interval is over the
    orders. Batch norm alone, which has no dropout, is no order, and one that diverged is left out.
    """
    return slope(*_points(results))


def _points(results: Results) -> tuple[list[float], list[float]]:
    """Return each order's log₂ of the overall shift and test accuracy, per cent, as seeds' means.

    Without the orders of which a run diverged, and without batch norm alone.
    """
    orders = [
        records
        for order, records in results.items()
        if order != BATCH_NORM and len(_factors(records)) == len(records)
    ]
    shifts = [float(np.mean(np.log2(_factors(records)))) for records in orders]
    return shifts, [100 * mean(records, "test_accuracy").mean for records in orders]


def falling_pairs(results: Results) -> tuple[int, int]:
    """Return in how many pairs of orders the larger mean shift has the lower mean accuracy.

    And of how many pairs.
    """
    ends = [
        (shift.mean, mean(records, "test_accuracy").mean)
        for order, records in results.items()
        if order != BATCH_NORM and (shift := overall_shift(records))
    ]
    pairs = list(combinations(sorted(ends), 2))
    return sum(first[1] > second[1] for first, second in pairs), len(pairs)


def order_label(order: str, activation: str = "tanh") -> str:
    """Return an order as tables and figures write it; other names stay as they are.

    >>> order_label("norm-activation-dropout"), order_label("batch norm")
    ('BN → tanh → dropout', 'batch norm')
    """
    words = {"norm": "BN", "activation": activation}
    if "-" not in order:
        return order
    return " → ".join(words.get(step, step) for step in parse_order(order))


def order_rows(results: Results) -> list[list[str | None]]:
    """Return a row an order: its test accuracy, the difference from batch norm alone, the shift.

    The difference is told in words, too; the shift is the overall one.
    """
    rows: list[list[str | None]] = []
    for order, records in results.items():
        accuracy, shift = mean(records, "test_accuracy").text(2, 100), overall_shift(records)
        gap = None if order == BATCH_NORM else compare(results, order, BATCH_NORM)
        difference = [gap.text, gap.words] if gap else [None, None]
        rows.append([order_label(order), accuracy, *difference, shift.text(2) if shift else None])
    return rows


def shift_sentences(results: Results) -> str:
    """Tell where the shift is largest and smallest, and which order ends best and worst, in prose.

    Raises:
        ValueError: Every run diverged, so that no shift was measured.
    """
    shifts = {
        order: shift for order, records in results.items() if (shift := overall_shift(records))
    }
    if not shifts:
        raise ValueError("no shift was measured: every run diverged; choose a lower learning rate")
    ascending = sorted(shifts, key=lambda order: shifts[order].mean)
    sizes = [
        f"{order_label(order)}, by a factor of {shifts[order].text(2)}"
        for order in ascending
        if order != BATCH_NORM
    ]
    sentences = []
    if sizes:
        sentences.append(f"The variances are farthest off with {sizes[-1]}.")
        sentences.append(f"They are least off with {sizes[0]}.")
    if BATCH_NORM in shifts:
        sentences.append(f"Without dropout the factor is {shifts[BATCH_NORM].text(2)}.")
    return " ".join([*sentences, _ends_sentence(results)])


def _ends_sentence(results: Results) -> str:
    orders = {order: records for order, records in results.items() if order != BATCH_NORM}
    best = leader(orders)
    worst = min(orders, key=lambda order: mean(orders[order], "test_accuracy").mean)
    gap = compare(orders, best, worst)
    clear = "" if gap.is_clear else f" ({gap.words})"
    return (
        f"The order that ends highest in mean test accuracy is {order_label(best)}, "
        f"{gap.size} percentage points above the lowest, {order_label(worst)}{clear}."
    )


def direct_range(results: Results) -> tuple[float, float]:
    """Return the least and the greatest shift of a layer with dropout right before its batch norm.

    They are means over seeds.

    Raises:
        ValueError: No such layer was measured.
    """
    direct = [records for order, records in results.items() if "dropout-norm" in order]
    means = [shift.mean for records in direct for shift in shifts(records).values()]
    if not means:
        raise ValueError("no layer with dropout right before its batch norm was measured")
    return min(means), max(means)


def draw(results: Results) -> Figure:
    """Draw the shift of each layer, a line an order, batch norm alone among them.

    On the dotted line there is none.
    """
    figure, axes = figures.new(size=(6.4, 3.6))
    ax = axes[0][0]
    measured_layers = (list(measured(records)) for records in results.values())
    layers = next((layers for layers in measured_layers if layers), [])
    series = {
        order_label(order): list(shifts(records).values()) for order, records in results.items()
    }
    shown = {label: values for label, values in series.items() if values}
    colours = _colours(list(series))
    ends = figures.sweep(ax, range(len(layers)), shown, colours, figures.NO_LESS_THAN_ZERO)
    ax.axhline(1, color=BLACK, lw=0.8, ls=":")
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xticks(range(len(layers)), layers)
    ax.set(xlabel="hidden layer", ylabel="moving variance / variance in use")
    figures.label_ends(ax, ends)
    return figure


def draw_accuracy(results: Results) -> Figure:
    """Draw test accuracy against the overall shift, a point an order and one batch norm alone.

    Bars are 95 % intervals over seeds; the dotted line is that of `per_doubling`.
    """
    figure, axes = figures.new(size=(6.4, 3.8))
    ax = axes[0][0]
    colours = _colours([order_label(order) for order in results])
    found = {order: shift for order, runs in results.items() if (shift := overall_shift(runs))}
    ascending = sorted(found, key=lambda order: found[order].mean)
    for place, order in enumerate(ascending):
        label, accuracy = order_label(order), mean(results[order], "test_accuracy").affine(100)
        _accuracy_point(ax, (found[order], accuracy), label, colours[label], above=place % 2 == 0)
    shifts, accuracies = map(np.array, _points(results))
    if shifts.size > 2:
        ends = np.array([shifts.min(), shifts.max()])
        line = accuracies.mean() + per_doubling(results).mean * (ends - shifts.mean())
        ax.plot(2**ends, line, color=GREY, lw=1, ls=":", zorder=0)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.margins(0.14, 0.12)
    ax.set(xlabel="factor by which a variance is off, up or down", ylabel="test accuracy, %")
    return figure


def _accuracy_point(
    ax: Axes, at: tuple[Interval, Interval], label: str, colour: str, *, above: bool
) -> None:
    """Draw one order's shift and accuracy, its label above or below the bar, by turns."""
    shift, accuracy = at
    low, high = figures.bar(accuracy, figures.PER_CENT)
    look: dict[str, Any] = {"color": colour, "fmt": "o", "ms": 5, "capsize": 3}
    ax.errorbar(shift.mean, accuracy.mean, [[low], [high]], shift.half_width or 0, **look)
    end = (shift.mean, accuracy.mean + high if above else accuracy.mean - low)
    where: dict[str, Any] = {"xytext": (0, 4 if above else -4), "textcoords": "offset points"}
    where |= {"va": "bottom" if above else "top", "ha": "left" if shift.mean < 1.5 else "center"}
    ax.annotate(label, end, color=colour, fontsize=8, **where)


def _colours(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each order, and batch norm's own."""
    orders = [label for label in labels if label != BATCH_NORM]
    return {**dict(zip(orders, cycle(COLOURS), strict=False)), BATCH_NORM: BATCH_NORM.colour}
