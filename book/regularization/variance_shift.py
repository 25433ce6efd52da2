"""Variance shift: dropout changes the variance that a batch norm sees in training, but not in use.

Li et al. 2019, section 3. The moving variance is learned with dropout on; in evaluation mode
dropout is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from book.report import figures
from book.report.colours import BLACK
from book.report.comparisons import compare, leader
from book.report.experiments import Results, mean
from book.report.intervals import Interval, mean_interval
from book.report.methods import BATCH_NORM
from models.networks.architectures import parse_order
from models.records import Record

if TYPE_CHECKING:
    from torch import Tensor


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
    """Return the geometric mean of the layers' shifts, mean over seeds.

    None where every run diverged.
    """
    by_layer = list(measured(records).values())
    if not by_layer:
        return None
    return mean_interval(
        [float(np.exp(np.mean(np.log(ratios)))) for ratios in zip(*by_layer, strict=True)]
    )


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
        f"{order_label(order)} ({shifts[order].text(2)})"
        for order in ascending
        if order != BATCH_NORM
    ]
    sentences = []
    if sizes:
        extremes = f"largest with {sizes[-1]} and smallest with {sizes[0]}"
        sentences.append(f"Over all layers, the shift is {extremes}.")
    if BATCH_NORM in shifts:
        sentences.append(f"Without dropout it is {shifts[BATCH_NORM].text(2)}.")
    return " ".join([*sentences, _ends_sentence(results)])


def _ends_sentence(results: Results) -> str:
    orders = {order: records for order, records in results.items() if order != BATCH_NORM}
    best = leader(orders)
    worst = min(orders, key=lambda order: mean(orders[order], "test_accuracy").mean)
    gap = compare(orders, best, worst)
    return (
        f"Of the orders, {order_label(best)} ends with the highest mean test accuracy, "
        f"{gap.text} percentage points from the lowest, {order_label(worst)}: {gap.words}."
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
    ax.set(ylabel="moving variance / variance in use")
    figures.label_ends(ax, ends)
    return figure


def _colours(labels: Sequence[str]) -> dict[str, str]:
    """Return a shade for each order, and batch norm's own colour."""
    shades = plt.get_cmap("viridis")(np.linspace(0.95, 0.1, len(labels)))
    colours = {label: to_hex(shade) for label, shade in zip(labels, shades, strict=True)}
    return {**colours, BATCH_NORM: BATCH_NORM.colour}
