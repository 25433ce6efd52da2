"""Numbers, closed forms and their calculations, written for a reader: as text and as LaTeX.

The text form uses `·` for products, `⌊ ⌋` for floors and a comma between thousands.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from operator import index
from typing import Any, TypeAlias

from sympy import Expr, Integer, Mul, Symbol, factor_terms, sympify
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from analysis.errors import AnalysisError

Dimension: TypeAlias = int | Expr
"""A positive integer, or a sympy expression that stands for one: what goes into a network."""

Number: TypeAlias = int | Expr
"""A plain integer wherever the value is known, a sympy expression otherwise: what comes out."""

Factor: TypeAlias = Dimension | tuple[Dimension, ...]

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LATEX_GLYPHS = {
    "·": r" \cdot ",
    "−": "-",
    "⌊": r"\left\lfloor ",
    "⌋": r" \right\rfloor",
    "max": r"\max",
    "∪": r"\cup",
}

B, H, W, C = (Symbol(name, integer=True, positive=True) for name in "BHWC")
SYMBOLS: dict[str, Symbol] = {"batch": B, "height": H, "width": W, "channels": C}
"""Arguments that make a network derive its closed forms: `analysis.vgg19(**analysis.SYMBOLS)`."""


class _TextPrinter(StrPrinter):
    def _print_Integer(self, expr: Any) -> str:  # noqa: N802 (sympy looks it up by this name)
        return f"{int(expr):,}"

    def _print_floor(self, expr: Any) -> str:
        return f"⌊{self._print(factor_terms(expr.args[0]))}⌋"


class _LatexPrinter(LatexPrinter):
    def _print_Integer(self, expr: Any) -> str:  # noqa: N802 (sympy looks it up by this name)
        return f"{int(expr):,}".replace(",", "{,}")

    def _print_floor(self, expr: Any, exp: str | None = None) -> str:
        inner = self._print(factor_terms(expr.args[0]))
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\left\lfloor {inner} \right\rfloor{power}"


def text(value: Number) -> str:
    """Write a number or closed form as plain text.

    >>> text(34848), text(64 * B * H**2)
    ('34,848', '64·B·H²')
    """
    if type(value) is int:
        return f"{value:,}"
    written = _TextPrinter().doprint(sympify(value))
    written = re.sub(r"\*\*(\d+)", lambda power: power[1].translate(_SUPERSCRIPTS), written)
    return written.replace("**", "^").replace("*", "·").replace(" - ", " − ")


def latex(value: Number) -> str:
    r"""Write a number or closed form as LaTeX, for math mode.

    >>> latex(34848), latex(64 * B * H**2)
    ('34{,}848', '64 B H^{2}')
    """
    if type(value) is int:
        return f"{value:,}".replace(",", "{,}")
    return str(_LatexPrinter().doprint(sympify(value)))


def plain(value: Number) -> Number:
    """Return a Python integer if the value is one, else the expression as it is.

    >>> plain(Integer(3)) + 1, plain(H)
    (4, H)
    """
    return int(value) if isinstance(value, int | Integer) else value


def whole(name: str, value: Dimension, at_least: int = 1) -> Expr:
    """Check that a size is a whole number, or can be one; return it as a sympy expression.

    Raises:
        AnalysisError: If it is no integer (a bool is none), or below `at_least`.

    >>> whole("kernel", 3)
    3
    """
    expected = f"{name} must be a whole number from {at_least} up"
    if isinstance(value, bool):
        raise AnalysisError(f"{expected}, not {value}")
    try:
        size = value if isinstance(value, Expr) else Integer(index(value))
    except TypeError:
        raise AnalysisError(f"{expected}, not {value!r}") from None
    if isinstance(size, Integer) and int(size) >= at_least:
        return size  # sympy's assumptions say the same, slowly
    if size.is_integer is False or (size - at_least).is_negative:
        raise AnalysisError(f"{expected}, not {size}")
    return size


@dataclass(frozen=True)
class Calculation:
    r"""A number and how it came about.

    >>> weights = product((11, 11, 3), 96)
    >>> weights.value, weights.text
    (34848, '(11·11·3)·96 = 34,848')
    >>> print(weights.latex)
    (11 \cdot 11 \cdot 3) \cdot 96 = 34{,}848
    """

    result: Number
    template: str = "{}"
    operands: tuple[Number, ...] = ()

    @cached_property
    def value(self) -> Number:
        """The result, common factors taken out when first asked for."""
        return plain(factor_terms(self.result)) if isinstance(self.result, Expr) else self.result

    @cached_property
    def text(self) -> str:
        """The calculation as plain text, written when first asked for."""
        return _equation(self._filled(self.template, text), text(self.value))

    @cached_property
    def latex(self) -> str:
        """The calculation as LaTeX, written when first asked for."""
        template = self.template
        for glyph, command in _LATEX_GLYPHS.items():
            template = template.replace(glyph, command)
        return _equation(self._filled(template, latex), latex(self.value))

    def _filled(self, template: str, write: Callable[[Number], str]) -> str:
        operands = self.operands or (self.value,)
        return template.format(*(parenthesized(write(x), x) for x in operands))

    def __str__(self) -> str:
        return self.text


def parenthesized(written: str, value: Number) -> str:
    """Put a written sum of symbols in parentheses, to stand in a product; leave all else.

    >>> parenthesized("H − 4", H - 4)
    '(H − 4)'
    """
    return f"({written})" if getattr(value, "is_Add", False) else written


def calculation(value: Number, template: str = "{}", *operands: Number) -> Calculation:
    """Write `template = value`, the operands in the template's places.

    Sums of symbols stand in parentheses.

    >>> calculation(13, "{} + ({} − 1)·{}", 9, 5, 1).text
    '9 + (5 − 1)·1 = 13'
    """
    return Calculation(value, template, operands)


def _equation(left: str, right: str) -> str:
    return right if left in (right, f"({right})") else f"{left} = {right}"


def product(*factors: Factor) -> Calculation:
    """Multiply; a tuple of factors is multiplied in parentheses, as a reader groups them.

    >>> product(2, (5, 5, 48), 128).text
    '2·(5·5·48)·128 = 307,200'
    """
    groups = [
        f"({'·'.join('{}' for _ in factor)})" if isinstance(factor, tuple) else "{}"
        for factor in factors
    ]
    operands = list(_flat(factors))
    known = all(isinstance(operand, int | Integer) for operand in operands)
    value = prod(map(int, operands)) if known else Mul(*map(sympify, operands))
    return calculation(value, "·".join(groups), *operands)


def _flat(factors: tuple[Factor, ...]) -> Iterator[Dimension]:
    for factor in factors:
        if isinstance(factor, tuple):
            yield from factor
        else:
            yield factor


ZERO = calculation(0)
