"""Internal covariate shift: a worked example, and what runs measured (`models.training.probes`)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from book.report import figures
from book.report.colours import BLACK, BLUE, GREY, RED
from book.report.experiments import Results
from book.report.methods import named
from models.records import Record

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)  # of integrals against exp(−x²/2)


# An example: a tanh unit over units that learn at the same time


@dataclass(frozen=True)
class TanhInput:
    """Normally distributed inputs of a tanh unit."""

    mean: float
    std: float

    def expectation(self, values: NDArray[np.float64]) -> float:
        """Return the mean of a function of the inputs, given its `values` at `points`."""
        return float(WEIGHTS @ values / WEIGHTS.sum())

    @property
    def points(self) -> NDArray[np.float64]:
        """The inputs at which Gauss and Hermite's quadrature looks."""
        return self.mean + self.std * NODES

    @property
    def output(self) -> float:
        """Mean of what the unit says.

        >>> abs(TanhInput(0.0, 1.0).output) < 1e-12
        True
        """
        return self.expectation(np.tanh(self.points))

    @property
    def slope(self) -> float:
        """Mean slope of the tanh: the share of a gradient that passes down.

        >>> round(TanhInput(0.0, 1e-6).slope, 6)
        1.0
        """
        return self.expectation(1 - np.tanh(self.points) ** 2)

    def error(self, target: float) -> float:
        """Return the derivative of ½ E[(tanh z − target)²] by a shift of z."""
        y = np.tanh(self.points)
        return self.expectation((y - target) * (1 - y**2))


def glorot_length(inputs: int, outputs: int) -> float:
    """Return the expected squared length of a unit's weights (Glorot and Bengio 2010, eq. 16).

    Each of the `inputs` initial weights has a variance of 2 / (inputs + outputs).

    >>> glorot_length(100, 100)
    1.0
    """
    return 2 * inputs / (inputs + outputs)


def one_step(squared_length: float, target: float, lr: float) -> dict[str, TanhInput]:
    """Return a tanh unit's input before one step, after one of its own bias, and after one of all.

    The unit is z = Σ w h + b. The units below are h = x + c with standard normal x; c and b are 0
    at first, w has this `squared_length`. The step is one of gradient descent on
    ½ E[(tanh z − target)²]: it moves b by s = −lr · error, each c by s · w, and so the mean of z by
    s · (1 + squared length).
    """
    before = TanhInput(0.0, math.sqrt(squared_length))
    shift = -lr * before.error(target)
    return {
        "before": before,
        "its own step": TanhInput(shift, before.std),
        "all layers' step": TanhInput(shift * (1 + squared_length), before.std),
    }


def draw_step(inputs: dict[str, TanhInput]) -> Figure:
    """Draw the densities of a tanh's input, above the slope of the tanh there."""
    figure, axes = figures.new()
    ax, z = axes[0][0], np.linspace(-4, 6, 400)
    ax.fill_between(z, 1 - np.tanh(z) ** 2, color=GREY, alpha=0.2, lw=0)
    ax.annotate("slope of tanh", (0, 0.93), ha="center", color=GREY, fontsize=9)
    looks = ((BLACK, "right", -0.3), (BLUE, "center", 0.0), (RED, "left", 0.3))
    for (label, one), (colour, align, aside) in zip(inputs.items(), looks, strict=True):
        bell = np.exp(-(((z - one.mean) / one.std) ** 2) / 2)
        density = bell / (one.std * math.sqrt(2 * math.pi))
        ax.plot(z, density, color=colour)
        place = (one.mean + aside, density.max() + 0.02 + 0.05 * (align == "center"))
        ax.annotate(label, place, ha=align, color=colour, fontsize=9)
    ax.set(xlabel="input of the tanh, z", ylabel="density; slope", ylim=(0, 1.02))
    return figure


# What runs measured


def layers(results: Results) -> list[str]:
    """Return the hidden layers whose inputs were measured."""
    return list(_first(results).probed("inputs")["layers"])


def blocks(results: Results) -> list[str]:
    """Return the layers whose gradients were measured before and after a step of those below."""
    return list(_first(results).probed("gradients")["shift"])


def measured_points(results: Results) -> int:
    """Return at how many points of its training a run measured its inputs."""
    return len(_first(results).probed("inputs")["iteration"])


def measured_units(results: Results) -> int:
    """Return how many units of a layer were measured, at most."""
    inputs = _first(results).probed("inputs")["layers"]
    return max(len(layer["unit_means"][0]) for layer in inputs.values())


def _first(results: Results) -> Record:
    return next(iter(results.values()))[0]


def drift(record: Record, layer: str) -> float:
    """Return how far the mean input of a unit wanders in training, in units of its spread.

    For each measured unit the standard deviation of its mean over the points of training, over the
    root of its mean variance; the mean over units. The points stand in geometric steps, with one
    more after each epoch.
    """
    inputs = record.probed("inputs")["layers"][layer]
    means, variances = _array(inputs["unit_means"]), _array(inputs["unit_variances"])  # (n, u)
    return float(np.mean(means.std(axis=0) / np.sqrt(variances.mean(axis=0))))


def moments_gap(record: Record, layer: str) -> float:
    """Return how far the last measured means of a layer's inputs are off the β of its batch norm.

    The layer is one all of whose channels were measured, as those of the first convolution are.
    """
    means = _array(record.probed("inputs")["layers"][layer]["unit_means"][-1])
    return float(np.max(np.abs(means - _array(record.parameters[layer]["beta"]))))


def rescaling(record: Record, layer: str) -> float:
    """Return how far the spread wanders: over training, the standard deviation of its logarithm.

    Mean over units.
    """
    variances = _array(record.probed("inputs")["layers"][layer]["unit_variances"])
    return float(np.mean((np.log(variances) / 2).std(axis=0)))


def mean_drift(record: Record) -> float:
    """Return the `drift`, mean over the layers."""
    return float(np.mean([drift(record, layer) for layer in record.probed("inputs")["layers"]]))


def mean_rescaling(record: Record) -> float:
    """Return the `rescaling`, mean over the layers."""
    return float(np.mean([rescaling(record, layer) for layer in record.probed("inputs")["layers"]]))


def gradient_shift(record: Record, block: str) -> float:
    """Return what a step of the layers below changes in a layer's own gradient, in its lengths.

    Santurkar et al. 2018, definition 2.1, divided by the gradient's length; mean over the points of
    training.
    """
    shift = record.probed("gradients")["shift"][block]
    return float(np.mean(_array(shift["distance"]) / _array(shift["norm"])))


def mean_gradient_shift(record: Record) -> float:
    """Return the `gradient_shift`, mean over the layers."""
    shifts = [gradient_shift(record, block) for block in record.probed("gradients")["shift"]]
    return float(np.mean(shifts))


def relative_change(record: Record) -> NDArray[np.float64]:
    """Return the gradient's largest change along a step at each point (n,), in its lengths.

    The step is one of ½ to 4 learning rates. Santurkar et al. 2018, figure 4 (b), divided by the
    gradient's length: 0 is a gradient that tells all. As a step is that many lengths of the
    gradient, this is also the change over the distance gone, their figure 4 (c), times the rate.
    """
    gradients = record.probed("gradients")
    return np.asarray(_array(gradients["distances"]).max(axis=1) / _array(gradients["norm"]))


def mean_relative_change(record: Record) -> float:
    """Return the `relative_change`, mean over the points of training."""
    return float(relative_change(record).mean())


def mean_change(record: Record) -> float:
    """Return the gradient's largest change along a step, as it is, mean over training's points.

    Santurkar et al. 2018, figure 4 (b).
    """
    return float(_array(record.probed("gradients")["distances"]).max(axis=1).mean())


def loss_range(record: Record) -> float:
    """Return by how many nats the loss varies along a step of ½ to 4 learning rates.

    Mean over the points of training. Santurkar et al. 2018, figure 4 (a).
    """
    return float(np.mean(np.ptp(_array(record.probed("gradients")["losses"]), axis=1)))


def mean_test_loss(record: Record) -> float:
    """Return the test loss (nats), mean over the epochs: low for a network that learns fast."""
    return float(np.mean(_array(record.curve("test_loss"))))


def _array(values: Sequence[object]) -> NDArray[np.float64]:
    """Return numbers; not a number where a record has none."""
    return np.array(values, dtype=float)


# Figures


def draw_percentiles(results: Results, variants: Sequence[str], layer: str) -> Figure:
    """Draw median and 15th to 85th percentile of one unit's input over training, by variant.

    The runs are those of the first seed, a panel each.
    """
    figure, axes = figures.new(len(variants), sharey=True)
    for ax, name in zip(axes[0], variants, strict=True):
        inputs, colour = results[name][0].probed("inputs"), named(name).colour
        low, middle, high = _array(inputs["layers"][layer]["percentiles"]).T
        ax.fill_between(inputs["iteration"], low, high, color=colour, alpha=0.25, lw=0)
        ax.plot(inputs["iteration"], middle, color=colour)
        _log_iterations(ax)
        ax.set_title(name, color=colour)
    axes[0][0].set_ylabel("input of the tanh")
    return figure


def draw_predictiveness(results: Results, variants: Sequence[str]) -> Figure:
    """Draw, along the gradient, between which losses a step ends, and how far the gradient turns.

    Means over seeds.
    """
    figure, axes = figures.new(2, size=(6.4, 3.0))
    losses_ax, change_ax = axes[0]
    ends = []
    for name in variants:
        records, colour = results[name], named(name).colour
        _loss_band(losses_ax, records, colour)
        ends.append((_change_line(change_ax, records, colour), name, colour))
    losses_ax.set(ylabel="loss after a step, nats", yscale="log")
    change_ax.set(ylabel="change of gradient / its length")
    for ax in axes[0]:
        _log_iterations(ax)
    figures.label_ends(change_ax, ends)
    return figure


def _loss_band(ax: Axes, records: Sequence[Record], colour: str) -> None:
    gradients = [record.probed("gradients") for record in records]
    losses = np.mean([_array(one["losses"]) for one in gradients], axis=0)  # (n, s)
    low, high = losses.min(axis=1), losses.max(axis=1)
    ax.fill_between(gradients[0]["iteration"], low, high, color=colour, alpha=0.35, lw=0.8)


def _change_line(ax: Axes, records: Sequence[Record], colour: str) -> float:
    """Draw one variant's relative change with the range of its seeds, and return the last mean."""
    iterations = records[0].probed("gradients")["iteration"]
    changes = np.array([relative_change(record) for record in records])  # (seeds, n)
    means = changes.mean(axis=0)
    ax.plot(iterations, means, color=colour)
    low, high = changes.min(axis=0), changes.max(axis=0)
    ax.fill_between(iterations, low, high, color=colour, alpha=0.2, lw=0)
    return float(means[-1])


def _log_iterations(ax: Axes) -> None:
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xlim(left=0)
    ax.set_xlabel("iteration")
