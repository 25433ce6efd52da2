"""MiniGoogLeNet module by module: its derivation gathered, tabulated, drawn, and compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sympy import sympify

from analysis import Branches, Conv, Derivation, Linear, Pool, Row
from analysis.derivation import built_in
from analysis.layers import Flatten, Layer, Norm, windows
from book.report import figures
from book.report.colours import BLUE, GREEN, GREY, ORANGE
from book.report.tables import cell

PAPER_PARAMETERS = 1_649_402  # source: Zhang et al. 2017, table 1, for colour images
PAPER_CHANNELS = 3

HEADERS = ("module", "output", "parameters", "MACs", "saved, kB", "sees, pixels")


@dataclass(frozen=True)
class Module:
    """One of the network's modules: what stands side by side in it, and its derived rows."""

    name: str
    branches: tuple[Layer, ...]
    rows: tuple[Row, ...]

    @property
    def output(self) -> tuple[int, ...]:
        """Height, width and channels, or units."""
        return tuple(map(int, self.rows[-1].output))

    @property
    def field(self) -> int:
        """Side of what one position of the output sees, in pixels, padding included."""
        return int(sympify(self.rows[-1].receptive_field))

    def total(self, quantity: str) -> int:
        """Return the sum of a quantity of its rows, such as `macs`, for one image."""
        return sum(int(getattr(row, quantity)) for row in self.rows)

    @property
    def row(self) -> list[object]:
        """As a table shows it, by `HEADERS`."""
        numbers = (self.total("parameters"), self.total("macs"), self.total("saved") / 1000)
        parameters, macs, saved = numbers
        return [self.name, cell(self.output), parameters, macs, f"{saved:,.0f}", self.field]


def modules(derivation: Derivation) -> list[Module]:
    """Return a derived MiniGoogLeNet module by module, from the first convolution to the output."""
    return [
        Module(_stem(layer.name), _side_by_side(layer), _rows(derivation, _stem(layer.name)))
        for layer in built_in(derivation).layers
        if not isinstance(layer, Norm | Flatten)
    ]


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _side_by_side(layer: Layer) -> tuple[Layer, ...]:
    return tuple(chain[0] for chain in layer.branches) if isinstance(layer, Branches) else (layer,)


def _rows(derivation: Derivation, stem: str) -> tuple[Row, ...]:
    return tuple(row for row in derivation.rows if _stem(row.layer) == stem)


def rows(derivation: Derivation) -> list[list[object]]:
    """Return the table's rows, by `HEADERS`: the image, every module, and the total."""
    every = [Module("input", (), derivation.rows[:1]), *modules(derivation)]
    parameters, macs, saved = (
        sum(module.total(name) for module in every) for name in ("parameters", "macs", "saved")
    )
    total: list[object] = ["total", "", parameters, macs, f"{saved / 1000:,.0f}", ""]
    return [*(module.row for module in every), total]


def geometry_rows(first: Derivation, second: Derivation) -> Iterator[list[object]]:
    """Return a row a module in which two geometries differ: both outputs, and both MACs."""
    for ours, theirs in zip(modules(first), modules(second), strict=True):
        if ours.output != theirs.output:
            macs = (ours.total("macs"), theirs.total("macs"))
            yield [ours.name, cell(ours.output), cell(theirs.output), *macs]


def macs_by_side(derivation: Derivation) -> dict[int, float]:
    """Return the share of the MACs that makes maps of each height, the largest first."""
    sums: dict[int, int] = {}
    for module in modules(derivation)[:-2]:  # without the average and the dense layer
        sums[module.output[0]] = sums.get(module.output[0], 0) + module.total("macs")
    return {side: macs / int(derivation.total.macs) for side, macs in sums.items()}


def sees_all(derivation: Derivation) -> str:
    """Return the first module a position of whose output can see the image's whole height.

    The average over the map, which sees all, doesn't count; `none of them` where all see less.
    """
    height = int(derivation.rows[0].output[0])
    wide = [module.name for module in modules(derivation)[:-2] if module.field >= height]
    return wide[0] if wide else "none of them"


# The diagram


def draw(derivation: Derivation) -> Figure:
    """Draw the network from top to bottom, a line a module: its branches, output and field."""
    shown = modules(derivation)
    figure, axes = figures.new(size=(6.4, 0.7 + 0.4 * len(shown)))
    ax = axes[0][0]
    _line(ax, 0, "input", [], cell(derivation.rows[0].output), "1")
    for place, module in enumerate(shown, start=1):
        ax.annotate("", (2.65, place - 0.3), (2.65, place - 0.7), arrowprops=_ARROW)
        _line(ax, place, module.name, module.branches, cell(module.output), str(module.field))
    look: dict[str, Any] = {"fontsize": 8, "color": GREY, "va": "center"}
    ax.text(4.05, -0.9, "output", **look)
    ax.text(6.4, -0.9, "sees, pixels", ha="right", **look)
    ax.set(xlim=(0, 6.4), ylim=(len(shown) + 0.5, -1.2))
    ax.set_axis_off()
    return figure


_ARROW = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0}


def _line(
    ax: Axes, place: int, name: str, branches: Sequence[Layer], output: str, field: str
) -> None:
    ax.text(0, place, name, fontsize=8, va="center")
    width = 2.6 / max(1, len(branches))
    for column, layer in enumerate(branches or [None]):
        _box(ax, (1.35 + column * width, place), width, layer)
    ax.text(4.05, place, output, fontsize=8, va="center")
    ax.text(6.4, place, field, fontsize=8, ha="right", va="center")


def _box(ax: Axes, at: tuple[float, float], width: float, layer: Layer | None) -> None:
    """Draw a box with what a layer does in it; without a layer, the image's."""
    written, colour = ("image", GREY) if layer is None else described(layer)
    corner = (at[0] + 0.03, at[1] - 0.3)
    ax.add_patch(Rectangle(corner, width - 0.06, 0.6, facecolor="white", edgecolor=colour, lw=1.2))
    ax.text(at[0] + width / 2, at[1], written, fontsize=8, ha="center", va="center")


def described(layer: Layer) -> tuple[str, str]:
    """Return what a layer does in a few words, and the colour of its box.

    >>> described(Conv("conv1", filters=96, kernel=3, padding=1))[0]
    '3×3 conv, 96'
    """
    match layer:
        case Conv(filters=filters):
            size = _window(layer)
            return f"{size} conv, {filters}", ORANGE if size == "1×1" else BLUE
        case Pool():
            return f"{_window(layer)} max pool", GREEN
        case Linear(units=units):
            return f"dense, {units}", BLUE
        case _:
            return "global average", GREEN


def _window(layer: Conv | Pool) -> str:
    along = windows(layer)
    size = "×".join(str(one.kernel) for one in along)
    return size if along[0].stride == 1 else f"{size} / {along[0].stride}"
