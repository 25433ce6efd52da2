"""Rules for sliding windows: convolutions, transposed ones, pools."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from analysis.reading.axes import NOWHERE, along
from analysis.reading.calls import Call, Product, named, pair, rule, shape_of
from analysis.reading.indexing import absorbed, denser
from analysis.reading.marks import Denser, Marks, View
from analysis.reading.sizes import Shape, Size, ceil_divide, fixed

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def slid(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return the output size along one axis; the last, incomplete window is dropped.

    >>> slid(227, 11, 4, 0, 1)
    55
    """
    return (size + (2 * padding - dilation * (kernel - 1) - 1)) // stride + 1


def slid_up(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return it in ceil mode: rounded up, unless the last window starts in the padding.

    The last of n windows starts at (n − 1) s < side + p, so n = ⌈(side + min(p, 2p − r + s))/s⌉
    for a window of reach r = d (k − 1) + 1.

    >>> slid_up(112, 3, 2, 0, 1), slid_up(12, 1, 2, 0, 1)
    (56, 6)
    """
    reach = dilation * (kernel - 1) + 1
    return ceil_divide(size + min(padding, 2 * padding - reach + stride), stride)


def moved(marks: Marks, dim: int, count: int, window: Sequence[int]) -> Marks:
    """Return marks behind a window (kernel, stride, padding, dilation) along a dimension."""
    kernel, stride, padding, dilation = window
    if kernel > 1 or stride > 1:
        marks = absorbed(marks, dim)

    def behind(view: View) -> View:
        for axis, part in along([marks.axes[dim]]) if view.sights else ():
            sight = view.sights[axis].through(count, kernel, stride, padding, dilation)
            one_axis = len(marks.axes[dim]) == 1 and not part
            still = one_axis or (kernel == 1 and stride == 1)
            view = view.on(axis, sight if still else view.sights[axis].everywhere(count))
        return view

    shape = (*marks.shape[:dim], count, *marks.shape[dim + 1 :])
    return Marks(shape, marks.axes, behind(marks.view), behind(marks.bare))


def _convolution(call: Call) -> Marks:
    marks, kernel = call.marks(0), shape_of(call.argument(1, "weight"))
    axes = len(kernel) - 2
    windows = list(zip(*_windows(call, kernel[2:], axes), strict=True))
    for axis, window in enumerate(windows):
        dim = len(marks.shape) - axes + axis
        real = call.out.shape[dim]
        marks = moved(marks, dim, _padded_size(marks.shape[dim], window, real), window)
    dim = len(marks.shape) - axes - 1
    shape = (*marks.shape[:dim], kernel[0], *marks.shape[dim + 1 :])
    return marks.mixed([dim]).reshaped(shape, marks.axes)


def _padded_size(size: int, window: Sequence[int], real: int) -> int:
    """Return it where an even kernel padded to the same size has one column more to the right."""
    found = slid(size, *window)
    return found if fixed(found) == real else size


def _windows(call: Call, kernel: Shape, axes: int) -> tuple[Sequence[int], ...]:
    stride = pair(call.argument(3, "stride", 1), axes)
    dilation = pair(call.argument(5, "dilation", 1), axes)
    padding = call.argument(4, "padding", 0)
    if padding == "valid":
        padding = 0
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
    return kernel, stride, pair(padding, axes), dilation


def _conv_products(call: Call, after: Marks) -> tuple[Product, ...]:
    kernel = shape_of(call.argument(1, "weight"))
    axes = len(kernel) - 2
    batch, sides = after.shape[: -axes - 1], after.shape[-axes:]
    return ((*batch, sides, (*kernel[2:], kernel[1]), kernel[0]),)


def _conv_facts(call: Call) -> dict[str, Any]:
    kernel = shape_of(call.argument(1, "weight"))
    bias = call.argument(2, "bias") is not None
    place = 7 if call.function.__name__ in TRANSPOSED else 6
    windows = {}
    if call.function.__name__ not in TRANSPOSED:
        windows = {"windows": tuple(zip(*_windows(call, kernel[2:], len(kernel) - 2), strict=True))}
    transposed = call.function.__name__ in TRANSPOSED
    groups = call.argument(place - (1 if transposed else 0), "groups", 1)
    return {"kernel": kernel, "bias": bias, "groups": groups, "transposed": transposed, **windows}


rule("conv", *CONVOLUTIONS, products=_conv_products, facts=_conv_facts)(_convolution)


def _transposed_products(call: Call, after: Marks) -> tuple[Product, ...]:
    before, kernel = call.marks(0).shape, shape_of(call.argument(1, "weight"))
    axes = len(kernel) - 2
    return ((*before[: -axes - 1], before[-axes:], (*kernel[2:], kernel[0]), kernel[1]),)


@rule("conv", *TRANSPOSED, products=_transposed_products, facts=_conv_facts)
def _transposed(call: Call) -> Marks:
    marks, kernel = call.marks(0), shape_of(call.argument(1, "weight"))
    axes, groups = len(kernel) - 2, call.argument(6, "groups", 1)
    names = (("stride", 3, 1), ("padding", 4, 0), ("output_padding", 5, 0), ("dilation", 7, 1))
    settings = [pair(call.argument(place, name, base), axes) for name, place, base in names]
    shape = list(marks.shape)
    shape[-axes - 1] = kernel[1] * groups
    steps = {}
    for axis, (s, p, extra, d) in enumerate(zip(*settings, strict=True)):
        dim = axis - axes
        shape[dim] = (shape[dim] - 1) * s + (d * (kernel[2:][axis] - 1) + 1 + extra - 2 * p)
        steps[dim] = _transposed_step(d * (kernel[2:][axis] - 1), s, p)
    return denser(marks.reshaped(tuple(shape), marks.axes), steps)


def _transposed_step(reach: int, stride: int, padding: int) -> Denser:
    """Return what position o sees: those i with i s between o + p − d (k − 1) and o + p."""
    taps, first = reach // stride + 1, -((reach - padding) // stride)
    early, late = Fraction((reach - padding) % stride, stride), Fraction(reach % stride, stride)
    return Denser(Fraction(1, stride), taps, first, early, late)


def _pooled(call: Call, settings: Sequence[Any], ceil: bool) -> Marks:
    marks = call.marks(0)
    kernel = settings[0]
    axes = _pool_axes(call)
    kernels = pair(kernel, axes)
    strides = pair(settings[1] if settings[1] not in (None, [], ()) else kernels, axes)
    windows = zip(kernels, strides, pair(settings[2], axes), pair(settings[3], axes), strict=True)
    for axis, window in enumerate(windows):
        dim = len(marks.shape) - axes + axis
        count = (slid_up if ceil else slid)(marks.shape[dim], *window)
        marks = moved(marks, dim, count, window)
    return marks


def _pool_axes(call: Call) -> int:
    """Return the axes in a pool's name; the dispatchers of `max_pool2d` have no such name."""
    digits = [int(one) for one in getattr(call.function, "__name__", "") if one.isdigit()]
    return digits[0] if digits else POOL_AXES[call.function]


MAX_POOLS = [f"max_pool{axes}d{more}" for axes in (1, 2, 3) for more in ("", "_with_indices")]
AVERAGE_POOLS = [f"avg_pool{axes}d" for axes in (1, 2, 3)]
POOL_AXES: dict[Any, int] = {}


def _register_axes() -> None:
    for axes in (1, 2, 3):
        names = (f"max_pool{axes}d", f"max_pool{axes}d_with_indices", f"avg_pool{axes}d",
                 f"lp_pool{axes}d", f"adaptive_max_pool{axes}d",
                 f"adaptive_max_pool{axes}d_with_indices", f"adaptive_avg_pool{axes}d")  # fmt: skip
        POOL_AXES.update(dict.fromkeys(named(*names), axes))


_register_axes()


@rule("pool", *MAX_POOLS)
def _max_pool(call: Call) -> Marks | tuple[Marks, ...]:
    names = (("kernel_size", None), ("stride", None), ("padding", 0), ("dilation", 1))
    settings = [call.argument(i + 1, name, base) for i, (name, base) in enumerate(names)]
    pooled = _pooled(call, settings, bool(call.argument(5, "ceil_mode", False)))
    return (pooled, pooled) if isinstance(call.out, tuple) else pooled


@rule("pool", *AVERAGE_POOLS)
def _average_pool(call: Call) -> Marks:
    names = (("kernel_size", None), ("stride", None), ("padding", 0))
    settings = [call.argument(i + 1, name, base) for i, (name, base) in enumerate(names)]
    return _pooled(call, [*settings, 1], bool(call.argument(4, "ceil_mode", False)))


@rule("pool", "lp_pool1d", "lp_pool2d", "lp_pool3d")
def _power_pool(call: Call) -> Marks:
    settings = [call.argument(2, "kernel_size"), call.argument(3, "stride"), 0, 1]
    return _pooled(call, settings, bool(call.argument(4, "ceil_mode", False)))


@rule("pool", *[f"adaptive_{kind}_pool{axes}d{more}" for axes in (1, 2, 3) for kind, more in
                (("avg", ""), ("max", ""), ("max", "_with_indices"))])  # fmt: skip
def _adaptive_pool(call: Call) -> Marks | tuple[Marks, ...]:
    marks, axes = call.marks(0), _pool_axes(call)
    wanted = call.argument(1, "output_size")
    sizes = (wanted,) * axes if wanted is None or isinstance(wanted, int) else tuple(wanted)
    sizes = sizes * axes if len(sizes) < axes else sizes
    for axis, size in enumerate(sizes):
        if size is not None:
            marks = adapted(marks, len(marks.shape) - axes + axis, size)
    return (marks, marks) if isinstance(call.out, tuple) else marks


def adapted(marks: Marks, dim: int, count: int) -> Marks:
    """Mark cells that cover the map: of one size where they divide it, of about one otherwise."""
    before = marks.shape[dim]
    if fixed(count) == 1:
        shape = (*marks.shape[:dim], count, *marks.shape[dim + 1 :])
        parts = along([marks.axes[dim]])
        views = [
            view.changed(parts, 1) if view.sights else view for view in (marks.view, marks.bare)
        ]
        return Marks(shape, marks.axes, *views)
    if fixed(before) % fixed(count) == 0:
        side = fixed(before) // fixed(count)
        return _here(moved(marks, dim, count, (side, side, 0, 1)), dim, before)
    step = Fraction(fixed(before), fixed(count))
    uneven = Denser(step, int(step) + 2, 0, 0, 0)  # from ⌊i s⌋ to ⌈(i + 1) s⌉
    shape = (*marks.shape[:dim], count, *marks.shape[dim + 1 :])
    after = denser(marks.reshaped(shape, marks.axes), {dim: uneven})
    for axis, _ in along([marks.axes[dim]]):
        after = after.on(axis, lambda sight: sight.at_best("not shift-invariant"))
    return _here(after, dim, before)


def _here(marks: Marks, dim: int, before: int) -> Marks:
    """Mark that cells cover the map at this run's size as they do at no other, if it can change."""
    for axis, _ in along([marks.axes[dim]]) if isinstance(before, Size) else ():
        marks = marks.on(axis, lambda sight: replace(sight, here=True))
    return marks


@rule("copy", "unfold")
def _unfolded(call: Call) -> Marks:
    """Mark windows laid out as columns (`functional.unfold`), or along a new dimension."""
    marks = call.marks(0)
    if len(call.arguments) == 4 and isinstance(call.arguments[1], int) and len(marks.shape) != 4:
        return _unfolded_along(marks, *call.arguments[1:])
    if call.function.__name__ == "unfold" and call.out.dim() == len(marks.shape) + 1:
        return _unfolded_along(marks, *call.arguments[1:])
    names = (("kernel_size", None), ("dilation", 1), ("padding", 0), ("stride", 1))
    kernel, dilation, padding, stride = (
        pair(call.argument(i + 1, name, base), 2) for i, (name, base) in enumerate(names)
    )
    after = marks
    for axis, window in enumerate(zip(kernel, stride, padding, dilation, strict=True)):
        dim = len(marks.shape) - 2 + axis
        after = moved(after, dim, slid(marks.shape[dim], *window), window)
    columns = after.shape[-3] * kernel[0] * kernel[1], after.shape[-2] * after.shape[-1]
    axes = (*after.axes[:-2], after.axes[-2] + after.axes[-1])
    return Marks((*after.shape[:-3], *columns), axes, after.view, after.bare)


def _unfolded_along(marks: Marks, dim: int, size: int, step: int) -> Marks:
    dim = dim % len(marks.shape)
    after = moved(marks, dim, slid(marks.shape[dim], size, step, 0, 1), (size, step, 0, 1))
    return after.reshaped((*after.shape, size), (*after.axes, NOWHERE))
