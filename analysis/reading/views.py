"""Rules for views: the same numbers under another shape, or with dimensions in another order."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from analysis.reading.axes import NOWHERE, Axes, Part, regrouped
from analysis.reading.calls import Call, rule, shape_of
from analysis.reading.marks import Marks
from analysis.reading.sizes import Shape, Size, fixed, times, values
from analysis.reading.terms import Term, multiply, term


def sizes_from(call: Call, place: int, name: str) -> tuple[int, ...]:
    """Return sizes given one by one, or as one tuple."""
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
    """Return a wanted shape with its −1 worked out, from the factors before, as a formula."""
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
    """Return the marks under another shape: axes go along where dimensions merge or split."""
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
    """Yield the least groups of dimensions, before and after, that hold equally many numbers."""
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


def rearranged(marks: Marks, order: Sequence[int]) -> Marks:
    """Return marks with the dimensions in another order."""
    return marks.reshaped(
        tuple(marks.shape[dim] for dim in order), tuple(marks.axes[dim] for dim in order)
    )


@rule(None, "permute")
def _permuted(call: Call) -> Marks:
    return rearranged(call.marks(0), sizes_from(call, 1, "dims"))


@rule(None, "transpose", "swapaxes", "swapdims")
def _transposed(call: Call) -> Marks:
    marks = call.marks(0)
    order = list(range(len(marks.shape)))
    one, two = call.argument(1, "dim0"), call.argument(2, "dim1")
    order[one], order[two] = order[two], order[one]
    return rearranged(marks, order)


@rule(None, "t", "adjoint")
def _turned(call: Call) -> Marks:
    return turned(call.marks(0))


def turned(marks: Marks) -> Marks:
    """Return marks with the last two dimensions swapped."""
    order = list(range(len(marks.shape)))
    order[-2:] = order[:-3:-1] if len(order) > 1 else order
    return rearranged(marks, order)


def reversed_dims(marks: Marks) -> Marks:
    """Reverse all dimensions: the property `T`."""
    return rearranged(marks, list(range(len(marks.shape)))[::-1])


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
    return rearranged(marks, order)


@rule(None, "squeeze")
def _squeezed(call: Call) -> Marks:
    marks = call.marks(0)
    dims = call.argument(1, "dim")
    asked = (
        range(len(marks.shape)) if dims is None else dims if isinstance(dims, tuple) else (dims,)
    )
    gone = {dim % len(marks.shape) for dim in asked if fixed(marks.shape[dim]) == 1}
    return rearranged(marks, [dim for dim in range(len(marks.shape)) if dim not in gone])


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
