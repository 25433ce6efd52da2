"""Sizes that remember their formula: integers with which a module computes as with any other.

A `Size` is an `int` with the value of this run, and a `Term` that says how it came from the batch,
the height and the width. Arithmetic makes new sizes; a comparison is answered from the value and
written down as a `Guard`, because the formulas hold only where it comes out the same.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from math import isfinite, prod
from typing import Any, TypeAlias

from numpy import array

from analysis.reading.journal import SIGNS, Journal
from analysis.reading.terms import Term, term

Shape: TypeAlias = tuple[int, ...]

AXES = ("B", "H", "W")
"""The symbols of an input's batch, height and width."""


class Size(int):
    """An integer with its formula.

    >>> from analysis.reading.terms import symbol
    >>> half = Size.of(224, symbol("H"), Journal()) // 2
    >>> half, half.term
    (112, floor(H/2))
    """

    term: Term
    journal: Journal

    @classmethod
    def of(cls, value: int, formula: Term, journal: Journal) -> "Size":
        """Return a size of this value and formula."""
        size = cls(value)
        size.term, size.journal = formula, journal
        return size

    def _with(self, sign: str, left: int, right: int, value: int) -> "int":
        formula = Term.of(sign, term(left), term(right))
        return value if formula.constant else Size.of(value, formula, self.journal)

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return self._bare().__add__(other)
        return self._with("+", self, other, int.__add__(self, other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return self._bare().__sub__(other)
        return self._with("-", self, other, int.__sub__(self, other))

    def __rsub__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return self._bare().__rsub__(other)
        return self._with("-", other, self, int.__rsub__(self, other))

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return self._bare().__mul__(other)
        return self._with("*", self, other, int.__mul__(self, other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return self._bare().__floordiv__(other)
        return self._with("//", self, other, int.__floordiv__(self, other))

    def __rfloordiv__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return self._bare().__rfloordiv__(other)
        return self._with("//", other, self, int.__rfloordiv__(self, other))

    def __mod__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return self._bare().__mod__(other)
        return self._with("%", self, other, int.__mod__(self, other))

    def __rmod__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return self._bare().__rmod__(other)
        return self._with("%", other, self, int.__rmod__(self, other))

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __pow__(self, power: Any, modulus: Any = None) -> Any:
        if type(power) is int and power > 0 and modulus is None:
            return times([self] * power)
        self.journal.leak(self.term)
        return pow(int.__index__(self), power, modulus)

    def __neg__(self) -> Any:
        return 0 - self

    def __pos__(self) -> "Size":
        return self

    def __abs__(self) -> "Size":
        return self if self >= 0 else -self

    def __truediv__(self, other: Any) -> Any:
        value = int.__index__(self) / other
        return Ratio.of(value, self, other) if isinstance(other, int) else self._leaked(value)

    def __rtruediv__(self, other: Any) -> Any:
        value = other / int.__index__(self)
        return Ratio.of(value, other, self) if isinstance(other, int) else self._leaked(value)

    def _leaked(self, value: float) -> float:
        self.journal.leak(self.term)
        return value

    def __float__(self) -> float:
        return self._leaked(float(int.__index__(self)))

    def __bool__(self) -> bool:
        return self.journal.compare(self, "!=", 0)

    def compare(self, sign: str, other: Any) -> Any:
        """Answer a comparison, and write it down; a float ends the formula."""
        if isinstance(other, float):
            return SIGNS[sign](self._bare(), other)
        return self.journal.compare(self, sign, other) if isinstance(other, int) else NotImplemented

    def _bare(self) -> int:
        """Return the value alone, and write down that its formula ends here."""
        self.journal.leak(self.term)
        return int.__index__(self)

    def __lshift__(self, bits: int) -> Any:
        return self * 2 ** int.__index__(bits)

    def __rshift__(self, bits: int) -> Any:
        return self // 2 ** int.__index__(bits)

    def __round__(self, digits: Any = None) -> Any:
        return self if digits is None else round(self._bare(), digits)

    def __floor__(self) -> "Size":
        return self

    def __ceil__(self) -> "Size":
        return self

    def __array__(self, *args: Any, **options: Any) -> Any:
        return array(self._bare(), *args, **options)


class Ratio(float):
    """The quotient of two sizes, whose floor and ceiling are sizes again."""

    above: int
    below: int

    @classmethod
    def of(cls, value: float, above: int, below: int) -> "Ratio":
        """Return the quotient with what it divides."""
        ratio = cls(value)
        ratio.above, ratio.below = above, below
        return ratio

    def __floor__(self) -> int:
        return self.above // self.below

    def __ceil__(self) -> int:
        return ceil_divide(self.above, self.below)

    def bare(self) -> float:
        """Return the value alone, and write down that its formula ends here."""
        self._size.journal.leak(self._size.term)
        return float.__add__(self, 0.0)

    def __array__(self, *args: Any, **options: Any) -> Any:
        return array(self.bare(), *args, **options)

    @property
    def _size(self) -> Size:
        return next(part for part in (self.above, self.below) if isinstance(part, Size))

    def compare(self, sign: str, other: Any) -> bool:
        """Answer a comparison, and write it down where whole numbers say the same."""
        value = float.__add__(self, 0.0)
        held = bool(SIGNS[sign](value, other))
        below, journal = fixed(self.below), self._size.journal
        if not isinstance(other, Ratio | int | float) or below <= 0 or not isfinite(other):
            journal.leak(self._size.term)
            return held
        limit = Fraction(float(other))
        exact = SIGNS[sign](Fraction(fixed(self.above), below), limit)
        if isinstance(other, Ratio | Size) or exact != held:
            journal.leak(self._size.term)
            return held
        sides = term(self.above * limit.denominator), term(self.below * limit.numerator)
        journal.note(sides[0], sign, sides[1], held)
        return held


def words(text: str) -> list[str]:
    """Return names written in a row."""
    return text.split()


def _ending(base: type, name: str) -> Callable[..., Any]:
    """Return a method of the bare number, whose formula ends there."""

    def method(self: Any, *args: Any) -> Any:
        bare = self._bare() if isinstance(self, Size) else self.bare()
        return getattr(base, name)(bare, *args)

    return method


def _compared(sign: str) -> Callable[..., Any]:
    return lambda self, other: self.compare(sign, other)


ENDINGS = words("hash int trunc and rand or ror xor rxor invert rlshift rrshift rpow")
"""What ends the formula of a size. A text does not: most are messages of an assertion."""

PARTS = words("add sub mul truediv floordiv mod pow")
RATIO_ENDINGS = [*PARTS, *(f"r{one}" for one in PARTS), *words("neg abs hash int trunc round bool")]

for _one in ENDINGS:
    setattr(Size, f"__{_one}__", _ending(int, f"__{_one}__"))
for _one in RATIO_ENDINGS:
    setattr(Ratio, f"__{_one}__", _ending(float, f"__{_one}__"))
for _one, _sign in zip(words("eq ne lt le gt ge"), SIGNS, strict=True):
    for _owner in (Size, Ratio):
        setattr(_owner, f"__{_one}__", _compared(_sign))


def fixed(size: int) -> int:
    """Return the value of this run as a plain integer: asked so, no guard is written down."""
    return int.__index__(size)


def compared(left: int, sign: str, right: int) -> bool:
    """Compare sizes, and write a guard down where one of them has a formula."""
    known = next((one for one in (left, right) if isinstance(one, Size)), None)
    if known is None:
        return SIGNS[sign](left, right)
    return known.journal.compare(left, sign, right)


def values(shape: Iterable[int]) -> tuple[int, ...]:
    """Return the values of this run of a whole shape."""
    return tuple(map(fixed, shape))


def times(factors: Iterable[int]) -> int:
    """Return the product of sizes, itself a size where one of them is.

    >>> times([2, 3])
    6
    """
    return prod(factors)


def ceil_divide(above: int, below: int) -> int:
    """Return ⌈above / below⌉, for a positive divisor."""
    return (above + below - 1) // below


def placed(shape: Sequence[int], tokens: bool = False) -> dict[str, int]:
    """Return which dimension each symbol stands for: (B, C, H, W), (B, C, H) or (B, features).

    A row of tokens is (B, H, features) or (B, H); the depth of (B, C, depth, H, W) has no symbol.

    >>> placed((1, 3, 224, 224)), placed((1, 197, 768), tokens=True)
    ({'B': 0, 'H': 2, 'W': 3}, {'B': 0, 'H': 1})
    """
    return dict(zip(AXES, (0, *spatial(shape, tokens)[-2:]), strict=False))


def spatial(shape: Sequence[int], tokens: bool = False) -> list[int]:
    """Return the dimensions along which positions lie: up to three.

    >>> spatial((1, 3, 16, 112, 112))
    [2, 3, 4]
    """
    return [1] if tokens else [*range(2, len(shape))] if len(shape) <= 5 else []


def symbols(shape: Sequence[int], tokens: bool = False) -> dict[str, int]:
    """Return sizes by symbol."""
    return {axis: shape[dim] for axis, dim in placed(shape, tokens).items()}


def shaped(shape: Sequence[int], sizes: dict[str, int], tokens: bool = False) -> tuple[int, ...]:
    """Return a shape with its sizes replaced."""
    axes = {dim: axis for axis, dim in placed(shape, tokens).items()}
    return tuple(sizes[axes[dim]] if dim in axes else size for dim, size in enumerate(shape))
