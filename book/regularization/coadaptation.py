"""Co-adaptation: a worked example of two units, and what runs measured of it
(`models.training.ablation`).
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sympy import Expr, Integer, expand, factor, lambdify, prod, simplify, symbols

from book.report import figures
from book.report.experiments import Results
from book.report.intervals import mean_interval
from models.records import Record

FIRST, SECOND, RATE = symbols("c_1 c_2 p", real=True)
NEAR_ZERO, SATURATED = 0.1, 0.9  # of an activation's size


# An example: two units that may cancel each other's error


def expected_loss() -> Expr:
    """Mean squared error of (h₁ + h₂)/2 as an estimate of a signal s, in c₁, c₂ and the dropout
    rate p.

    Each unit hears the signal and a nuisance, h = s + c n; s and n are independent, of mean 0 and
    variance 1. The mean is over s, n and the four masks of inverted dropout: a unit is dropped with
    probability p, else divided by 1 − p.

    >>> expected_loss().subs(RATE, 0).factor()
    (c_1 + c_2)**2/4
    """
    signal, nuisance = symbols("s n")
    total: Expr = Integer(0)
    for masks in product((0, 1), repeat=2):
        chance = prod([RATE if mask == 0 else 1 - RATE for mask in masks])
        heard = [
            mask * (signal + c * nuisance) / (1 - RATE)
            for mask, c in zip(masks, (FIRST, SECOND), strict=True)
        ]
        squared = expand((sum(heard) / 2 - signal) ** 2)
        total += chance * (
            squared.coeff(signal, 2) + squared.coeff(nuisance, 2)
        )  # E s² = E n² = 1, E s n = 0
    return simplify(total)


def split_loss() -> Expr:
    """The same, written as what dropout does not touch, and what it adds."""
    kept = expected_loss().subs(RATE, 0)
    return factor(kept) + factor(expected_loss() - kept)


def loss_alone(c: float) -> float:
    """Mean squared error when the other unit says nothing: of (s + c n)/2 as an estimate of s.

    >>> loss_alone(0.0), loss_alone(1.0)
    (0.25, 0.5)
    """
    return (1 + c**2) / 4


def descend(start: tuple[float, float], rate: float, lr: float, steps: int) -> NDArray[np.float64]:
    """Gradient descent on the expected loss from `start`: (steps + 1, 2), the two units' c."""
    loss = expected_loss().subs(RATE, rate)
    gradient = lambdify((FIRST, SECOND), [loss.diff(FIRST), loss.diff(SECOND)])
    path = [np.array(start, dtype=float)]
    for _ in range(steps):
        path.append(path[-1] - lr * np.array(gradient(*path[-1]), dtype=float))
    return np.array(path)


def draw_descent(paths: dict[str, NDArray[np.float64]]) -> Figure:
    """What each of the two units hears of the nuisance, step by step, a panel a method."""
    figure, axes = figures.new(len(paths), sharey=True, size=(6.4, 2.6))
    for ax, (name, path) in zip(axes[0], paths.items(), strict=True):
        place = len(path) // 4
        for unit, style in enumerate(("-", "--")):
            ax.plot(path[:, unit], color=figures.METHOD_COLOURS.get(name, figures.GREY), ls=style)
            above = path[place, unit] >= path[place, 1 - unit]
            look = {"xytext": (0, 4 if above else -4), "textcoords": "offset points", "fontsize": 9}
            ax.annotate(
                f"unit {unit + 1}",
                (place, path[place, unit]),
                va="bottom" if above else "top",
                **look,
            )
        ax.set(xlabel="step", title=name, ymargin=0.15)
    axes[0][0].set_ylabel("nuisance heard, c")
    return figure


# What runs measured


def layer_of(record: Record, layer: str) -> dict[str, Any]:
    """What the probe `units` measured of a layer (`models.training.ablation`)."""
    return dict(record.diagnostics["probes"]["units"]["layers"][layer])


def layers(results: Results) -> list[str]:
    """The layers whose units were measured."""
    return list(next(iter(results.values()))[0].diagnostics["probes"]["units"]["layers"])


def judged(results: Results) -> int:
    """On how many test images the units were judged."""
    return int(next(iter(results.values()))[0].diagnostics["probes"]["units"]["images"])


def damage(record: Record, layer: str) -> float:
    """By how much the test loss (nats) grows when one unit of a layer says nothing, a mean over its
    units.
    """
    alone = np.mean(layer_of(record, layer)["losses"])
    return float(alone - record.diagnostics["probes"]["units"]["loss"])


def lost(record: Record, layer: str) -> NDArray[np.float64]:
    """Test accuracy lost when so many random units of a layer say nothing (k,), see `shares`."""
    together = layer_of(record, layer)["together"]
    return np.asarray(
        record.diagnostics["probes"]["units"]["accuracy"] - np.array(together["accuracies"])
    )


def shares(record: Record, layer: str) -> NDArray[np.float64]:
    """How many units were silenced together (k,), as shares of the layer; the last one is half."""
    told = layer_of(record, layer)
    return np.array(told["together"]["counts"]) / len(told["losses"])


def half_lost(record: Record, layer: str) -> float:
    """Test accuracy lost when a random half of a layer says nothing."""
    return float(lost(record, layer)[-1])


def correlation(record: Record, layer: str) -> float:
    """Mean of |correlation| over the pairs of a layer's units, on test images."""
    return float(layer_of(record, layer)["correlation"])


def near_zero(record: Record, layer: str) -> float:
    """The share of a layer's activations that are smaller than 0.1 in size."""
    return share(layer_of(record, layer)["activations"], -NEAR_ZERO, NEAR_ZERO)


def saturated(record: Record, layer: str) -> float:
    """The share of a layer's activations that are larger than 0.9 in size: a tanh's ends."""
    return 1 - share(layer_of(record, layer)["activations"], -SATURATED, SATURATED)


def share(histogram: Mapping[str, Any], low: float, high: float) -> float:
    """The share of a histogram's bins that lie between two values.

    >>> share({"low": -1.0, "high": 1.0, "shares": [0.1, 0.2, 0.3, 0.4]}, -0.5, 0.5)
    0.5
    """
    edges, shares = bins(histogram)
    middles = (edges[1:] + edges[:-1]) / 2
    return float(shares[(middles > low) & (middles < high)].sum())


def bins(histogram: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges (n + 1,) and shares (n,) of a histogram."""
    shares = np.array(histogram["shares"], dtype=float)
    return np.linspace(histogram["low"], histogram["high"], len(shares) + 1), shares


# Figures


def draw_lost(results: Results, variants: Sequence[str], layer: str) -> Figure:
    """Test accuracy lost against the share of a layer's units that say nothing: means over seeds,
    95 % bands.
    """
    figure, axes = figures.new(size=(6.4, 3.0))
    ax, ends = axes[0][0], []
    for name in variants:
        positions = 100 * shares(results[name][0], layer)
        columns = zip(*(100 * lost(record, layer) for record in results[name]), strict=True)
        intervals = [mean_interval(values) for values in columns]
        look = {"color": figures.METHOD_COLOURS[name], "ls": figures.METHOD_LINES.get(name)}
        ax.plot(positions, [one.mean for one in intervals], marker=".", **look)
        low, high = ([getattr(one, end) for one in intervals] for end in ("low", "high"))
        ax.fill_between(positions, low, high, color=look["color"], alpha=0.2, lw=0)
        ends.append((intervals[-1].mean, name, str(look["color"])))
    ax.set(xlabel=f"units of {layer} silenced, %", ylabel="test accuracy lost, points")
    figures.label_ends(ax, ends)
    return figure


def draw_histograms(results: Results, variants: Sequence[str], layer: str) -> Figure:
    """Histograms of a layer's units, means over seeds: mean activations, activations, correlations
    of pairs.
    """
    labels = {
        "mean_activations": "mean activation of a unit",
        "activations": "activation",
        "correlations": "|correlation| of two units",
    }
    figure, axes = figures.new(len(labels), size=(6.4, 2.6))
    for ax, (kind, label) in zip(axes[0], labels.items(), strict=True):
        for name in variants:
            found = [bins(layer_of(record, layer)[kind]) for record in results[name]]
            shares = np.mean([one for _, one in found], axis=0)
            colour, line = figures.METHOD_COLOURS[name], figures.METHOD_LINES.get(name, "-")
            ax.stairs(100 * shares, found[0][0], color=colour, ls=line, lw=1.3, label=name)
        ax.set(xlabel=label)
    axes[0][0].set_ylabel("share, %")
    figure.legend(
        *axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(variants)
    )
    return figure


def draw_filters(results: Results, variants: Sequence[str]) -> Figure:
    """The first layer's filters of the first seed, on their first input channel: a row a variant,
    one scale.
    """
    rows = {name: results[name][0].diagnostics["probes"]["units"]["filters"] for name in variants}
    filters = {name: np.array(found)[:, 0] for name, found in rows.items()}  # (C, k, k)
    most = max(np.abs(found).max() for found in filters.values())
    count = len(next(iter(filters.values())))
    figure, axes = figures.new(count, rows=len(filters), size=(6.4, 0.9 * len(filters)))
    for row, (name, found) in zip(axes, filters.items(), strict=True):
        for ax, kernel in zip(row, found, strict=True):
            image = ax.imshow(kernel, cmap="RdBu", vmin=-most, vmax=most)
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
        row[0].set_ylabel(
            name.replace(" ", "\n"), color=figures.METHOD_COLOURS[name], rotation=0, ha="right"
        )
    figure.colorbar(image, ax=axes, shrink=0.8, label="weight")
    return figure
