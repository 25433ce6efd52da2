"""Sizes that remember their formula: integers with which a module computes as with any other.

A `Size` is an `int` with the value of this run, and a `Term` that says how it came from the batch,
the height and the width. Arithmetic makes new sizes; a comparison is answered from the value and
written down as a `Guard`, because the formulas hold only where it comes out the same.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

from analysis.reading.terms import Term, term

Shape: TypeAlias = tuple[int, ...]

AXES = ("B", "H", "W")
"""The symbols of an input's batch, height and width."""

SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Guard:
    """A comparison of sizes that the module made, where, and how it came out."""

    left: Term
    sign: str
    right: Term
    held: bool
    layer: str

    def holds(self, sizes: dict[str, int]) -> bool:
        """Return whether the comparison comes out at other sizes as when the module was read."""
        outcome = SIGNS[self.sign](self.left.at(sizes), self.right.at(sizes))
        return outcome == self.held


@dataclass
class Journal:
    """What one run writes down: guards, sizes that leaked into floats, and the layer it is in."""

    guards: dict[tuple[Any, ...], Guard] = field(default_factory=dict)
    leaks: dict[str, Term] = field(default_factory=dict)
    layer: str = ""

    def compare(self, left: "Size", sign: str, right: int) -> bool:
        """Answer a comparison from the values and write it down."""
        held = SIGNS[sign](int.__index__(left), int.__index__(right))
        one, two = left.term, term(right)
        if one is not two:
            self.guards.setdefault((one, sign, two), Guard(one, sign, two, held, self.layer))
        return held

    def leak(self, size: Term) -> None:
        """Write down that a size went into a float, where its formula ends."""
        self.leaks.setdefault(self.layer, size)


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
            return NotImplemented
        return self._with("+", self, other, int.__add__(self, other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self._with("-", self, other, int.__sub__(self, other))

    def __rsub__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self._with("-", other, self, int.__rsub__(self, other))

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self._with("*", self, other, int.__mul__(self, other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self._with("//", self, other, int.__floordiv__(self, other))

    def __rfloordiv__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self._with("//", other, self, int.__rfloordiv__(self, other))

    def __mod__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self._with("%", self, other, int.__mod__(self, other))

    def __rmod__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
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

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self.journal.compare(self, "==", other)

    def __ne__(self, other: object) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self.journal.compare(self, "!=", other)

    def __lt__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self.journal.compare(self, "<", other)

    def __le__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self.journal.compare(self, "<=", other)

    def __gt__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self.journal.compare(self, ">", other)

    def __ge__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return self.journal.compare(self, ">=", other)

    __hash__ = int.__hash__


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

    def __trunc__(self) -> int:
        self._leak()
        return int(float(self))

    def __int__(self) -> int:
        return self.__trunc__()

    def _leak(self) -> None:
        for part in (self.above, self.below):
            if isinstance(part, Size):
                part.journal.leak(part.term)


def fixed(size: int) -> int:
    """Return the value of this run as a plain integer: asked so, no guard is written down."""
    return int.__index__(size)


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

    Where the input is a row of tokens, it is (B, H, features) or (B, H).

    >>> placed((1, 3, 224, 224)), placed((1, 197, 768), tokens=True)
    ({'B': 0, 'H': 2, 'W': 3}, {'B': 0, 'H': 1})
    """
    spatial = range(2, len(shape)) if len(shape) in (3, 4) else range(0)
    return dict(zip(AXES, (0, *([1] if tokens else spatial)), strict=False))


def symbols(shape: Sequence[int], tokens: bool = False) -> dict[str, int]:
    """Return sizes by symbol."""
    return {axis: shape[dim] for axis, dim in placed(shape, tokens).items()}


def shaped(shape: Sequence[int], sizes: dict[str, int], tokens: bool = False) -> tuple[int, ...]:
    """Return a shape with its sizes replaced."""
    axes = {dim: axis for axis, dim in placed(shape, tokens).items()}
    return tuple(sizes[axes[dim]] if dim in axes else size for dim, size in enumerate(shape))
