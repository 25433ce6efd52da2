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
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from book.builder import trace
from book.report.intervals import Interval, mean_interval

STYLE = Path(__file__).with_name("report.mplstyle")

BLUE, ORANGE, GREEN, PINK, RED, SKY, BLACK, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#000000",
    "#777777",
)

#: A method keeps its colour through the whole book.
METHOD_COLOURS: Mapping[str, str] = {
    "neither": GREY,
    "batch norm": BLUE,
    "batch norm, input too": GREEN,
    "dropout": ORANGE,
    "both": PINK,
    "noisy batch norm": SKY,
    "neither, lower rate": BLACK,
    "no norm": GREY,
    "layer norm": ORANGE,
    "group norm": GREEN,
    "instance norm": PINK,
    "before tanh": BLUE,
    "after tanh": RED,
    "constant": GREY,
    "exp_range": BLUE,
    "triangular": SKY,
    "triangular2": GREEN,
    "one-cycle": ORANGE,
    "growing batch": PINK,
    "shrinking rate": RED,
    "both fixed": GREY,
}


#: Methods whose lines may lie on another's are dashed, so that both are seen.
METHOD_LINES: Mapping[str, str] = {"batch norm, input too": "--", "both": "--"}


def use_style() -> None:
    """Use the book's style in this kernel; figures come as SVG for the site and PDF for print."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    plt.style.use(STYLE)
    trace.show_files(STYLE)
    set_matplotlib_formats("svg", "pdf")


def new(
    columns: int = 1, *, rows: int = 1, size: tuple[float, float] = (6.4, 3.2), **options: Any
) -> tuple[Figure, Any]:
    """A figure and its axes (rows, columns), for a cell to return: unlike pyplot's own it is not
    shown a second time.

    `size` is in inches.
    """
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    plt.close(figure)
    return figure, axes


#: Histories of several methods: each has one a seed, each a sequence over epochs.
Series = Mapping[str, Sequence[Sequence[float]]]


def panels(quantities: Mapping[str, Series]) -> Figure:
    """Curves of several quantities side by side, labelled in the last; `quantities` maps axis
    labels to series.
    """
    figure, axes = new(len(quantities), size=(6.4, 2.9))
    for ax, (label, series) in zip(axes[0], quantities.items(), strict=True):
        ends = curves(ax, series)
        ax.set(xlabel="epoch", ylabel=label)
    label_ends(axes[0][-1], ends)
    return figure


def curves(ax: Axes, series: Series) -> list[tuple[float, str, str]]:
    """Draw each method's mean over seeds as a line, its 95 % interval as a band; of one or two
    seeds, each as a line.

    Returns the lines' last value, label and colour, for `label_ends`.
    """
    ends = []
    for method, histories in series.items():
        epochs = np.arange(1, len(histories[0]) + 1)
        intervals = [mean_interval(values) for values in zip(*histories, strict=True)]
        means, low, high = (
            [getattr(i, name) for i in intervals] for name in ("mean", "low", "high")
        )
        look: dict[str, Any] = {"color": METHOD_COLOURS.get(method), "ls": METHOD_LINES.get(method)}
        look["marker"] = "." if len(epochs) < 4 else None
        if len(histories) > 2:
            (line,) = ax.plot(epochs, means, **look)
            ax.fill_between(epochs, low, high, color=line.get_color(), alpha=0.2, lw=0)
        else:
            line, *_ = ax.plot(epochs, np.transpose(histories), **look)
        ends.append((means[-1], method, str(line.get_color())))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return ends


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write each line's label beside its end, moved apart where they would overlap; at the bottom
    where it has none.
    """
    ax.autoscale_view()  # else the limits are not known yet
    to_axes = ax.transAxes.inverted()
    places = [to_axes.transform(ax.transData.transform((0, value)))[1] for value, _, _ in ends]
    places = np.nan_to_num(places)
    order = np.argsort(places)
    height, last = 0.07, -np.inf
    for index in order:
        place = max(places[index], last + height)
        last = place
        _, label, colour = ends[index]
        ax.annotate(
            label,
            (1.01, place),
            xycoords="axes fraction",
            color=colour,
            va="center",
            fontsize=9,
            annotation_clip=False,
        )


def sweep(
    ax: Axes,
    positions: Sequence[float],
    series: Mapping[str, Sequence[Interval]],
    colours: Mapping[str, str] = METHOD_COLOURS,
) -> list[tuple[float, str, str]]:
    """Draw means over seeds against a setting that was varied, with their 95 % intervals as bars;
    two seeds as dots.

    Returns the lines' last value, label and colour, for `label_ends`.
    """
    ends = []
    for label, intervals in series.items():
        means, errors = (
            [one.mean for one in intervals],
            [one.half_width or 0.0 for one in intervals],
        )
        line, *_ = ax.errorbar(
            positions,
            means,
            errors,
            color=colours.get(label),
            ls=METHOD_LINES.get(label, "-"),
            marker="o",
            ms=3.5,
            capsize=2,
            elinewidth=0.9,
        )
        for position, one in zip(positions, intervals, strict=True):
            ax.plot(
                [position] * len(one.points),
                one.points,
                ".",
                color=line.get_color(),
                ms=4,
                alpha=0.7,
            )
        ends.append((means[-1], label, str(line.get_color())))
    return ends


def dots(groups: Mapping[str, Mapping[str, Sequence[float]]], *, xlabel: str) -> Figure:
    """A row a method and a panel a group: every seed a small dot, the mean a large one with its 95
    % interval.
    """
    figure, axes = new(len(groups), sharey=True, size=(6.4, 2.6))
    for ax, (group, methods) in zip(axes[0], groups.items(), strict=True):
        for row, (method, values) in enumerate(methods.items()):
            colour, interval = METHOD_COLOURS.get(method, BLUE), mean_interval(values)
            ax.plot(values, [row + 0.22] * len(values), ".", color=colour, ms=4, alpha=0.7)
            ax.errorbar(
                interval.mean, row, xerr=interval.half_width, fmt="o", color=colour, ms=5, capsize=3
            )
        ax.set(xlabel=f"{xlabel}\n{group}".strip())
        ax.set_yticks(range(len(methods)), list(methods))
        ax.grid(visible=False, axis="y")
        ax.set_ylim(len(methods) - 0.5, -0.5)
    return figure


def violins(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    ylabel: str,
    reference: float | None = None,
) -> Figure:
    """The distribution of a quantity by layer, one panel a method, every channel of every seed a
    point.

    `groups` maps a method to its layers, each with its values; `reference` is drawn as a thin line
    (the initial value).
    """
    figure, axes = new(len(groups), sharey=True)
    for ax, (method, layers) in zip(axes[0], groups.items(), strict=True):
        colour = METHOD_COLOURS.get(method, BLUE)
        if reference is not None:
            ax.axhline(reference, color=BLACK, lw=0.8, ls=":")
        for position, values in enumerate(layers.values()):
            _violin(ax, position, np.asarray(values, dtype=float), colour)
        ax.set_xticks(range(len(layers)), list(layers))
        ax.set_xlabel(method, color=colour)
    axes[0][0].set_ylabel(ylabel)
    return figure


def _violin(ax: Axes, position: int, values: np.ndarray, colour: str) -> None:
    """One violin with its points; a handful of values is shown as points alone, for a density would
    be made up.
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
