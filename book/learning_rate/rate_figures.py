"""Figures of the chapters on learning rate and batch size."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from book.learning_rate.iterations import Stretch, updates
from book.learning_rate.range_test import Bounds, Curve, smooth
from book.report import figures
from book.report.experiments import Results, histories
from book.report.figures import BLACK, BLUE, GREEN, GREY, METHOD_COLOURS, ORANGE

COLOURS = (BLUE, GREEN, ORANGE)  # of the readings that a range test is compared by
HEADROOM = 1.3  # a loss axis ends at so many times the first loss: a lost run's can be anything


def sweeps(curves: Sequence[Curve], found: Sequence[Bounds]) -> Figure:
    """Loss and accuracy of each seed against the rate, smoothed and as measured; the bounds of each
    seed as lines.
    """
    figure, axes = figures.new(2, size=(6.4, 3.0))
    for ax, name, scale in ((axes[0][0], "losses", 1), (axes[0][1], "accuracies", 100)):
        for curve in curves:
            values = scale * np.asarray(getattr(curve, name), dtype=float)
            kept = np.isfinite(values)
            rates = np.asarray(curve.rates)[kept]
            ax.plot(rates, values[kept], ".", color=BLUE, ms=4, alpha=0.35, mew=0)
            shown = (
                np.minimum(values[kept], 2 * HEADROOM * values[0])
                if name == "losses"
                else values[kept]
            )
            ax.plot(rates, smooth(rates, shown), color=BLUE, lw=1.2)
        for bounds in found:
            ax.axvline(bounds.lr_min, color=GREY, lw=0.8, ls="--")
            ax.axvline(bounds.lr_max, color=BLACK, lw=0.8, ls="--")
        ax.set(xscale="log", xlabel="learning rate")
    axes[0][0].set(
        ylabel="training loss, nats", ylim=(0, HEADROOM * max(curve.losses[0] for curve in curves))
    )
    axes[0][1].set(ylabel="training accuracy, %", ylim=(0, 100))
    _label_bounds(axes[0][0], found)
    return figure


def _label_bounds(ax: Axes, found: Sequence[Bounds]) -> None:
    places = (
        (min(one.lr_min for one in found), "lr_min", GREY),
        (max(one.lr_max for one in found), "lr_max", BLACK),
    )
    for (rate, label, colour), side in zip(places, ("right", "left"), strict=True):
        at = ax.get_xaxis_transform()
        ax.text(
            rate, 0.03, f" {label} ", transform=at, ha=side, va="bottom", color=colour, fontsize=8
        )


def candidates(readings: Mapping[str, Sequence[Curve]]) -> Figure:
    """Loss and accuracy at each candidate rate, a line a seed; what is off the axis is a triangle
    at its edge.
    """
    figure, axes = figures.new(2, size=(6.4, 3.0))
    top = HEADROOM * max(curve.losses[0] for curves in readings.values() for curve in curves)
    for ax, name, scale, limit in (
        (axes[0][0], "losses", 1, top),
        (axes[0][1], "accuracies", 100, 100.0),
    ):
        for curves, colour in zip(readings.values(), COLOURS, strict=True):
            for curve in curves:
                _points(
                    ax,
                    curve.rates,
                    [scale * value for value in getattr(curve, name)],
                    limit,
                    colour,
                )
        ax.set(xscale="log", xlabel="learning rate", ylim=(0, limit * 1.02))
    axes[0][0].set_ylabel("training loss, nats")
    axes[0][1].set_ylabel("training accuracy, %")
    for row, (label, colour) in enumerate(zip(readings, COLOURS, strict=True)):
        at = axes[0][1].transAxes
        axes[0][1].text(
            0.03, 0.97 - 0.08 * row, label, color=colour, transform=at, va="top", fontsize=9
        )
    return figure


def _points(
    ax: Axes, rates: Sequence[float], values: Sequence[float], limit: float, colour: str
) -> None:
    measured = np.asarray(values, dtype=float)
    off = ~(measured <= limit)  # what is no number, too
    ax.plot(rates, np.where(off, np.nan, measured), ".-", color=colour, lw=1)
    ax.plot(np.asarray(rates)[off], np.full(off.sum(), limit), "^", color=colour, ms=5)


def schedules(rates: Mapping[str, Sequence[float]]) -> Figure:
    """The learning rate of each policy, iteration by iteration, in panels that share their axes."""
    figure, axes = figures.new(len(rates), size=(6.4, 1.9), sharey=True)
    for ax, (policy, values) in zip(axes[0], rates.items(), strict=True):
        ax.plot(values, color=METHOD_COLOURS.get(policy), lw=1)
        ax.set_xlabel(policy, color=METHOD_COLOURS.get(policy), fontsize=8)
        ax.tick_params(labelsize=7)
    axes[0][0].set(ylabel="learning rate", ylim=(0, None))
    return figure


def within(runs: Mapping[str, Sequence[Sequence[Stretch]]]) -> Figure:
    """Training loss inside the epochs, mean over seeds, above the learning rate at the same
    iterations.
    """
    figure, axes = figures.new(1, rows=2, size=(6.4, 3.6), sharex=True, height_ratios=(3, 1))
    ends = []
    for policy, seeds in runs.items():
        length = min(map(len, seeds))  # a seed that diverged has fewer
        middles = [(stretch.first + stretch.end) / 2 for stretch in seeds[0][:length]]
        means = np.mean(
            [[stretch.loss for stretch in stretches[:length]] for stretches in seeds], axis=0
        )
        axes[0][0].plot(middles, means, color=METHOD_COLOURS.get(policy), lw=1)
        axes[1][0].plot(
            middles, [one.rate for one in seeds[0][:length]], color=METHOD_COLOURS.get(policy), lw=1
        )
        ends.append((float(means[-1]), policy, METHOD_COLOURS.get(policy, BLACK)))
    axes[0][0].set(ylabel="training loss, nats")
    axes[1][0].set(xlabel="iteration", ylabel="learning rate", ylim=(0, None))
    figures.label_ends(axes[0][0], ends)
    return figure


def by_epochs_and_updates(results: Results, name: str, label: str) -> Figure:
    """A column of the histories against epochs, and against updates on a logarithmic axis; a line a
    seed.
    """
    figure, axes = figures.new(2, size=(6.4, 3.0), sharey=True)
    ends = figures.curves(axes[0][0], histories(results, name))
    for method, records in results.items():
        look = {"color": METHOD_COLOURS.get(method), "lw": 1, "ms": 4}
        for record, values in zip(records, histories(results, name)[method], strict=True):
            axes[0][1].plot(updates(record), values[: len(record.history)], ".-", **look)
    axes[0][0].set(xlabel="epoch", ylabel=label)
    axes[0][1].set_xscale("log", base=2)
    axes[0][1].xaxis.set_major_formatter(ScalarFormatter())
    axes[0][1].set_xlabel("updates")
    figures.label_ends(axes[0][1], ends)
    return figure
