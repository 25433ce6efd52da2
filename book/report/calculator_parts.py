"""What a calculator is made of: inputs, words with numbers in them, a table's cells, curves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TypeAlias

from sympy import Expr, Symbol, sympify

from analysis.notation import Calculation, Number


@dataclass(frozen=True)
class Input:
    """A number that the reader enters: its symbol, what it is, its default and its limits.

    The default is within them, or widens them. `step` is what the number is a multiple of, counted
    from `least`; None is any number.
    """

    symbol: Symbol
    label: str
    default: float
    least: float
    most: float
    step: float | None = 1
    slider: bool = False


@dataclass(frozen=True)
class Words:
    """A text with numbers in its places, which are those of `str.format`: `{:,}`, `{:.1%}`."""

    template: str
    values: tuple[Number, ...] = ()


Cell: TypeAlias = str | Number | Words | Calculation | Input | tuple[Number, ...]
"""A table's cell: a shape is a tuple, a calculation is shown with its operands."""


@dataclass(frozen=True)
class Line:
    """A curve: what it is called, its height at the panel's `place`, its colour."""

    label: str
    height: Expr
    colour: str
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """Curves over one axis, whose places are whole numbers from 0 to `end`; heights go to `top`.

    `axes` says what is drawn over what; `mark` is the place and the height of a dot.
    """

    axes: str
    place: Symbol
    end: Number
    top: Number
    lines: tuple[Line, ...]
    mark: tuple[Number, Number] | None = None


@dataclass(frozen=True)
class Calculator:
    """Inputs, and what follows from them: a sentence or two, a table, panels of curves.

    `note` says what to try. Inputs that are no cell of the table stand above it. `checks` maps what
    must be at least 0 to what is said where it is less. `rounded`: its numbers are no whole ones.
    """

    name: str
    title: str
    note: str
    inputs: tuple[Input, ...]
    said: Words
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    panels: tuple[Panel, ...] = ()
    checks: Mapping[Expr, str] = field(default_factory=dict)
    rounded: bool = False

    @property
    def defaults(self) -> dict[Symbol, Expr]:
        """The inputs' defaults."""
        return {one.symbol: sympify(one.default) for one in self.inputs}


def written(value: Number, form: str = ",") -> str:
    """Write a number as the page's script does: in a form of `format`, but never with an exponent.

    As there, the shortest decimal of a double is rounded, halves up.

    >>> written(34848), written(sympify("1/8"), ".1%"), written(sympify("12345"), ",.2g")
    ('34,848', '12.5%', '12,000')
    """
    value = sympify(value)
    number = Decimal(int(value)) if value.is_Integer else Decimal(repr(float(value)))
    with localcontext(rounding=ROUND_HALF_UP) as context:
        if form.endswith("g"):
            context.prec = int(form.strip(",.g"))
            return format(number.normalize(), ",f")
        return format(number, form)
