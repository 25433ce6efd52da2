"""Figures of the chapter on exercises."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from book import figures
from book.figures import BLACK, METHOD_COLOURS
from book.intervals import Interval
from book.usable import Range


def ranges(panels: Mapping[str, Mapping[str, Range]], *, xlabel: str) -> Figure:
    """Test accuracy against a setting on a logarithmic axis: a panel an activation, a line a method.

    A cross stands where a run diverged, a dotted line at each method's largest usable value.
    """
    figure, axes = figures.new(len(panels), size=(6.4, 2.9), sharey=True)
    for ax, (activation, found) in zip(axes[0], panels.items(), strict=True):
        ends = _lines(ax, found)
        ax.set(xscale="log", xlabel=f"{xlabel} ({activation})", ylim=(0, 100))
    figures.label_ends(axes[0][-1], ends)
    axes[0][0].set_ylabel("test accuracy, %")
    return figure


def _lines(ax: Axes, found: Mapping[str, Range]) -> list[tuple[float, str, str]]:
    values = [trial.value for trial in next(iter(found.values())).trials]
    ends = figures.sweep(
        ax, values, {method: [trial.accuracy.affine(100) for trial in one.trials] for method, one in found.items()}
    )
    for method, one in found.items():
        lost = [(trial.value, 100 * trial.accuracy.mean) for trial in one.trials if trial.diverged]
        for point in lost:
            ax.plot(*point, "x", color=BLACK, ms=7, zorder=3)
        if one.usable:
            ax.axvline(one.largest, color=METHOD_COLOURS.get(method), ls=":", lw=1)
    return ends


def effects(panels: Mapping[str, Mapping[str, Interval]]) -> Figure:
    """What a batch norm in each layer adds to the test accuracy, in percentage points: a panel an activation."""
    figure, axes = figures.new(len(panels), size=(6.4, 2.2), sharey=True)
    for ax, (activation, layers) in zip(axes[0], panels.items(), strict=True):
        for row, interval in enumerate(effect.affine(100) for effect in layers.values()):
            colour = METHOD_COLOURS["batch norm"]
            ax.errorbar(interval.mean, row, xerr=interval.half_width, fmt="o", color=colour, ms=5, capsize=3)
        ax.axvline(0, color=BLACK, lw=0.8, ls=":")
        ax.set_yticks(range(len(layers)), list(layers))
        ax.set_xlabel(f"percentage points ({activation})")
    axes[0][0].invert_yaxis()
    return figure
