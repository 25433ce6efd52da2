"""Rules for indexing, and for operators that move numbers between channels and positions."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from torch import Tensor

from analysis.reading.axes import NOWHERE, OTHER, Part, along
from analysis.reading.calls import Call, rule, shape_of
from analysis.reading.journal import SIGNS
from analysis.reading.marks import Denser, Marks, Sight
from analysis.reading.pointwise import resolved
from analysis.reading.sizes import ceil_divide, compared, fixed
from analysis.rows import Status


@rule(None, "getitem")
def _indexed(call: Call) -> Marks:
    marks, index = call.marks(0), call.argument(1, "index")
    index = index if isinstance(index, tuple) else (index,)
    if any(isinstance(one, Tensor | list) for one in index):
        return _gathered(call, marks)
    return sliced(marks, index)


def _gathered(call: Call, marks: Marks) -> Marks:
    known = [marks.shape, *(shape_of(tensor) for tensor in call.tensors)]
    shape = resolved(tuple(call.out.shape), known)
    mixed = marks.mixed(range(len(marks.shape)))
    return Marks(shape, (NOWHERE,) * len(shape), mixed.view, mixed.bare)


def sliced(marks: Marks, index: tuple[Any, ...]) -> Marks:
    """Apply basic indexing: numbers, slices, None and an ellipsis."""
    used = sum(one is not None and one is not Ellipsis for one in index)
    whole = [slice(None)] * (len(marks.shape) - used)
    place = next((i for i, one in enumerate(index) if one is Ellipsis), len(index))
    index = (*index[:place], *whole, *index[place + 1 :])
    dim = 0
    shape: list[int] = []
    axes: list[tuple[Part, ...]] = []
    for one in index:
        if one is None:
            shape, axes = [*shape, 1], [*axes, NOWHERE]
            continue
        if isinstance(one, slice):
            marks = _strided(marks, dim, one)
            shape, axes = [*shape, _length(marks.shape[dim], one)], [*axes, marks.axes[dim]]
        else:
            marks = _one_of(marks, dim)
        dim += 1
    return marks.reshaped(tuple(shape), tuple(axes))


def _one_of(marks: Marks, dim: int) -> Marks:
    """Mark one place of every window: as if its whole window were seen."""
    for axis, window in along([marks.axes[dim]]):
        if window:
            marks = marks.on(axis, _joined(marks.view.sights[axis].count // window, window)
                             if marks.view.sights else lambda sight: sight)  # fmt: skip
    return marks


def _bound(value: int | None, size: int, otherwise: int) -> int:
    """Return a slice's end, counted from the front and cut at the size; a guard says which."""
    if value is None:
        return otherwise
    if type(value) is int and value in (0, 1):
        return min(value, fixed(size))
    placed = value if fixed(value) >= 0 else size + value
    if not _told(placed, ">=", 0, fixed(value) < -1):
        return 0
    if type(placed) is int or fixed(placed) > fixed(size):
        inside = _told(placed, "<", size, fixed(value) >= 0)
    else:
        inside = _told(placed, "<=", size, fixed(value) >= 0)
    return placed if inside else size


def _told(left: int, sign: str, right: int, guarded: bool) -> bool:
    """Compare sizes; with a guard only where they could come out otherwise."""
    if not guarded:
        return SIGNS[sign](fixed(left), fixed(right))
    return compared(left, sign, right)


def _length(size: int, one: slice) -> int:
    start, stop = _bound(one.start, size, 0), _bound(one.stop, size, size)
    if fixed(start) > 1 and not compared(start, "<=", stop):
        return 0
    if fixed(stop) <= fixed(start):
        return 0
    return ceil_divide(stop - start, one.step) if one.step not in (None, 1) else stop - start


def _strided(marks: Marks, dim: int, one: slice) -> Marks:
    start, step = fixed(_bound(one.start, marks.shape[dim], 0)), one.step or 1
    if not start and step == 1:
        return marks
    count = _length(marks.shape[dim], one)
    for axis, window in along([marks.axes[dim]]):
        marks = marks.on(axis, _every(step, start, count, "global" if window else "exact"))
    return marks


def _every(step: int, start: int, count: int, status: Status) -> Callable[[Sight], Sight]:
    return lambda sight: sight.shifted(start).through(count, 1, step).at_best(status)


@rule("copy", "index_select", "gather", "take_along_dim", "repeat_interleave")
def _picked(call: Call) -> Marks:
    return _gathered(call, call.marks(0))


@rule("copy", "pixel_shuffle")
def _shuffled_out(call: Call) -> Marks:
    marks, factor = call.marks(0), call.argument(1, "upscale_factor")
    *lead, channels, height, width = marks.shape
    shape = (*lead, channels // factor**2, height * factor, width * factor)
    step = spread(factor, 1)
    return denser(marks.reshaped(shape, marks.axes), {-2: step, -1: step})


@rule("copy", "pixel_unshuffle")
def _shuffled_in(call: Call) -> Marks:
    marks, factor = call.marks(0), call.argument(1, "downscale_factor")
    *lead, channels, height, width = marks.shape
    shape = (*lead, channels * factor**2, height // factor, width // factor)
    for dim in (-2, -1):
        for axis, _ in along([marks.axes[dim]]):
            marks = marks.on(axis, _gathered_in(shape[dim], factor))
    return marks.reshaped(shape, marks.axes)


def _gathered_in(count: int, factor: int) -> Callable[[Sight], Sight]:
    return lambda sight: sight.through(count, factor, factor)


@rule("copy", "channel_shuffle")
def _channels_shuffled(call: Call) -> Marks:
    return call.marks(0)


def spread(above: int, below: int, taps: int = 1) -> Denser:
    """Return positions above/below times as dense, each seeing the nearest `taps` of the old."""
    loose = Fraction(above - 1, above) if taps == 1 else 1
    return Denser(Fraction(below, above), taps, 1 - taps, loose, loose)


def denser(marks: Marks, dims: dict[int, Denser]) -> Marks:
    """Return marks whose positions along dimensions lie denser."""
    for dim, step in dims.items():
        marks = absorbed(marks, dim)
        for axis, _ in along([marks.axes[dim]]):
            marks = marks.on(axis, _enlarged(marks.shape[dim], step))
    return marks


def _enlarged(count: int, step: Denser) -> Callable[[Sight], Sight]:
    return lambda sight: sight.enlarged(count, step)


def absorbed(marks: Marks, dim: int) -> Marks:
    """Return marks where a position along a dimension sees all that other dimensions split off.

    `view(B, C, H/2, 2, W/2, 2)`, with the twos moved into the channels, leaves positions along H/2
    that lie two old ones apart, and see as many.
    """
    dim = dim % len(marks.shape)
    whole = {part.axis for part in marks.axes[dim] if part.axis != OTHER and not part.window}
    split = {(p.axis, p.window) for place, parts in enumerate(marks.axes) if place != dim
             for p in parts if p.axis in whole and p.window}  # fmt: skip
    for axis, window in split:
        marks = marks.on(axis, _joined(marks.shape[dim], window))
    if not split:
        return marks
    gone = {axis for axis, _ in split}
    axes = [parts if place == dim else _without(parts, gone)
            for place, parts in enumerate(marks.axes)]  # fmt: skip
    return marks.reshaped(marks.shape, tuple(axes))


def _joined(count: int, window: int) -> Callable[[Sight], Sight]:
    return lambda sight: sight.through(count, window, window).at_best("upper bound")


def _without(parts: tuple[Part, ...], gone: set[int]) -> tuple[Part, ...]:
    """Return a dimension's parts where the windows of these axes are none any more."""
    left = tuple(
        part._replace(axis=OTHER) if part.window and part.axis in gone else part for part in parts
    )
    return left if any(part.axis != OTHER for part in left) else NOWHERE
