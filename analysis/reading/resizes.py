"""Rules for resizing: interpolation to a size or by a factor."""

from fractions import Fraction
from typing import Any

from analysis.reading.calls import Call, rule
from analysis.reading.indexing import denser, spread
from analysis.reading.marks import Denser, Marks
from analysis.reading.sizes import Ratio, Size, ceil_divide, fixed
from analysis.reading.slides import adapted


def _resize_facts(call: Call) -> dict[str, Any]:
    return {"mode": _mode(call)}


@rule("resize", "interpolate", "upsample", "upsample_nearest", "upsample_bilinear",
      facts=_resize_facts)  # fmt: skip
def _resized(call: Call) -> Marks:
    marks = call.marks(0)
    axes = len(marks.shape) - 2
    size, factor = call.argument(1, "size"), call.argument(2, "scale_factor")
    if size is not None:
        sides = (size,) * axes if isinstance(size, int) else tuple(size)
    else:
        factors = (factor,) * axes if isinstance(factor, int | float) else tuple(factor)
        real = call.out.shape[2:]
        sides = tuple(map(_scaled, marks.shape[2:], factors, real))
    if _mode(call) == "area":
        for axis, side in enumerate(sides):
            marks = adapted(marks, 2 + axis, side)
        return marks
    steps = {
        2 + axis: _resized_step(call, fixed(before), fixed(after))
        for axis, (before, after) in enumerate(zip(marks.shape[2:], sides, strict=True))
    }
    return denser(marks.reshaped((*marks.shape[:2], *sides), marks.axes), steps)


def _resized_step(call: Call, before: int, after: int) -> Denser:
    """Return how dense positions lie; antialiasing widens the taps where they get fewer."""
    taps = {"nearest": 1, "nearest-exact": 1, "bicubic": 4}.get(_mode(call), 2)
    if call.argument(4, "align_corners") and after > 1:
        before, after = before - 1, after - 1
    if call.argument(6, "antialias") and before > after:
        taps = ceil_divide(taps * before, after) + 1
    return spread(*Fraction(after, max(1, before)).as_integer_ratio(), taps)


def _mode(call: Call) -> str:
    return str(call.argument(3, "mode", "nearest"))


def _scaled(size: int, factor: float, real: int) -> int:
    """Return ⌊size · factor⌋; a factor that is no binary fraction ends the formula.

    torch floors the rounded product, which no formula in whole numbers follows at every size.
    """
    simple = Fraction(float(factor)).limit_denominator(1000)
    if isinstance(size, Size) and (isinstance(factor, Ratio) or simple != Fraction(float(factor))):
        size.journal.leak(size.term)
        return real
    return size * simple.numerator // simple.denominator
