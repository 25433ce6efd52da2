"""The values of a figure's curves, said in its SVG: the page shows them below the figure."""

import math
import warnings
from collections.abc import Iterator

import numpy as np
from IPython.core.pylabtools import print_figure
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from book.builder import curves, widths
from book.report.narrow import narrow

LONGEST = 100  # points of a curve that a table still shows


def svg(figure: Figure) -> str | None:
    """Return a figure as SVG, always of the same bytes, with the values of its labelled lines.

    It carries the figure for a narrow page, where there is one.
    """
    wide = _drawn(figure, Description=curves.said(panels(figure)))
    small = _drawn_narrow(figure) if wide else None
    return widths.joined(wide, small) if wide and small else wide


def _drawn_narrow(figure: Figure) -> str | None:
    """Return the figure for a narrow page, if there is one that Matplotlib can lay out."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout not applied", UserWarning)
        try:
            own = narrow(figure)
            return _drawn(own) if own else None
        except UserWarning:
            return None


def _drawn(figure: Figure, **said: str) -> str | None:
    drawn: str | None = print_figure(figure, "svg", metadata={"Date": None, **said})
    return drawn


def panels(figure: Figure) -> Iterator[curves.Panel]:
    """Return the panels that have labelled lines, and name these lines' groups in the SVG."""
    number, quantity = 0, ""
    for ax in figure.axes:
        quantity = ax.get_ylabel() or quantity  # panels may share one
        if lines := [line for line in ax.lines if _is_curve(line)]:
            for line in lines:
                line.set_gid(f"{curves.GROUP}{number}")
                number += 1
            yield _panel(ax, lines, quantity)


def _is_curve(line: Line2D) -> bool:
    label = str(line.get_label())
    return label != "" and not label.startswith("_") and len(_points(line)) <= LONGEST


def _panel(ax: Axes, lines: list[Line2D], quantity: str) -> curves.Panel:
    values = [_points(line) for line in lines]
    positions = sorted({position for points in values for position in points})
    names = _names(ax)
    return curves.Panel(
        x=_one_line(ax.get_xlabel()),
        y=_one_line(quantity),
        names=[str(line.get_label()) for line in lines],
        colours=[to_hex(line.get_color()) for line in lines],
        rows=[
            [names.get(x, f"{x:g}"), *(_text(points.get(x)) for points in values)]
            for x in positions
        ],
    )


def _points(line: Line2D) -> dict[float, float]:
    xs, ys = np.asarray(line.get_xydata(), dtype=float).T
    return dict(zip(xs.tolist(), ys.tolist(), strict=True))


def _names(ax: Axes) -> dict[float, str]:
    """Return what positions are called, where they have names."""
    if not isinstance(ax.xaxis.get_major_locator(), FixedLocator):
        return {}
    labels = (label.get_text() for label in ax.get_xticklabels())
    return dict(zip(map(float, ax.get_xticks()), labels, strict=False))


def _text(value: float | None) -> str:
    return f"{value:.4g}" if value is not None and math.isfinite(value) else "–"


def _one_line(words: str) -> str:
    return " ".join(words.split())
