"""A figure laid out anew for a narrow page: panels below one another, labels above them.

A phone shows about 350 pixels of the 614 that a figure has on a page; scaled down, its letters
could not be read. A diagram keeps its form, with smaller letters; where they don't fit, there is
no narrow one.
"""

import copy
import textwrap
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FixedLocator

from book.report import point_labels

WIDTH = 3.5  # inches: with the space around it, what a page of 390 pixels has for a figure
SHAPE = 0.75  # of a panel: its height to its width at most, where its rows have no names
TALLEST = 15.0  # inches: panels that would be higher stay side by side
LEAST = 7.5  # points: 10 pixels, a tenth of which a narrower phone may take
CLOSE = 4.0  # pixels between two labels of an axis at least
NAMES = 0.58  # of the width: what the names of rows may take
SHORT = 8  # letters of a line at least


def narrow(figure: Figure) -> Figure | None:
    """Return a copy of a figure that is `WIDTH` wide; None where there is none."""
    if figure.get_figwidth() <= WIDTH:
        return None
    own = copy.deepcopy(figure)
    panels = [ax for ax in own.axes if ax.get_subplotspec() and not hasattr(ax, "_colorbar")]
    if any(ax.axison for ax in panels):
        _lay_out(own, panels)
        return own
    return own if _is_shrunk(own) else None


# Diagrams


def _is_shrunk(figure: Figure) -> bool:
    """Make a diagram narrower, with smaller letters; return whether they fit."""
    height = figure.get_figheight()
    figure.set_size_inches(WIDTH, height)
    texts = [text for ax in figure.axes for text in ax.texts if text.get_text()]
    for text in texts:
        text.set_fontsize(max(LEAST, 0.8 * _size(text)))
    figure.draw_without_rendering()
    for ax in figure.axes:
        _break_in_boxes(ax)
    if any("\n" in text.get_text() for text in texts):
        figure.set_size_inches(WIDTH, 1.25 * height)
    figure.draw_without_rendering()
    return not _overlapping(texts)


def _break_in_boxes(ax: Axes) -> None:
    """Break the texts that are longer than the boxes in which they stand."""
    for text in ax.texts:
        place = text.get_transform().transform(text.get_position())
        for box in (patch.get_window_extent() for patch in ax.patches):
            if box.contains(*place):
                _break(text, box.width)


# Figures with axes


def _lay_out(figure: Figure, panels: Sequence[Axes]) -> None:
    """Make a figure with axes narrower."""
    if any(ax.images for ax in panels):
        height = figure.get_figheight() * WIDTH / figure.get_figwidth()
        figure.set_size_inches(WIDTH, height)
    else:
        _stack(figure, panels)
    for ax in panels:
        _break_names(ax, NAMES * figure.bbox.width)
        for axis in (ax.xaxis, ax.yaxis):
            sizes = [_size(label) for label in axis.get_ticklabels()[:1]]
            axis.set_tick_params(labelsize=max(LEAST, *sizes, 0))
    _label_above(figure, panels)
    for _ in range(2):  # a label turned or broken moves the others
        _settle(figure)
        for ax in panels:
            _fit(figure, ax)


def _settle(figure: Figure) -> None:
    """Have the axes of a figure where they will be drawn."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)


def _stack(figure: Figure, panels: Sequence[Axes]) -> None:
    """Put the panels of a row below one another, each with the labels that one had for all."""
    rows, columns = _grid(panels[0])
    height = figure.get_figheight()
    if not isinstance(panels[0].yaxis.get_major_locator(), FixedLocator):
        height = min(height, SHAPE * WIDTH * rows)
    if columns == 1 or height * len(panels) > TALLEST:
        figure.set_size_inches(WIDTH, height)
        return
    figure.set_size_inches(WIDTH, height * len(panels))
    grid = GridSpec(len(panels), 1, figure=figure)
    for row, ax in enumerate(panels):
        ax.set_subplotspec(grid[row, 0])
        ax.tick_params(labelleft=True)
        ax.set_ylabel(ax.get_ylabel() or panels[0].get_ylabel())


def _grid(ax: Axes) -> tuple[int, int]:
    """Return the rows and columns of the grid in which a panel stands."""
    grid = ax.get_gridspec()
    return (grid.nrows, grid.ncols) if grid else (1, 1)


def _label_above(figure: Figure, panels: Sequence[Axes]) -> None:
    """Write what stands beside the lines' ends, or in a legend, above all panels."""
    entries: dict[str, Any] = dict(entry for ax in panels for entry in _ends(ax))
    for legend in figure.legends:
        names = [text.get_text() for text in legend.get_texts()]
        entries |= dict(zip(names, legend.legend_handles, strict=True))
    figure.legends.clear()
    for columns in range(min(len(entries), 4), 0, -1):
        legend = figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside upper center",
            ncols=columns,
            columnspacing=1.2,
            handlelength=1.4,
        )
        box = legend.get_window_extent()
        if columns == 1 or box.width <= figure.bbox.width:
            figure.set_size_inches(WIDTH, figure.get_figheight() + box.height / figure.dpi)
            return
        legend.remove()


def _ends(ax: Axes) -> Iterator[tuple[str, Line2D]]:
    """Hide the labels beside the lines' ends; yield each with a line of its look."""
    for text in list(ax.texts):
        if isinstance(text, Annotation) and text.xycoords == "axes fraction" and text.xy[0] > 1:
            look = {"color": text.get_color(), "ls": _dash(ax, text)}
            yield text.get_text(), Line2D([], [], **look)
            text.set_visible(False)


def _dash(ax: Axes, text: Text) -> Any:
    """Return the dash of the line that a label names, or else of one in its colour."""
    name, colour = text.get_text(), text.get_color()
    lines = [line for line in ax.lines if line.get_linestyle() != "None"]
    named = [one for one in lines if f"{one.get_label()} (".startswith(f"{name} (")]
    alike = named or [one for one in lines if same_color(one.get_color(), colour)]
    return alike[0].get_linestyle() if alike else "-"


def _fit(figure: Figure, ax: Axes) -> None:
    """Turn the names along an axis that overlap, and break texts longer than their place."""
    if _is_crowded(ax.xaxis):
        ax.tick_params(axis="x", rotation=90)
    _raise_rows(figure, ax)
    _, columns = _grid(ax)
    for text in (ax.xaxis.label, ax.title):
        box = text.get_window_extent()
        middle = (box.x0 + box.x1) / 2
        room = 2 * min(middle, figure.bbox.width - middle)
        _break(text, room if columns == 1 else ax.get_window_extent().width)
    _break(ax.yaxis.label, ax.get_window_extent().height, upright=True)
    _place_labels(figure, ax)
    others = [text for text in ax.texts if text.get_label() != point_labels.POINT]
    for text in {text for pair in _overlapping(others) for text in pair}:
        _break(text, 0.6 * _length(text))


def _place_labels(figure: Figure, ax: Axes) -> None:
    """Have the labels of points hide no other: small, in two lines, with more room if they must."""
    hides = point_labels.place(ax)
    labels = [text for text in ax.texts if text.get_label() == point_labels.POINT]
    if hides and labels[0].get_in_layout():
        figure.set_size_inches(WIDTH, 1.25 * figure.get_figheight())
        ax.margins(0.3)
        ax.autoscale_view()  # else the limits are not known yet
        for text in labels:
            text.set_in_layout(False)  # the axes keep their place
            text.set_fontsize(LEAST)
            _break(text, 0.25 * figure.bbox.width)
        _settle(figure)
        point_labels.place(ax)


def _break_names(ax: Axes, room: float) -> None:
    """Break the names of rows that are longer than a number of pixels."""
    names = ax.get_yticklabels()
    if names and max(map(_length, names)) > room:
        for name in names:
            _break(name, room)
        ax.set_yticks(ax.get_yticks(), [name.get_text() for name in names])


def _raise_rows(figure: Figure, ax: Axes) -> None:
    """Make rows as high as their names of several lines."""
    names = [name for name in ax.get_yticklabels() if "\n" in name.get_text()]
    highest = max((_length(name, upright=True) for name in names), default=0)
    lacking = 1.1 * highest * len(ax.get_yticks()) - ax.get_window_extent().height
    if lacking > 0:
        figure.set_size_inches(WIDTH, figure.get_figheight() + lacking / figure.dpi)


# Texts


def _size(text: Text) -> float:
    return float(text.get_fontsize())


def _length(text: Text, *, upright: bool = False) -> float:
    box = text.get_window_extent()
    return float(box.height if upright else box.width)


def _overlapping(texts: Sequence[Text]) -> list[tuple[Text, Text]]:
    boxes = [(text, text.get_window_extent()) for text in texts if text.get_visible()]
    return [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]


def _is_crowded(axis: Axis) -> bool:
    texts = [text for text in axis.get_ticklabels() if text.get_text() and text.get_visible()]
    boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.x0)
    return any(one.x1 + CLOSE > other.x0 for one, other in pairwise(boxes))


def _break(text: Text, room: float, *, upright: bool = False) -> None:
    """Break a text into lines that are no longer than a number of pixels, where it can be."""
    words = " ".join(text.get_text().split())
    letters = len(words)
    while "$" not in words and letters > SHORT and _length(text, upright=upright) > room:
        letters -= 1
        text.set_text(textwrap.fill(words, letters, break_long_words=False))
    if "\n" in text.get_text() and text.get_verticalalignment() == "baseline":
        text.set_verticalalignment("bottom")
