"""Rules for operators that only arrange numbers: views, joins, splits, copies and padding."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from analysis.reading.calls import Call, marks_of, rule, shape_of
from analysis.reading.axes import NOWHERE, Axes, Part, along, merged, regrouped
from analysis.reading.marks import Marks, View, meet
from analysis.reading.pointwise import resolved
from analysis.reading.sizes import Shape, Size, ceil_divide, fixed, times, values
from analysis.reading.terms import Term, multiply, term


def sizes_from(call: Call, place: int, name: str) -> tuple[int, ...]:
    """Sizes given one by one, or as one tuple."""
    first = call.argument(place, name)
    if isinstance(first, tuple | list):
        return tuple(first)
    return tuple(call.arguments[place:]) if len(call.arguments) > place else (first,)


@rule(None, "view", "reshape", "_unsafe_view", "_reshape_alias", "contiguous_view")
def _viewed(call: Call) -> Marks:
    marks = call.marks(0)
    if not isinstance(call.out, Tensor) or not isinstance(
        call.argument(1, "shape"), int | tuple | list
    ):
        return marks
    return reshaped(marks, filled(marks.shape, sizes_from(call, 1, "shape"), tuple(call.out.shape)))


@rule(None, "view_as", "reshape_as")
def _viewed_as(call: Call) -> Marks:
    return reshaped(call.marks(0), shape_of(call.argument(1, "other")))


@rule(None, "flatten", "ravel")
def _flattened(call: Call) -> Marks:
    marks = call.marks(0)
    first, last = call.argument(1, "start_dim", 0), call.argument(2, "end_dim", -1)
    first, last = first % len(marks.shape), last % len(marks.shape)
    middle = times(marks.shape[first : last + 1])
    return reshaped(marks, (*marks.shape[:first], middle, *marks.shape[last + 1 :]))


@rule(None, "unflatten")
def _unflattened(call: Call) -> Marks:
    marks = call.marks(0)
    dim = call.argument(1, "dim") % len(marks.shape)
    wanted = (*marks.shape[:dim], *call.argument(2, "sizes"), *marks.shape[dim + 1 :])
    return reshaped(marks, filled(marks.shape, wanted, tuple(call.out.shape)))


def filled(before: Shape, wanted: tuple[int, ...], real: tuple[int, ...]) -> Shape:
    """A wanted shape with its −1 worked out: what is left of the factors before, as a formula."""
    if all(fixed(size) != -1 for size in wanted):
        return wanted
    place = [fixed(size) for size in wanted].index(-1)
    journal = next((size.journal for size in (*before, *wanted) if isinstance(size, Size)), None)
    left = _left(_factors(before), _factors(wanted[:place] + wanted[place + 1 :]))
    size = real[place] if journal is None or left.constant else Size.of(real[place], left, journal)
    return (*wanted[:place], size, *wanted[place + 1 :])


def _factors(shape: Sequence[int]) -> list[Term]:
    stack, factors = [term(size) for size in shape], []
    while stack:
        one = stack.pop()
        if one.key[0] == "*":
            stack += one.key[1:]
        else:
            factors.append(one)
    return factors


def _left(above: list[Term], below: list[Term]) -> Term:
    number, divisor, unmatched = 1, 1, []
    for factor in below:
        if factor.constant:
            divisor *= factor.key[1]
        elif factor in above:
            above.remove(factor)
        else:
            unmatched.append(factor)
    rest = [factor for factor in above if not factor.constant]
    for factor in above:
        number *= factor.key[1] if factor.constant else 1
    if divisor and number % divisor == 0:
        number, divisor = number // divisor, 1
    whole = multiply([number, *rest])
    return Term.of("/", whole, multiply([divisor, *unmatched]))


def reshaped(marks: Marks, shape: Shape) -> Marks:
    """The marks under another shape: axes go along where dimensions merge or split."""
    axes: list[tuple[Part, ...]] = [NOWHERE] * len(shape)
    before = values(marks.shape)
    for ins, outs in _groups(before, values(shape)):
        parts = regrouped(
            [(before[d], marks.axes[d]) for d in ins], [fixed(shape[d]) for d in outs]
        )
        for dim, one in zip(outs, parts, strict=True):
            axes[dim] = one
    after = Marks(shape, tuple(axes), marks.view, marks.bare)
    if _windows(marks.axes) == _windows(after.axes):
        return after
    return Marks(shape, after.axes, marks.view.unwindowed(), marks.bare.unwindowed())


def _windows(axes: Axes) -> set[tuple[int, int]]:
    return {(part.axis, part.window) for parts in axes for part in parts if part.window}


def _groups(before: Shape, after: Shape) -> Iterator[tuple[list[int], list[int]]]:
    """The least groups of dimensions, before and after, that hold equally many numbers."""
    i = j = 0
    while i < len(before) or j < len(after):
        left, right = before[i : i + 1], after[j : j + 1]
        ins, outs = [i] if left else [], [j] if right else []
        held, wanted = (left or (1,))[0], (right or (1,))[0]
        i, j = i + bool(left), j + bool(right)
        while held != wanted:
            if held < wanted and i < len(before):
                held, ins, i = held * before[i], [*ins, i], i + 1
            elif j < len(after):
                wanted, outs, j = wanted * after[j], [*outs, j], j + 1
            else:
                break
        yield ins, outs


def _rearranged(marks: Marks, order: Sequence[int]) -> Marks:
    return marks.reshaped(
        tuple(marks.shape[dim] for dim in order), tuple(marks.axes[dim] for dim in order)
    )


@rule(None, "permute")
def _permuted(call: Call) -> Marks:
    return _rearranged(call.marks(0), sizes_from(call, 1, "dims"))


@rule(None, "transpose", "swapaxes", "swapdims")
def _transposed(call: Call) -> Marks:
    marks = call.marks(0)
    order = list(range(len(marks.shape)))
    one, two = call.argument(1, "dim0"), call.argument(2, "dim1")
    order[one], order[two] = order[two], order[one]
    return _rearranged(marks, order)


@rule(None, "t", "adjoint")
def _turned(call: Call) -> Marks:
    return turned(call.marks(0))


def turned(marks: Marks) -> Marks:
    """The last two dimensions swapped."""
    order = list(range(len(marks.shape)))
    order[-2:] = order[:-3:-1] if len(order) > 1 else order
    return _rearranged(marks, order)


def reversed_dims(marks: Marks) -> Marks:
    """All dimensions in reverse: the property ``T``."""
    return _rearranged(marks, list(range(len(marks.shape)))[::-1])


@rule(None, "movedim", "moveaxis")
def _moved(call: Call) -> Marks:
    marks = call.marks(0)
    count = len(marks.shape)
    pairs = [call.argument(1, "source"), call.argument(2, "destination")]
    sources, targets = (
        [d % count for d in (p if isinstance(p, tuple | list) else (p,))] for p in pairs
    )
    order = [dim for dim in range(count) if dim not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return _rearranged(marks, order)


@rule(None, "squeeze")
def _squeezed(call: Call) -> Marks:
    marks = call.marks(0)
    dims = call.argument(1, "dim")
    asked = (
        range(len(marks.shape)) if dims is None else dims if isinstance(dims, tuple) else (dims,)
    )
    gone = {dim % len(marks.shape) for dim in asked if fixed(marks.shape[dim]) == 1}
    return _rearranged(marks, [dim for dim in range(len(marks.shape)) if dim not in gone])


@rule(None, "unsqueeze")
def _unsqueezed(call: Call) -> Marks:
    marks, dim = call.marks(0), call.argument(1, "dim")
    place = dim % (len(marks.shape) + 1)
    shape = (*marks.shape[:place], 1, *marks.shape[place:])
    return marks.reshaped(shape, (*marks.axes[:place], NOWHERE, *marks.axes[place:]))


@rule(None, "expand", "broadcast_to", "expand_as")
def _expanded(call: Call) -> Marks:
    marks = call.marks(0)
    asked = call.argument(1, "size")
    wanted = shape_of(asked) if isinstance(asked, Tensor) else sizes_from(call, 1, "size")
    old = (1,) * (len(wanted) - len(marks.shape)) + marks.shape
    axes = (NOWHERE,) * (len(wanted) - len(marks.shape)) + marks.axes
    shape = tuple(
        before
        if fixed(size) == -1 or (type(before) is not int and fixed(before) == fixed(size))
        else size
        for size, before in zip(wanted, old, strict=True)
    )
    return marks.reshaped(shape, axes)


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
            marks = _moved_along(marks, axis, -fixed(shift), window)
    return marks


def _moved_along(marks: Marks, axis: int, positions: int, window: int) -> Marks:
    status = "global" if window else "not shift-invariant"
    views = [
        view.on(axis, view.sights[axis].shifted(positions).at_best(status)) if view.sights else view
        for view in (marks.view, marks.bare)
    ]
    return Marks(marks.shape, marks.axes, *views)


@rule("copy", "pad", "constant_pad_nd")
def _padded(call: Call) -> Marks:
    marks, widths = call.marks(0), call.argument(1, "pad")
    shape = list(marks.shape)
    for place in range(len(widths) // 2):
        before, after = widths[2 * place], widths[2 * place + 1]
        dim = len(shape) - 1 - place
        shape[dim] = shape[dim] + before + after
        for axis, window in along([marks.axes[dim]]) if fixed(before) or fixed(after) else ():
            marks = _recounted(marks, axis, shape[dim], -fixed(before), window)
    return marks.reshaped(tuple(shape), marks.axes)


def _recounted(marks: Marks, axis: int, count: int, positions: int, window: int) -> Marks:
    from dataclasses import replace

    def on(view: View) -> View:
        if not view.sights:
            return view
        sight = view.sights[axis]
        return view.on(axis, replace(sight.shifted(positions), count=count))

    return Marks(marks.shape, marks.axes, on(marks.view), on(marks.bare))


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
    return _cut(marks, dim, [each] * (len(call.out) - 1))


@rule(None, "split", "split_with_sizes")
def _cut_up(call: Call) -> tuple[Marks, ...]:
    marks = call.marks(0)
    each = call.options.get("split_size", call.argument(1, "split_size_or_sections"))
    dim = call.argument(2, "dim", 0) % len(marks.shape)
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
    """Parts along a dimension, the last of which takes what is left."""
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
    return (_rearranged(marks, rest),) * len(call.out)


@rule(None, "select")
def _selected(call: Call) -> Marks:
    marks, dim = call.marks(0), call.argument(1, "dim")
    dim = dim % len(marks.shape)
    return _rearranged(marks, [d for d in range(len(marks.shape)) if d != dim])


@rule(None, "narrow")
def _narrowed(call: Call) -> Marks:
    marks, dim = call.marks(0), call.argument(1, "dim")
    dim = dim % len(marks.shape)
    shape = (*marks.shape[:dim], call.argument(3, "length"), *marks.shape[dim + 1 :])
    return marks.reshaped(shape, marks.axes)


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
    """Basic indexing: numbers, slices, None and an ellipsis."""
    used = sum(one is not None and one is not Ellipsis for one in index)
    whole = [slice(None)] * (len(marks.shape) - used)
    place = next((i for i, one in enumerate(index) if one is Ellipsis), len(index))
    index = (*index[:place], *whole, *index[place + 1 :])
    dim, shape, axes = 0, [], []
    for one in index:
        if one is None:
            shape, axes = [*shape, 1], [*axes, NOWHERE]
            continue
        if isinstance(one, slice):
            marks = _strided(marks, dim, one)
            shape, axes = [*shape, _length(marks.shape[dim], one)], [*axes, marks.axes[dim]]
        dim += 1
    return marks.reshaped(tuple(shape), tuple(axes))


def _bound(value: int | None, size: int, otherwise: int) -> int:
    """A slice's end, counted from the front and cut at the size; compared by value, not guarded."""
    if value is None:
        return otherwise
    placed = value if fixed(value) >= 0 else size + value
    if fixed(placed) < 0:
        return 0
    wanted = fixed(placed) < fixed(size) or (type(placed) is not int and placed_at(placed, size))
    return placed if wanted else size


def placed_at(stop: int, size: int) -> bool:
    """Whether a size given as the end is the whole: then it is meant, as after padding."""
    return fixed(stop) == fixed(size)


def _length(size: int, one: slice) -> int:
    start, stop = _bound(one.start, size, 0), _bound(one.stop, size, size)
    if fixed(stop) <= fixed(start):
        return 0
    return ceil_divide(stop - start, one.step) if one.step not in (None, 1) else stop - start


def _strided(marks: Marks, dim: int, one: slice) -> Marks:
    start, step = fixed(_bound(one.start, marks.shape[dim], 0)), one.step or 1
    if not start and step == 1:
        return marks
    for axis, window in along([marks.axes[dim]]):
        status = "global" if window else "exact"
        views = [
            view.on(
                axis,
                view.sights[axis]
                .shifted(start)
                .through(_length(marks.shape[dim], one), 1, step)
                .at_best(status),
            )
            if view.sights
            else view
            for view in (marks.view, marks.bare)
        ]
        marks = Marks(marks.shape, marks.axes, *views)
    return marks


@rule("copy", "index_select", "gather", "take_along_dim", "repeat_interleave")
def _picked(call: Call) -> Marks:
    return _gathered(call, call.marks(0))


@rule("copy", "pixel_shuffle")
def _shuffled_out(call: Call) -> Marks:
    marks, factor = call.marks(0), call.argument(1, "upscale_factor")
    *lead, channels, height, width = marks.shape
    shape = (*lead, channels // factor**2, height * factor, width * factor)
    return denser(marks.reshaped(shape, marks.axes), [(-2, factor, 1), (-1, factor, 1)], taps=1)


@rule("copy", "pixel_unshuffle")
def _shuffled_in(call: Call) -> Marks:
    marks, factor = call.marks(0), call.argument(1, "downscale_factor")
    *lead, channels, height, width = marks.shape
    shape = (*lead, channels * factor**2, height // factor, width // factor)
    for dim in (-2, -1):
        for axis, _ in along([marks.axes[dim]]):
            views = [
                view.on(axis, view.sights[axis].through(shape[dim], factor, factor))
                for view in (marks.view, marks.bare)
            ]
            marks = Marks(marks.shape, marks.axes, *views)
    return marks.reshaped(shape, marks.axes)


@rule("copy", "channel_shuffle")
def _channels_shuffled(call: Call) -> Marks:
    return call.marks(0)


def denser(marks: Marks, dims: list[tuple[int, int, int]], taps: int) -> Marks:
    """Marks whose positions along dimensions lie above/below times as dense."""
    for dim, above, below in dims:
        for axis, _ in along([marks.axes[dim]]):
            views = [
                view.on(axis, view.sights[axis].enlarged(marks.shape[dim], above, below, taps))
                if view.sights
                else view
                for view in (marks.view, marks.bare)
            ]
            marks = Marks(marks.shape, marks.axes, *views)
    return marks


@rule(None, "meshgrid")
def _grids(call: Call) -> tuple[Marks, ...]:
    known = [shape_of(tensor) for tensor in call.tensors]
    sizes = tuple(size for shape in known for size in shape)
    real = tuple(call.out[0].shape)
    shape = sizes if values(sizes) == real else resolved(real, known)
    return tuple(Marks(shape, (NOWHERE,) * len(shape)) for _ in call.out)
