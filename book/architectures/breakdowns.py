"""How a derived network divides: its numbers over its layers, its layers over two GPUs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis import Conv, Derivation, Linear
from analysis.derivation import built_in
from analysis.layers import Layer
from book.report.colours import BLUE, GREY, ORANGE, PALE
from book.report.figures import new


def shares(derivations: Mapping[str, Derivation], quantities: Mapping[str, str]) -> Figure:
    """Draw how a network's numbers are spread over its layers, in percent.

    A panel is a quantity, a bar a layer.

    `derivations` maps labels to one or two networks of the same layers, each a colour; `quantities`
    maps numbers of `analysis.Row` to their headings. Layers that have none of the quantities are
    left out.
    """
    kept = [
        row.layer
        for row in next(iter(derivations.values())).rows
        if any(getattr(row, one) for one in quantities)
    ]
    height = 0.5 + len(kept) * (0.08 + 0.13 * len(derivations))
    figure, axes = new(len(quantities), size=(6.4, height), sharey=True)
    for panel, (ax, (quantity, heading)) in enumerate(
        zip(axes[0], quantities.items(), strict=True)
    ):
        for number, (label, derivation) in enumerate(derivations.items()):
            total = getattr(derivation.total, quantity)
            parts = [float(getattr(derivation.row(layer), quantity) / total) for layer in kept]
            name = label if panel == 0 and len(derivations) > 1 else ""
            _bars(ax, parts, number, len(derivations), name)
        ax.set(xlabel=heading, xticks=[], xlim=(0, ax.dataLim.x1 * (1.9 if panel == 0 else 1.4)))
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(length=0)
        ax.grid(visible=False)
    axes[0][0].set_yticks(range(len(kept)), kept)
    axes[0][0].set_ylim(len(kept) - 0.4, -0.6)
    return figure


def _bars(ax: Axes, parts: Sequence[float], number: int, count: int, name: str) -> None:
    """Draw the bars of network `number` of `count`, each with its percentage.

    The `name` stands beside the longest.
    """
    width = 0.8 / count
    places = [index + (number - (count - 1) / 2) * width for index in range(len(parts))]
    ax.barh(places, parts, height=width * 0.9, color=(BLUE, ORANGE)[number])
    for place, part in zip(places, parts, strict=True):
        if part:
            percent = f"{part:.1%}" if part >= 0.0005 else "<0.1%"
            written = f"{percent}  {name}" if part == max(parts) else percent
            ax.annotate(
                written, (part, place), (3, 0), textcoords="offset points", va="center", fontsize=9
            )


def two_towers(derivation: Derivation) -> Figure:
    """Draw a network split over two GPUs: what each holds, where they exchange what they computed.

    A convolution in groups reads its own GPU's maps only; any other layer reads both halves
    (Krizhevsky et al. 2012, section 3.5 and figure 2). A box holds channels or units; beside it
    stands the size of the map, before pooling. The image and the classes are not split.
    """
    layers = [layer for layer in built_in(derivation).layers if isinstance(layer, Conv | Linear)]
    rows = [derivation.row("input"), *(derivation.row(layer.name) for layer in layers)]
    towers = [(0.5,), *([(0.0, 1.0)] * (len(layers) - 1)), (0.5,)]
    figure, axes = new(size=(3.4, 0.5 * len(rows)))
    ax = axes[0][0]
    for line, row in enumerate(rows):
        for place in towers[line]:
            _box(ax, place, line, str(row.output[-1] // len(towers[line])))
        size = "×".join(map(str, row.output[:-1]))
        ax.text(-0.55, line, row.layer, ha="right", va="center", fontsize=9, fontweight="bold")
        ax.text(1.55, line, size, ha="left", va="center", fontsize=9)
    for line, layer in enumerate(layers, start=1):
        _connect(ax, layer, line, towers[line - 1], towers[line])
    for place, name in ((-0.12, "GPU 1"), (1.12, "GPU 2")):
        ax.text(place, 0.5, name, ha="center", va="center", fontsize=9, color=GREY)
    ax.set(xlim=(-1.15, 2.15), ylim=(len(rows) - 0.6, -0.4))
    ax.set_axis_off()
    return figure


def _box(ax: Axes, place: float, line: int, written: str) -> None:
    look: dict[str, Any] = {"facecolor": PALE, "edgecolor": BLUE, "lw": 0.8}
    ax.add_patch(Rectangle((place - 0.35, line - 0.28), 0.7, 0.56, **look))
    ax.text(place, line, written, ha="center", va="center", fontsize=10)


def _connect(
    ax: Axes, layer: Layer, line: int, before: Sequence[float], after: Sequence[float]
) -> None:
    """Draw lines from what a layer reads to what it makes.

    Those that cross from GPU to GPU have another colour.
    """
    alone = isinstance(layer, Conv) and layer.groups != 1
    for start in before:
        for end in after:
            crosses = {start, end} == {0, 1}
            if not (alone and crosses):
                colour, width = (ORANGE, 1.4) if crosses else (GREY, 0.9)
                ax.plot((start, end), (line - 0.72, line - 0.28), color=colour, lw=width)
