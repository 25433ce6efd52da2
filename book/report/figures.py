"""The book's figures: one style, one colour a method, uncertainty drawn.

A figure's caption, name and alt text stand in the metadata of the cell that draws it
(`mystnb.figure`, `mystnb.image`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from book.builder import trace
from book.report import curve_values
from book.report.colours import BLACK
from book.report.intervals import Interval, mean_interval
from book.report.methods import Method, named

STYLE = Path(__file__).with_name("report.mplstyle")

#: Histories by method: each has one a seed, each a sequence over epochs.
Series = Mapping[str, Sequence[Sequence[float]]]

#: What a quantity can be at least and at most: a loss or a ratio, and an accuracy in per cent.
NO_LESS_THAN_ZERO, PER_CENT = (0.0, np.inf), (0.0, 100.0)
UNLIMITED = (-np.inf, np.inf)

#: A line's last value, label and colour, for `label_ends`.
End = tuple[float, str, str]


def use_style() -> None:
    """Use the book's style in this kernel; figures come as SVG that says its curves' values."""
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    plt.style.use(STYLE)
    trace.show_files(STYLE)
    set_matplotlib_formats("svg")
    shell: Any = InteractiveShell.instance()
    shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, curve_values.svg)


def new(
    columns: int = 1, *, rows: int = 1, size: tuple[float, float] = (6.4, 3.2), **options: Any
) -> tuple[Figure, Any]:
    """Return a figure and its axes (rows, columns), for a cell to return.

    Unlike pyplot's own it is not shown a second time. `size` is in inches.
    """
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    plt.close(figure)
    return figure, axes


def panels(quantities: Mapping[str, Series]) -> Figure:
    """Draw curves of several quantities side by side, labelled in the last panel.

    `quantities` maps axis labels to series: accuracies where the label ends with %, else losses.
    """
    figure, axes = new(len(quantities), size=(6.4, 2.9))
    for ax, (label, series) in zip(axes[0], quantities.items(), strict=True):
        ends = curves(ax, series, PER_CENT if label.endswith("%") else NO_LESS_THAN_ZERO)
        ax.set(xlabel="epoch", ylabel=label)
    label_ends(axes[0][-1], ends)
    return figure


def curves(ax: Axes, series: Series, limits: tuple[float, float] = NO_LESS_THAN_ZERO) -> list[End]:
    """Draw each method's mean over seeds as a line, and its 95 % interval as a band.

    Of one or two seeds, each is a line. A band ends where the quantity does (`limits`). The ends
    returned are those of the means.
    """
    ends = [_curve(ax, named(name), histories, limits) for name, histories in series.items()]
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return ends


def _curve(
    ax: Axes,
    method: Method,
    histories: Sequence[Sequence[float]],
    limits: tuple[float, float],
) -> End:
    epochs = np.arange(1, len(histories[0]) + 1)
    intervals = [mean_interval(values) for values in zip(*histories, strict=True)]
    means = [interval.mean for interval in intervals]
    look: dict[str, Any] = {"color": method.colour, "ls": method.dash}
    look["marker"] = "." if len(epochs) < 4 else None
    if len(histories) > 2:
        ax.plot(epochs, means, label=method, **look)
        band(ax, epochs, intervals, method.colour, limits)
    else:
        labels = [f"{method} ({n})" for n in range(1, len(histories) + 1)]
        label = labels if len(histories) > 1 else method
        ax.plot(epochs, np.transpose(histories), label=label, **look)
    return means[-1], method, method.colour


def band(
    ax: Axes,
    positions: Any,
    intervals: Sequence[Interval],
    colour: str,
    limits: tuple[float, float] = UNLIMITED,
) -> None:
    """Draw intervals as a band around their means' line, as far as the quantity's limits."""
    low = np.clip([one.low for one in intervals], *limits)
    high = np.clip([one.high for one in intervals], *limits)
    ax.fill_between(positions, low, high, color=colour, alpha=0.2, lw=0)


def label_ends(ax: Axes, ends: Sequence[End]) -> None:
    """Write each line's label beside its end, moved apart where two would overlap.

    A line that ends in no number has its label at the bottom. The lines are named by their labels.
    """
    _name_lines(ax, ends)
    ax.autoscale_view()  # else the limits are not known yet
    to_axes = ax.transAxes.inverted()
    places = [to_axes.transform(ax.transData.transform((0, value)))[1] for value, _, _ in ends]
    places = np.nan_to_num(places)
    height, last = 0.07, -np.inf
    for index in np.argsort(places):
        last = max(places[index], last + height)
        _, label, colour = ends[index]
        at: dict[str, Any] = {"xycoords": "axes fraction", "va": "center", "annotation_clip": False}
        ax.annotate(label, (1.01, last), color=colour, fontsize=9, **at)


def _name_lines(ax: Axes, ends: Sequence[End]) -> None:
    """Give each label to the line of its colour, where there is one without a name.

    Of several, it is the one that ends at the label's value.
    """
    drawn = [line for line in ax.lines if line.get_linestyle() != "None"]
    for value, label, colour in ends:
        lines = [line for line in drawn if same_color(line.get_color(), colour)]
        if len(lines) > 1:
            lines = [line for line in lines if np.asarray(line.get_ydata())[-1] == value]
        if len(lines) == 1 and str(lines[0].get_label()).startswith("_"):
            lines[0].set_label(label)


def sweep(
    ax: Axes,
    positions: Sequence[float],
    series: Mapping[str, Sequence[Interval]],
    colours: Mapping[str, str] | None = None,
    limits: tuple[float, float] = UNLIMITED,
) -> list[End]:
    """Draw means over seeds against a setting that was varied, with their 95 % intervals as bars.

    Two seeds are dots. A bar ends where the quantity does (`limits`). A series is a method, unless
    `colours` has the colour of each.
    """
    ends = []
    for label, intervals in series.items():
        colour = colours[label] if colours else named(label).colour
        dash = "-" if colours else named(label).dash
        means = [one.mean for one in intervals]
        errors = np.transpose([bar(one, limits) for one in intervals])
        look: dict[str, Any] = {"marker": "o", "ms": 3.5, "capsize": 2, "elinewidth": 0.9}
        line, *_ = ax.errorbar(positions, means, errors, color=colour, ls=dash, **look)
        line.set_label(label)
        for position, one in zip(positions, intervals, strict=True):
            xs = [position] * len(one.points)
            ax.plot(xs, one.points, ".", color=colour, ms=4, alpha=0.7)
        ends.append((means[-1], label, colour))
    return ends


def bar(interval: Interval, limits: tuple[float, float] = UNLIMITED) -> tuple[float, float]:
    """Return how far an interval reaches below and above its mean, within a quantity's limits."""
    low, high = np.clip([interval.low, interval.high], *limits)
    return max(0.0, interval.mean - low), max(0.0, high - interval.mean)  # not −0.0 by rounding


def dots(groups: Mapping[str, Mapping[str, Sequence[float]]], *, xlabel: str) -> Figure:
    """Draw a row a method and a panel a group.

    The values are accuracies in per cent. Every seed is a small dot, the mean a large one with its
    95 % interval.
    """
    figure, axes = new(len(groups), sharey=True, size=(6.4, 2.6))
    for ax, (group, methods) in zip(axes[0], groups.items(), strict=True):
        for row, (method, values) in enumerate(methods.items()):
            colour = named(method).colour
            ax.plot(values, [row + 0.22] * len(values), ".", color=colour, ms=4, alpha=0.7)
            mean_dot(ax, row, mean_interval(values), colour, PER_CENT)
        ax.set(xlabel=f"{xlabel}\n{group}".strip())
        ax.set_yticks(range(len(methods)), list(methods))
        ax.grid(visible=False, axis="y")
        ax.set_ylim(len(methods) - 0.5, -0.5)
    return figure


def mean_dot(
    ax: Axes,
    row: float,
    interval: Interval,
    colour: str,
    limits: tuple[float, float] = UNLIMITED,
) -> None:
    """Draw a mean as a large dot in a row, with its interval as a bar within the limits."""
    look: dict[str, Any] = {"fmt": "o", "ms": 5, "capsize": 3}
    xerr = None if interval.half_width is None else np.transpose([bar(interval, limits)])
    ax.errorbar(interval.mean, row, xerr=xerr, color=colour, **look)


def violins(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    ylabel: str,
    reference: float | None = None,
) -> Figure:
    """Draw the distribution of a quantity by layer, a panel a method, every channel a point.

    `groups` maps a method to its layers, each with the values of all seeds; `reference` is drawn
    as a thin line (the initial value).
    """
    figure, axes = new(len(groups), sharey=True)
    for ax, (method, layers) in zip(axes[0], groups.items(), strict=True):
        colour = named(method).colour
        if reference is not None:
            ax.axhline(reference, color=BLACK, lw=0.8, ls=":")
        for position, values in enumerate(layers.values()):
            _violin(ax, position, np.asarray(values, dtype=float), colour)
        ax.set_xticks(range(len(layers)), list(layers))
        ax.set_xlabel(method, color=colour)
    axes[0][0].set_ylabel(ylabel)
    return figure


def _violin(ax: Axes, position: int, values: np.ndarray, colour: str) -> None:
    """Draw one violin with its points.

    A handful of values is shown as points alone: a density would be made up.
    """
    if values.size >= 10 and np.ptp(values) > 0:
        body: dict[str, Any] = ax.violinplot(values, [position], widths=0.8, showmedians=True)
        for part in body["bodies"]:
            part.set(facecolor=colour, alpha=0.35, edgecolor="none")
        for name in ("cmedians", "cmins", "cmaxes", "cbars"):
            body[name].set(color=colour, linewidth=0.8)
    spread = np.linspace(-0.12, 0.12, values.size) if values.size > 1 else np.zeros(1)
    size, opacity = (3, 0.6) if values.size > 40 else (6, 0.9)
    ax.plot(position + spread, values, ".", color=colour, ms=size, alpha=opacity, mew=0)
