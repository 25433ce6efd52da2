"""Co-adaptation: an example of two units, and what runs measured (`models.training.ablation`)."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sympy import Expr, Integer, expand, factor, lambdify, prod, simplify, symbols

from book.report import figures
from book.report.experiments import Results
from book.report.intervals import mean_interval
from book.report.methods import named
from models.records import Record

FIRST, SECOND, RATE = symbols("c_1 c_2 p", real=True)
NEAR_ZERO, SATURATED = 0.1, 0.9  # of an activation's size


# An example: two units that may cancel each other's error


def expected_loss() -> Expr:
    """Return the mean squared error of (h₁ + h₂)/2 as an estimate of a signal s, in c₁, c₂ and p.

    Each unit hears the signal and a nuisance, h = s + c n; s and n are independent, of mean 0 and
    variance 1. The mean is over s, n and the four masks of inverted dropout: a unit is dropped with
    probability p, the dropout rate, else divided by 1 − p.

    >>> expected_loss().subs(RATE, 0).factor()
    (c_1 + c_2)**2/4
    """
    signal, nuisance = symbols("s n")
    total: Expr = Integer(0)
    for masks in product((0, 1), repeat=2):
        probability = prod([RATE if mask == 0 else 1 - RATE for mask in masks])
        outputs = [
            mask * (signal + c * nuisance) / (1 - RATE)
            for mask, c in zip(masks, (FIRST, SECOND), strict=True)
        ]
        squared = expand((sum(outputs) / 2 - signal) ** 2)
        mean = squared.coeff(signal, 2) + squared.coeff(nuisance, 2)  # E s² = E n² = 1, E s n = 0
        total += probability * mean
    return simplify(total)


def split_loss() -> Expr:
    """Return the same, written as what dropout does not touch, and what it adds."""
    kept = expected_loss().subs(RATE, 0)
    return factor(kept) + factor(expected_loss() - kept)


def loss_alone(c: float) -> float:
    """Return the mean squared error when the other unit says nothing: of (s + c n)/2.

    >>> loss_alone(0.0), loss_alone(1.0)
    (0.25, 0.5)
    """
    return (1 + c**2) / 4


def descend(start: tuple[float, float], rate: float, lr: float, steps: int) -> NDArray[np.float64]:
    """Descend the gradient of the expected loss from `start`: (steps + 1, 2), the two units' c."""
    loss = expected_loss().subs(RATE, rate)
    gradient = lambdify((FIRST, SECOND), [loss.diff(FIRST), loss.diff(SECOND)])
    path = [np.array(start, dtype=float)]
    for _ in range(steps):
        path.append(path[-1] - lr * np.array(gradient(*path[-1]), dtype=float))
    return np.array(path)


def draw_descent(paths: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Draw the share of the nuisance in each of the two units, step by step, a panel a method."""
    figure, axes = figures.new(len(paths), sharey=True, size=(6.4, 2.6))
    for ax, (method, path) in zip(axes[0], paths.items(), strict=True):
        for unit, dash in enumerate(("-", "--")):
            ax.plot(path[:, unit], color=named(method).colour, ls=dash)
            _label_unit(ax, path, unit)
        ax.set(xlabel="step", title=method, ymargin=0.15)
    axes[0][0].set_ylabel("share of the nuisance, c")
    return figure


def _label_unit(ax: Axes, path: NDArray[np.float64], unit: int) -> None:
    """Write which unit a line is, on the side away from the other one."""
    step = len(path) // 4
    above = path[step, unit] >= path[step, 1 - unit]
    side: dict[str, Any] = {"xytext": (0, 4 if above else -4), "va": "bottom" if above else "top"}
    point = (step, path[step, unit])
    ax.annotate(f"unit {unit + 1}", point, textcoords="offset points", fontsize=9, **side)


# What runs measured


def units_of(record: Record) -> dict[str, Any]:
    """Return what the probe `units` measured of a run (`models.training.ablation`)."""
    return dict(record.diagnostics["probes"]["units"])


def layer_of(record: Record, layer: str) -> dict[str, Any]:
    """Return what the probe `units` measured of a layer."""
    return dict(units_of(record)["layers"][layer])


def layers(results: Results) -> list[str]:
    """Return the layers whose units were measured."""
    return list(units_of(_first(results))["layers"])


def judged_images(results: Results) -> int:
    """Return on how many test images the units were judged."""
    return int(units_of(_first(results))["images"])


def _first(results: Results) -> Record:
    return next(iter(results.values()))[0]


def damage(record: Record, layer: str) -> float:
    """Return by how much the test loss (nats) grows when one unit is silenced, mean over units."""
    silenced = np.mean(layer_of(record, layer)["losses"])
    return float(silenced - units_of(record)["loss"])


def lost(record: Record, layer: str) -> NDArray[np.float64]:
    """Return the test accuracy lost when several random units are silenced (k,), see `shares`."""
    accuracies = np.array(layer_of(record, layer)["together"]["accuracies"])
    return np.asarray(units_of(record)["accuracy"] - accuracies)


def shares(record: Record, layer: str) -> NDArray[np.float64]:
    """Return how many units were silenced together (k,), as shares of the layer up to half."""
    units = layer_of(record, layer)
    return np.array(units["together"]["counts"]) / len(units["losses"])


def half_lost(record: Record, layer: str) -> float:
    """Return the test accuracy lost when a random half of a layer is silenced."""
    return float(lost(record, layer)[-1])


def correlation(record: Record, layer: str) -> float:
    """Return the mean of |correlation| over the pairs of a layer's units, on test images."""
    return float(layer_of(record, layer)["correlation"])


def near_zero(record: Record, layer: str) -> float:
    """Return the share of a layer's activations that are smaller than 0.1 in size."""
    return share(layer_of(record, layer)["activations"], -NEAR_ZERO, NEAR_ZERO)


def saturated(record: Record, layer: str) -> float:
    """Return the share of a layer's activations that are larger than 0.9 in size: a tanh's ends."""
    return 1 - share(layer_of(record, layer)["activations"], -SATURATED, SATURATED)


def share(histogram: Mapping[str, Any], low: float, high: float) -> float:
    """Return the share of a histogram's bins that lie between two values.

    >>> share({"low": -1.0, "high": 1.0, "shares": [0.1, 0.2, 0.3, 0.4]}, -0.5, 0.5)
    0.5
    """
    edges, shares = bins(histogram)
    middles = (edges[1:] + edges[:-1]) / 2
    return float(shares[(middles > low) & (middles < high)].sum())


def bins(histogram: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return edges (n + 1,) and shares (n,) of a histogram."""
    shares = np.array(histogram["shares"], dtype=float)
    return np.linspace(histogram["low"], histogram["high"], len(shares) + 1), shares


# Figures


def draw_lost(results: Results, variants: Sequence[str], layer: str) -> Figure:
    """Draw the test accuracy lost against the share of a layer's units that are silenced.

    Means over seeds, with 95 % bands.
    """
    figure, axes = figures.new(size=(6.4, 2.4))
    ax, ends = axes[0][0], []
    for method in map(named, variants):
        positions = 100 * shares(results[method][0], layer)
        columns = zip(*(100 * lost(record, layer) for record in results[method]), strict=True)
        intervals = [mean_interval(values) for values in columns]
        means = [interval.mean for interval in intervals]
        ax.plot(positions, means, marker=".", color=method.colour, ls=method.dash)
        figures.band(ax, positions, intervals, method.colour)
        ends.append((means[-1], method.name, method.colour))
    ax.set(xlabel=f"units of {layer} silenced, %", ylabel="test accuracy lost, points")
    figures.label_ends(ax, ends)
    return figure


def draw_histograms(results: Results, variants: Sequence[str], layer: str) -> Figure:
    """Draw histograms of a layer's units: mean activations, activations, correlations of pairs.

    Shares are means over seeds.
    """
    labels = {
        "mean_activations": "mean activation of a unit",
        "activations": "activation",
        "correlations": "|correlation| of two units",
    }
    figure, axes = figures.new(len(labels), size=(6.4, 2.3))
    for ax, (kind, label) in zip(axes[0], labels.items(), strict=True):
        for method in map(named, variants):
            histograms = [bins(layer_of(record, layer)[kind]) for record in results[method]]
            shares = np.mean([heights for _, heights in histograms], axis=0)
            look: dict[str, Any] = {"color": method.colour, "ls": method.dash, "lw": 1.3}
            ax.stairs(100 * shares, histograms[0][0], label=method.name, **look)
        ax.set(xlabel=label)
    axes[0][0].set_ylabel("share, %")
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(variants))
    return figure


def draw_filters(results: Results, variants: Sequence[str]) -> Figure:
    """Draw the first layer's filters of the first seed, on their first input channel.

    A row is a variant; all have one scale.
    """
    first_runs = {name: units_of(results[name][0]) for name in variants}
    filters = {name: np.array(units["filters"])[:, 0] for name, units in first_runs.items()}
    most = max(np.abs(kernels).max() for kernels in filters.values())  # kernels: (C, k, k)
    count = len(next(iter(filters.values())))
    figure, axes = figures.new(count, rows=len(filters), size=(6.4, 0.58 * len(filters)))
    for row, (name, kernels) in zip(axes, filters.items(), strict=True):
        for ax, kernel in zip(row, kernels, strict=True):
            image = ax.imshow(kernel, cmap="RdBu", vmin=-most, vmax=most)
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
        label = name.replace(" ", "\n")
        row[0].set_ylabel(label, color=named(name).colour, rotation=0, ha="right")
    figure.colorbar(image, ax=axes, shrink=0.8, label="weight")
    return figure
