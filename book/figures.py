"""The book's figures: one style, one colour a method, uncertainty drawn.

A figure's caption, name and alt text stand in the metadata of the cell that draws it (``mystnb.figure``,
``mystnb.image``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from book.intervals import mean_interval

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
}


def use_style() -> None:
    """Use the book's style in this kernel; figures come as SVG for the site and PDF for print."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    plt.style.use(STYLE)
    set_matplotlib_formats("svg", "pdf")


def curves(
    series: Mapping[str, Sequence[Sequence[float]]], *, ylabel: str, ax: Axes | None = None, log: bool = False
) -> Figure:
    """A quantity epoch by epoch: the mean over seeds as a line, its 95 % interval as a band, labels at the ends.

    `series` maps a method to its histories, one a seed, each a sequence over epochs.
    """
    ax = ax or plt.subplots()[1]
    ends: list[tuple[float, str, str]] = []
    for method, histories in series.items():
        epochs = np.arange(1, len(histories[0]) + 1)
        intervals = [mean_interval(values) for values in zip(*histories, strict=True)]
        colour = METHOD_COLOURS.get(method)
        (line,) = ax.plot(epochs, [i.mean for i in intervals], color=colour)
        if len(histories) > 1:
            ax.fill_between(
                epochs, [i.low for i in intervals], [i.high for i in intervals], color=line.get_color(), alpha=0.2, lw=0
            )
        ends.append((intervals[-1].mean, method, str(line.get_color())))
    if log:
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel=ylabel)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_ends(ax, ends)
    return _figure(ax)


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write each line's label beside its end, moved apart where they would overlap."""
    to_axes = ax.transAxes.inverted()
    places = [to_axes.transform(ax.transData.transform((0, value)))[1] for value, _, _ in ends]
    order = np.argsort(places)
    height, last = 0.07, -np.inf
    for index in order:
        place = max(places[index], last + height)
        last = place
        _, label, colour = ends[index]
        ax.annotate(
            label, (1.01, place), xycoords="axes fraction", color=colour, va="center", fontsize=9, annotation_clip=False
        )


def violins(
    groups: Mapping[str, Mapping[str, Sequence[float]]], *, ylabel: str, reference: float | None = None
) -> Figure:
    """The distribution of a quantity by layer, one panel a method, every channel of every seed a point.

    `groups` maps a method to its layers, each with its values; `reference` is drawn as a thin line (the initial value).
    """
    figure, axes = plt.subplots(1, len(groups), figsize=(6.4, 3.2), sharey=True, squeeze=False)
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
    """One violin with its points; a handful of values is shown as points alone, for a density would be made up."""
    if values.size >= 10 and np.ptp(values) > 0:
        body: dict[str, Any] = ax.violinplot(values, [position], widths=0.8, showmedians=True)  # type: ignore[assignment]
        for part in body["bodies"]:
            part.set(facecolor=colour, alpha=0.35, edgecolor="none")
        for name in ("cmedians", "cmins", "cmaxes", "cbars"):
            body[name].set(color=colour, linewidth=0.8)
    spread = np.linspace(-0.12, 0.12, values.size) if values.size > 1 else np.zeros(1)
    ax.plot(position + spread, values, ".", color=colour, ms=3, alpha=0.6, mew=0)


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    return figure
