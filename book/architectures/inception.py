"""Inception modules drawn from their derivations, and the slide's printed sums counted again.

Nothing is placed or labelled by hand.
"""

from collections.abc import Mapping, Sequence
from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis import Branches, Conv, Derivation, Pool, Row
from analysis.derivation import built_in
from analysis.layers import Layer, windows
from book.report.colours import BLUE, GREY, ORANGE, PALE
from book.report.figures import new
from book.report.tables import cell


def branches(derivation: Derivation) -> Figure:
    """Draw a module of branches, from its input at the bottom to its concatenation at the top.

    Each box says what it is and what it costs, each arrow how many channels it carries.

    Raises:
        ValueError: If the network is anything but one module of convolutions and pools.
    """
    match built_in(derivation).layers:
        case (Branches(name=name, branches=chains),):
            pass
        case _:
            raise ValueError(
                f"{derivation.network.name} is no single module of branches; nothing to draw"
            )
    top = 1 + max(len(chain) for chain in chains)
    figure, axes = new(size=(6.4, 0.8 + 0.75 * top))
    ax = axes[0][0]
    _bar(ax, 0, len(chains), f"input {cell(derivation.rows[0].output)}")
    _bar(ax, top, len(chains), f"concatenation {cell(derivation.row(name).output)}")
    for column, chain in enumerate(chains):
        _chain(ax, derivation, chain, column, top)
    ax.set(xlim=(-0.5, len(chains) - 0.5), ylim=(-0.25, top + 0.25))
    ax.set_axis_off()
    return figure


def _bar(ax: Axes, height: float, columns: int, written: str) -> None:
    ax.add_patch(
        Rectangle((-0.45, height - 0.2), columns - 0.1, 0.4, facecolor=PALE, edgecolor=GREY, lw=0.8)
    )
    ax.text((columns - 1) / 2, height, written, ha="center", va="center", fontsize=9)


def _chain(ax: Axes, derivation: Derivation, chain: Sequence[Layer], column: int, top: int) -> None:
    """Draw one branch, upwards: an arrow into each box, and one into the concatenation."""
    below, channels = 0.2, derivation.rows[0].output[-1]
    for height, layer in enumerate(chain, start=1):
        if not isinstance(layer, Conv | Pool):
            raise ValueError(
                f"{layer} is neither a convolution nor a pool; there is no picture for it"
            )
        row = derivation.row(layer.name)
        _arrow(ax, column, (below, height - 0.23), cell(channels))
        _labelled(ax, (column, height), layer, row)
        below, channels = height + 0.23, row.output[-1]
    _arrow(ax, column, (below, top - 0.2), cell(channels))


def _labelled(ax: Axes, place: tuple[float, float], layer: Conv | Pool, row: Row) -> None:
    """Draw a layer's box: its window, and its MACs in millions if it has any."""
    window = "×".join(str(along.kernel) for along in windows(layer))
    written, colour = f"{window} pool", GREY
    if isinstance(layer, Conv):
        colour = ORANGE if window == "1×1" else BLUE
        written = f"{window} conv\n{row.macs / 1e6:,.1f}M MACs"
    ax.add_patch(
        Rectangle(
            (place[0] - 0.42, place[1] - 0.23),
            0.84,
            0.46,
            facecolor="white",
            edgecolor=colour,
            lw=1.4,
        )
    )
    ax.text(*place, written, ha="center", va="center", fontsize=9, linespacing=1.3)


def _arrow(ax: Axes, column: float, between: tuple[float, float], written: str) -> None:
    low, high = between
    shape = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (column, high), (column, low), arrowprops=shape)
    ax.text(column + 0.05, (low + high) / 2, written, ha="left", va="center", fontsize=9)


def recounts(terms: Mapping[str, int], printed: int, unit: int = 1) -> list[dict[str, int]]:
    """Find how to reach a printed, rounded sum when terms are left out, added once or added twice.

    A way says how often each term is added. It fits if its sum, rounded to a multiple of `unit`, is
    the printed one. Ways with fewer slips (terms not added exactly once) come first.

    >>> recounts({"a": 1_200, "b": 700, "c": 90}, printed=2_700, unit=100)
    [{'a': 1, 'b': 2, 'c': 1}]
    """
    ways = [dict(zip(terms, times, strict=True)) for times in product((0, 1, 2), repeat=len(terms))]
    fitting = [way for way in ways if rounded(total(terms, way), unit) == printed]
    return sorted(fitting, key=slips)


def total(terms: Mapping[str, int], way: Mapping[str, int]) -> int:
    """Return the sum with each term added as often as `way` says."""
    return sum(times * terms[name] for name, times in way.items())


def slips(way: Mapping[str, int]) -> int:
    """Count the terms that are not added exactly once.

    >>> slips({"a": 1, "b": 2, "c": 0})
    2
    """
    return sum(times != 1 for times in way.values())


def rounded(value: int, unit: int) -> int:
    """Round a whole number to the nearest multiple of `unit`, halves up.

    >>> rounded(854_196_224, 1_000_000)
    854000000
    """
    return (value + unit // 2) // unit * unit
