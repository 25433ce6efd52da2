"""Rules that join tensors, cut them up, pad them and copy them."""

from collections.abc import Callable
from dataclasses import replace

from analysis.reading.axes import NOWHERE, Axes, along, merged
from analysis.reading.calls import Call, marks_of, rule, shape_of
from analysis.reading.marks import Marks, Sight, meet
from analysis.reading.pointwise import resolved
from analysis.reading.sizes import Shape, ceil_divide, compared, fixed, values
from analysis.reading.views import rearranged, sizes_from
from analysis.rows import Status


@rule("copy", "repeat", "tile")
def _repeated(call: Call) -> Marks:
    marks, times_each = call.marks(0), sizes_from(call, 1, "repeats")
    old = (1,) * (len(times_each) - len(marks.shape)) + marks.shape
    axes = (NOWHERE,) * (len(times_each) - len(marks.shape)) + marks.axes
    return marks.reshaped(tuple(a * b for a, b in zip(old, times_each, strict=True)), axes)


@rule("copy", "flip")
def _flipped(call: Call) -> Marks:
    return call.marks(0).mixed(sizes_from(call, 1, "dims"))


@rule("copy", "roll")
def _rolled(call: Call) -> Marks:
    marks = call.marks(0)
    shifts, dims = call.argument(1, "shifts"), call.argument(2, "dims")
    if dims is None:
        return marks.mixed(range(len(marks.shape)))
    one = isinstance(dims, int)
    for shift, dim in zip([shifts] if one else shifts, [dims] if one else dims, strict=True):
        for axis, window in along([marks.axes[dim]]):
            marks = marks.on(axis, _turned_round(-fixed(shift), window))
    return marks


def _turned_round(positions: int, window: int) -> Callable[[Sight], Sight]:
    """Return what a roll does to a sight: what comes in on the other side was far away."""
    status: Status = "global" if window else "not shift-invariant"
    return lambda sight: sight.shifted(positions).at_best(status)


@rule("copy", "pad", "constant_pad_nd")
def _padded(call: Call) -> Marks:
    marks, widths = call.marks(0), call.argument(1, "pad")
    shape = list(marks.shape)
    for place in range(len(widths) // 2):
        before, after = widths[2 * place], widths[2 * place + 1]
        dim = len(shape) - 1 - place
        shape[dim] = shape[dim] + before + after
        for axis, _ in along([marks.axes[dim]]) if fixed(before) or fixed(after) else ():
            marks = marks.on(axis, _recounted(shape[dim], -fixed(before)))
    return marks.reshaped(tuple(shape), marks.axes)


def _recounted(count: int, positions: int) -> Callable[[Sight], Sight]:
    return lambda sight: replace(sight.shifted(positions), count=count)


@rule("concat", "cat", "concat", "concatenate")
def _concatenated(call: Call) -> Marks:
    parts = [marks_of(tensor) for tensor in call.argument(0, "tensors")]
    parts = [marks for marks in parts if marks.shape != (0,)] or parts
    dim = call.argument(1, "dim", call.options.get("axis", 0)) % len(parts[0].shape)
    total = sum((marks.shape[dim] for marks in parts[1:]), parts[0].shape[dim])
    first = next((m for m in parts if any(type(size) is not int for size in m.shape)), parts[0])
    shape = (*first.shape[:dim], total, *first.shape[dim + 1 :])
    return _met(parts, shape, dim)


def _met(parts: list[Marks], shape: Shape, dim: int) -> Marks:
    axes: Axes = tuple(merged(marks.axes[d] for marks in parts) for d in range(len(shape)))
    view, bare = meet(marks.view for marks in parts), meet(marks.bare for marks in parts)
    if axes[dim]:
        view, bare = view.at_best("not shift-invariant"), bare.at_best("not shift-invariant")
    return Marks(shape, axes, view, bare)


@rule("concat", "stack", "hstack", "vstack", "dstack")
def _stacked(call: Call) -> Marks:
    parts = [marks_of(tensor) for tensor in call.argument(0, "tensors")]
    if getattr(call.function, "__name__", "") != "stack":
        return _met(parts, resolved(tuple(call.out.shape), [parts[0].shape]), 0)
    dim = call.argument(1, "dim", 0) % (len(parts[0].shape) + 1)
    shape, axes = parts[0].shape, parts[0].axes
    return Marks(
        (*shape[:dim], len(parts), *shape[dim:]),
        (*axes[:dim], NOWHERE, *axes[dim:]),
        meet(marks.view for marks in parts),
        meet(marks.bare for marks in parts),
    )


@rule(None, "chunk")
def _chunked(call: Call) -> tuple[Marks, ...]:
    marks, count = call.marks(0), call.argument(1, "chunks")
    dim = call.argument(2, "dim", 0) % len(marks.shape)
    each = ceil_divide(marks.shape[dim], count)
    compared(ceil_divide(marks.shape[dim], each), "==", len(call.out))
    return _cut(marks, dim, [each] * (len(call.out) - 1))


@rule(None, "split", "split_with_sizes")
def _cut_up(call: Call) -> tuple[Marks, ...]:
    marks = call.marks(0)
    each = call.options.get("split_size", call.argument(1, "split_size_or_sections"))
    dim = call.argument(2, "dim", 0) % len(marks.shape)
    if isinstance(each, int):
        compared(ceil_divide(marks.shape[dim], each), "==", len(call.out))
    sizes = [each] * len(call.out) if isinstance(each, int) else list(each)
    return _cut(marks, dim, sizes[: len(call.out) - 1])


@rule(None, "tensor_split")
def _tensor_split(call: Call) -> tuple[Marks, ...]:
    marks, dim = call.marks(0), call.argument(2, "dim", 0)
    dim = dim % len(marks.shape)
    return tuple(
        marks.reshaped(resolved(tuple(part.shape), [marks.shape]), marks.axes) for part in call.out
    )


def _cut(marks: Marks, dim: int, sizes: list[int]) -> tuple[Marks, ...]:
    """Return parts along a dimension, the last of which takes what is left."""
    left = marks.shape[dim]
    for size in sizes:
        left = left - size
    return tuple(
        marks.reshaped((*marks.shape[:dim], size, *marks.shape[dim + 1 :]), marks.axes)
        for size in (*sizes, left)
    )


@rule(None, "unbind")
def _unbound(call: Call) -> tuple[Marks, ...]:
    marks, dim = call.marks(0), call.argument(1, "dim", 0)
    dim = dim % len(marks.shape)
    rest = [d for d in range(len(marks.shape)) if d != dim]
    return (rearranged(marks, rest),) * len(call.out)


@rule(None, "select")
def _selected(call: Call) -> Marks:
    marks, dim = call.marks(0), call.argument(1, "dim")
    dim = dim % len(marks.shape)
    return rearranged(marks, [d for d in range(len(marks.shape)) if d != dim])


@rule(None, "narrow")
def _narrowed(call: Call) -> Marks:
    marks, dim = call.marks(0), call.argument(1, "dim")
    dim = dim % len(marks.shape)
    shape = (*marks.shape[:dim], call.argument(3, "length"), *marks.shape[dim + 1 :])
    return marks.reshaped(shape, marks.axes)


@rule(None, "meshgrid")
def _grids(call: Call) -> tuple[Marks, ...]:
    known = [shape_of(tensor) for tensor in call.tensors]
    sizes = tuple(size for shape in known for size in shape)
    real = tuple(call.out[0].shape)
    shape = sizes if values(sizes) == real else resolved(real, known)
    return tuple(Marks(shape, (NOWHERE,) * len(shape)) for _ in call.out)
