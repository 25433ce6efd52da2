"""What flows from layer to layer, and what windows do to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeVar

from sympy import Expr, Integer, Mul

from analysis import operators
from analysis.errors import AnalysisError
from analysis.layers import Conv, Pool, Window, windows
from analysis.notation import calculation, text
from analysis.receptive_field import (
    Field,
    jump_calculation,
    size_calculation,
    start_calculation,
)
from analysis.rows import STATUSES, Shown, Status

Made = TypeVar("Made")


@dataclass(frozen=True)
class Signal:
    """What flows from layer to layer: batch, shape, and what one position sees along each axis.

    `status` says how far the latter may be trusted. `pooled` is the signal before an adaptive pool:
    who reads the pool's whole map sees what that signal's whole map sees. `itemsize`: bytes of a
    number.
    """

    batch: Expr
    shape: tuple[Expr, ...]
    fields: tuple[Field, Field] = (Field(), Field())
    status: Status = "exact"
    pooled: "Signal | None" = None
    itemsize: int = 4

    @property
    def numbers(self) -> Expr:
        """Numbers in it, for the whole batch."""
        return prod(self.shape, start=self.batch)


def slide(layer: Conv | Pool, signal: Signal) -> tuple[Window, Window]:
    """Return the layer's windows, checked to fit onto the map."""
    check_map(layer.name, signal, "slides over")
    along = windows(layer)
    for side, window in dict.fromkeys(zip(signal.shape[:2], along, strict=True)):
        positions = operators.output_side(side, *window)
        if positions.is_number and positions <= 0:
            window_size = by(tuple(one.dilation * (one.kernel - 1) + 1 for one in along))
            raise AnalysisError(
                f"{layer.name} cannot slide its {window_size} window over a map of "
                f"{by(signal.shape)}; the input is too small"
            )
    return along


def check_map(name: str, signal: Signal, needs: str = "needs") -> None:
    """Check that a layer which needs a map gets one.

    Raises:
        AnalysisError: If it gets a vector.
    """
    if len(signal.shape) != 3:
        raise AnalysisError(
            f"{name} {needs} a map of height x width x channels, not {by(signal.shape)}"
        )


def whole_map(name: str, signal: Signal) -> tuple[Window, Window]:
    """Return windows that cover the map once.

    Global pooling and a fully connected layer look through them.
    """
    check_map(name, signal)
    height, width = (Window(side, Integer(1), Integer(0), Integer(1)) for side in signal.shape[:2])
    return height, width


def behind(
    signal: Signal, along: tuple[Window, Window], channels: Expr
) -> tuple[Signal, dict[str, Shown]]:
    """Return the signal behind sliding windows, and how it comes about.

    How: the calculations of its sides, receptive field, start and jump.
    """
    axes = tuple(zip(signal.shape[:2], along, strict=True))
    sides = _each(operators.side_calculation, axes)
    height, width = (side.result for side in sides)
    fields = fields_behind(signal, along)
    after = replace(signal, shape=(height, width, channels), fields=fields, pooled=None)
    return after, {"sides_shown": sides, **seen(signal, along)}


def fields_behind(signal: Signal, along: tuple[Window, Window]) -> tuple[Field, Field]:
    """Return what a position behind the windows sees along each axis."""
    return _each(Field.through, zip(signal.fields, along, strict=True))


def _each(make: Callable[..., Made], axes: Iterable[tuple[Any, Window]]) -> tuple[Made, Made]:
    """Return what is made of height and width: of both at once where they are alike."""
    height, width = axes
    made = make(*height)
    return made, made if width == height else make(*width)


def seen(signal: Signal, along: tuple[Window, Window]) -> dict[str, Shown]:
    """Return the calculations of the receptive field, its start and the jump behind the windows."""
    axes = tuple(zip(signal.fields, along, strict=True))
    return {
        "receptive_field_shown": _each(size_calculation, axes),
        "start_shown": _each(start_calculation, axes),
        "jump_shown": _each(jump_calculation, axes),
    }


def flatten(signal: Signal) -> Signal:
    """Return the map as one vector, each of whose readers sees what the whole map sees."""
    if len(signal.shape) == 1:
        return signal
    source = signal.pooled or signal
    fields = fields_behind(source, whole_map("flatten", source))
    return replace(signal, shape=(Mul(*signal.shape),), fields=fields, status="global", pooled=None)


def worst(statuses: Iterable[Status]) -> Status:
    """Return the status to be trusted least.

    >>> worst(["exact", "upper bound"])
    'upper bound'
    """
    return max(statuses, key=STATUSES.index)


def unions(signals: list[Signal], after: Signal) -> Shown:
    """Return what meets in a concatenation, and its hull: `1 ∪ 3 ∪ 5 = 5`."""
    calculations = []
    for axis in (0, 1):
        sizes = list(dict.fromkeys(signal.fields[axis].size for signal in signals))
        calculations.append(
            calculation(after.fields[axis].size, " ∪ ".join("{}" for _ in sizes), *sizes)
        )
    return tuple(calculations)


def by(shape: tuple[Expr, ...]) -> str:
    """Write a shape in a sentence: `224x224x3`."""
    return "x".join(text(size).replace(",", "") for size in shape)
