"""Networks that were read, side by side: their costs, their closed forms, what fits into memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from matplotlib.figure import Figure
from sympy import Expr, Symbol, sympify

from analysis import AnalysisError, B, H, Row, W
from analysis.footprint import Memory, Optimizer, Precision
from analysis.notation import Number, text
from analysis.reading.conventions import CONVENTIONS
from analysis.reading.memory import largest_batch, training_formula
from analysis.reading.reading import Reading, read
from book.architectures.counted import Published, Shape
from book.architectures.tool_counts import Answers
from book.report.colours import BLUE, ORANGE
from book.report.figures import new
from book.report.point_labels import label_points
from book.report.tables import unbroken


@dataclass(frozen=True)
class Costs:
    """A network that was read, and what training it keeps, in closed form."""

    network: Published
    reading: Reading
    memory: Memory
    height: int
    width: int

    def parts(self, batch: int) -> dict[str, int]:
        """Bytes of a training step by what they are for."""
        return {name: self._at(one.value, batch) for name, one in self.memory.parts.items()}

    @property
    def fixed(self) -> int:
        """Bytes of a training step that do not depend on the batch."""
        return self._at(self.memory.total.value, 0)

    @property
    def each(self) -> int:
        """Bytes of a training step for every image of the batch."""
        return self._at(self.memory.total.value, 1) - self.fixed

    def largest(self, gib: float) -> int:
        """Return the largest batch that fits into so many GiB: ⌊(budget − fixed)/each⌋."""
        return largest_batch(self.memory, gib, height=self.height, width=self.width)

    def intensity(self, batch: int, itemsize: int) -> float:
        """FLOPs per byte that the layers read and write, each on its own."""
        derived = self.reading.at(batch=batch)
        moved = sum(int(row.traffic) for row in derived.rows)
        return float(derived.total.flops) / (moved * itemsize)

    @property
    def last_map(self) -> Row:
        """The last row with more than one position: what the classifier gets to average."""
        return [row for row in self.reading.rows if prod(map(int, row.output[:-1])) > 1][-1]

    def _at(self, value: Number, batch: int) -> int:
        return int(sympify(value).subs({B: batch, H: self.height, W: self.width}))


def costs(
    networks: Iterable[Published], shape: Shape, *, optimizer: Optimizer, precision: Precision
) -> tuple[list[Costs], dict[str, str]]:
    """Read networks on an input of a shape; beside them, by title, what refused it and why."""
    found, refused = [], {}
    for network in networks:
        try:
            reading = read(network.build, shape, name=network.title)
            memory = training_formula(reading, optimizer=optimizer, precision=precision)
        except AnalysisError as error:
            refused[network.title] = str(error)
        else:
            found.append(Costs(network, reading, memory, *shape[1:]))
    return found, refused


def field(row: Row) -> list[str]:
    """Write a receptive field, without gates, and its status.

    >>> from analysis import vgg19
    >>> field(vgg19().row("pool5"))
    ['268', '268', 'exact']
    """
    seen = "the image" if row.status == "global" else _side(row.receptive_field)
    gated = row.ungated != row.receptive_field
    ungated = _side(row.ungated) if gated or row.status != "global" else "the image"
    return [seen, ungated, row.status]


def _side(size: Any) -> str:
    return " × ".join(map(text, size)) if isinstance(size, tuple) else text(size)


def in_cells(form: Number, side: int = 32) -> Number:
    """Write a formula for heights and widths that are multiples of a side: no floor is left.

    >>> from sympy import floor
    >>> in_cells(3 * floor((H + 1) / 2) * floor(W / 4))
    3*H*W/8
    """
    tall, wide = (Symbol(name, integer=True, positive=True) for name in "hw")
    whole: Expr = sympify(form).subs({H: side * tall, W: side * wide}).expand()
    return whole.subs({tall: H / side, wide: W / side})


def agreement(readings: Mapping[str, Reading], tool: str, answers: Answers) -> dict[str, bool]:
    """Say of each network that a tool counted whether our convention gives the same number."""
    named = CONVENTIONS[tool]
    said = {name: total for name, total in answers.networks.items() if total is not None}
    return {name: named.total(readings[name]) == total for name, total in said.items()}


def judged(number: int | None, right: int | None = None) -> str:
    """Write a tool's count, crossed where it is not the right one; a dash where there is none.

    >>> judged(57344, right=55296).split(), judged(None)
    (['57,344', '✗'], '–')
    """
    if number is None:
        return "–"
    cross = "" if right is None or number == right else " ✗"
    return unbroken(f"{number:,}{cross}")


def trade_offs(points: Mapping[str, tuple[float, float]], xlabel: str, ylabel: str) -> Figure:
    """Draw networks by two costs, both on logarithmic axes, each point labelled."""
    figure, axes = new(size=(6.4, 3.6))
    ax = axes[0][0]
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.plot(*zip(*points.values(), strict=True), "o", color=BLUE, ms=6)
    ax.margins(0.2)
    label_points(figure, ax, points)
    return figure


def paired_bars(
    names: Sequence[str], values: Mapping[str, Sequence[float]], xlabel: str, form: str
) -> Figure:
    """Draw two values a network as bars, on a logarithmic axis, each with its number."""
    figure, axes = new(size=(6.4, 0.7 + 0.46 * len(names)))
    ax = axes[0][0]
    for number, (label, row) in enumerate(values.items()):
        places = [index + (number - 0.5) * 0.38 for index in range(len(names))]
        ax.barh(places, row, height=0.34, color=(BLUE, ORANGE)[number])
        for index, (place, value) in enumerate(zip(places, row, strict=True)):
            written = f"{value:{form}}{f'  {label}' if index == 0 else ''}"
            ax.annotate(written, (value, place), (3, 0), textcoords="offset points",
                        va="center", fontsize=9)  # fmt: skip
    ax.set(xscale="log", xlabel=xlabel)
    ax.set_yticks(range(len(names)), list(names))
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.margins(x=0.15)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    return figure


def keras_difference(reading: Reading, total: int) -> str:
    """Name what Keras' own version of a network counts that torchvision's does not have."""
    more = total - CONVENTIONS["keras"].total(reading)
    filters = sum(int(row.output[-1]) for row in reading.rows if row.kind == "conv")
    channels = reading.shape[1]
    known = {
        0: "",
        filters: "a bias for every filter, though a batch norm follows",
        2 * channels + 1: "mean and variance of the input's channels, and a counter",
    }
    return known.get(more, "unknown")
