"""Variance shift: dropout changes the variance that a batch norm sees in training, and not the one
it meets in use.

Li et al. 2019, section 3. The moving variance is learned with dropout on; in evaluation mode
dropout is off.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor

from book.report import figures
from book.report.comparisons import compare, leader
from book.report.experiments import Results, mean
from book.report.intervals import Interval, mean_interval
from models.networks.architectures import parse_order
from models.records import Record


def dropped_variance(mean: float, variance: float, rate: float) -> float:
    """Variance of a value after inverted dropout: (variance + mean²) / (1 − rate) − mean².

    `mean` and `variance` are those before it, which evaluation mode keeps; Li et al. 2019, section
    3.1, case (a).

    >>> dropped_variance(0.0, 1.0, rate=0.5), dropped_variance(1.0, 1.0, rate=0.5)
    (2.0, 3.0)
    """
    return (variance + mean**2) / (1 - rate) - mean**2


def summed_variance(
    weights: Sequence[float], values: np.ndarray, rate: float
) -> tuple[float, float]:
    """Variances of a unit that adds up dropped-out values, in training and in evaluation mode.

    `values` (N, D) are N examples of D inputs, `weights` (D,) the unit's. By the law of total
    variance, the masks add rate / (1 − rate) · Σ w² E[x²] to what the values themselves give; Li et
    al. 2019, section 3.1, case (b).
    """
    weighted = np.asarray(weights) * values  # (N, D)
    in_use = float(weighted.sum(axis=1).var())
    return in_use + rate / (1 - rate) * float(np.square(weighted).mean(axis=0).sum()), in_use


def moment_rows(x: Tensor, y: Tensor, rate: float) -> list[list[str]]:
    """A row a column of `x` (N, D), constant in each: its value, then mean and variance of `y`,
    each beside theory.

    `y` (N, D) is `x` after dropout; the theory is a mean of x and a variance of rate / (1 − rate) ·
    x².
    """
    rows = []
    for value, mean_, variance in zip(
        x[0].tolist(), y.mean(0).tolist(), y.var(0).tolist(), strict=True
    ):
        numbers = (value, mean_, value, variance, dropped_variance(value, 0.0, rate))
        rows.append([f"{number + 0.0:.3f}".replace("-", "−") for number in numbers])
    return rows


def measured(records: Sequence[Record]) -> dict[str, list[float]]:
    """By layer, the batch norm's moving variance over the variance in evaluation mode: one number a
    seed.

    Both are means over the layer's units (`models.training.probes`); runs that diverged have none.
    """
    found = [
        record.diagnostics["probes"]["variances"]
        for record in records
        if "probes" in record.diagnostics
    ]
    layers = found[0] if found else ()
    return {
        layer: [one[layer]["running"] / one[layer]["eval"] for one in found] for layer in layers
    }


def shifts(records: Sequence[Record]) -> dict[str, Interval]:
    """The shift of each layer, mean over seeds: 1 is none, 2 a batch norm that divides by twice the
    right variance.
    """
    return {layer: mean_interval(ratios) for layer, ratios in measured(records).items()}


def overall_shift(records: Sequence[Record]) -> Interval | None:
    """Geometric mean of the layers' shifts, mean over seeds; None where every run diverged."""
    by_layer = list(measured(records).values())
    if not by_layer:
        return None
    return mean_interval(
        [float(np.exp(np.mean(np.log(ratios)))) for ratios in zip(*by_layer, strict=True)]
    )


def order_label(order: str, activation: str = "tanh") -> str:
    """An order as tables and figures write it; other names stay as they are.

    >>> order_label("norm-activation-dropout"), order_label("batch norm")
    ('BN → tanh → dropout', 'batch norm')
    """
    words = {"norm": "BN", "activation": activation, "dropout": "dropout"}
    return " → ".join(words[step] for step in parse_order(order)) if "-" in order else order


def order_rows(results: Results, alone: str = "batch norm") -> list[list[str | None]]:
    """A row an order: test accuracy, its difference from batch norm alone, that in words, the
    overall shift.
    """
    rows: list[list[str | None]] = []
    for order, records in results.items():
        accuracy, shift = mean(records, "test_accuracy").text(2, 100), overall_shift(records)
        against = None if order == alone else compare(results, order, alone)
        told = [against.text, against.words] if against else [None, None]
        rows.append([order_label(order), accuracy, *told, shift.text(2) if shift else None])
    return rows


def sentences(results: Results, alone: str = "batch norm") -> str:
    """Where the shift is largest and smallest, and which order ends best and worst, in prose.

    Raises:
        ValueError: every run diverged, so that no shift was measured.
    """
    known = {
        order: shift for order, records in results.items() if (shift := overall_shift(records))
    }
    if not known:
        raise ValueError("no shift was measured: every run diverged; choose a lower learning rate")
    ranked = sorted(
        (order for order in known if order != alone), key=lambda order: known[order].mean
    )
    told = [f"{order_label(order)} ({known[order].text(2)})" for order in ranked]
    parts = (
        [f"Over all layers, the shift is largest with {told[-1]} and smallest with {told[0]}."]
        if told
        else []
    )
    if alone in known:
        parts.append(f"Without dropout it is {known[alone].text(2)}.")
    return " ".join([*parts, _ends({order: results[order] for order in results if order != alone})])


def _ends(results: Results) -> str:
    best = leader(results)
    worst = min(results, key=lambda order: mean(results[order], "test_accuracy").mean)
    gap = compare(results, best, worst)
    told = f"Of the orders, {order_label(best)} ends with the highest mean test accuracy"
    return (
        f"{told}, {gap.text} percentage points from the lowest, {order_label(worst)}: {gap.words}."
    )


def direct_range(results: Results) -> tuple[float, float]:
    """Least and greatest shift of a layer whose dropout stands right before its batch norm, means
    over seeds.

    Raises:
        ValueError: no such layer was measured.
    """
    direct = [records for order, records in results.items() if "dropout-norm" in order]
    means = [shift.mean for records in direct for shift in shifts(records).values()]
    if not means:
        raise ValueError("no layer with dropout right before its batch norm was measured")
    return min(means), max(means)


def draw(results: Results) -> Figure:
    """The shift of each layer, a line an order, batch norm alone among them; on the dotted line
    there is none.
    """
    figure, axes = figures.new(size=(6.4, 3.6))
    ax = axes[0][0]
    series = {
        order_label(order): list(shifts(records).values()) for order, records in results.items()
    }
    layers = next((list(found) for records in results.values() if (found := measured(records))), [])
    shades = plt.get_cmap("viridis")(np.linspace(0.95, 0.1, len(series)))
    colours = {label: to_hex(shade) for label, shade in zip(series, shades, strict=True)}
    shown = {label: values for label, values in series.items() if values}
    ends = figures.sweep(ax, range(len(layers)), shown, {**colours, **figures.METHOD_COLOURS})
    ax.axhline(1, color=figures.BLACK, lw=0.8, ls=":")
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xticks(range(len(layers)), layers)
    ax.set(ylabel="moving variance / variance in use")
    figures.label_ends(ax, ends)
    return figure
