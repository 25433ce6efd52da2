"""Closed forms as plain JavaScript, which a page evaluates as exactly as sympy does.

A double keeps integers up to 2^53, so a quotient of two of them has the right floor; a sum of
rounded fractions has not: `Math.floor((1/49)*H)` is 0 at 49. So every fraction is brought over one
denominator and divided once. All is exact as long as no number on the way is past 2^53.

What is no whole number to begin with, as a learning rate, may be as `rounded` as doubles are.
"""

import json
from collections.abc import Iterable, Mapping
from math import lcm
from typing import Any

from sympy import Add, Expr, Integer, Mod, Mul, Pow, S, sympify
from sympy.printing.codeprinter import PrintMethodNotImplementedError
from sympy.printing.jscode import JavascriptCodePrinter

from analysis.documents import content
from analysis.errors import AnalysisError
from analysis.notation import SYMBOLS, Number
from analysis.rows import Derivation


def javascript(value: Number) -> str:
    """Write a number or closed form as a JavaScript expression in its symbols.

    Raises:
        AnalysisError: For a function that has no exact counterpart there.

    >>> from analysis import H, W
    >>> javascript((H + 3) // 49), javascript(Mod(-H, W))
    ('Math.floor((H + 3)/49)', '((((-H) % W) + W) % W)')
    """
    return _Printer().written(value)


def javascript_function(derivation: Derivation) -> str:
    """Write a whole derivation as a function of its symbols: `({B, H, W}) => ({rows, total, …})`.

    It returns what `analysis.as_json` writes, with numbers in the place of closed forms. A floor
    that several numbers share is computed once.
    """
    printer = _Printer(shared=True)
    made = content(derivation)
    made["numbers"] = "integer"
    return _function(_literal(made, printer), printer)


def javascript_values(values: Iterable[Number], *, rounded: bool = False) -> str:
    """Write numbers and closed forms as a function of their symbols that returns a list of them.

    `rounded`: roots and other powers are allowed, and no number need be exact.

    Raises:
        AnalysisError: For a function that has no exact counterpart there, or none at all.

    >>> from analysis import H
    >>> print(javascript_values([H // 2, 3 * (H // 2) + 1]))
    ({ H }) => {
      const t0 = Math.floor(H/2);
      return [t0, 3*t0 + 1];
    }
    """
    printer = _Printer(shared=True, rounded=rounded)
    return _function(_literal([*values], printer), printer)


def _function(returned: str, printer: "_Printer") -> str:
    """Write a function of the symbols that were printed; the book's own come first."""
    ours = [str(one) for one in SYMBOLS.values()]
    names = ", ".join(one for one in dict.fromkeys([*ours, *sorted(printer.used)])
                      if one in printer.used)  # fmt: skip
    lines = [f"  const {name} = {written};" for written, name in printer.constants.items()]
    return "\n".join([f"({{ {names} }}) => {{", *lines, f"  return {returned};", "}"])


def fraction(value: Expr) -> tuple[Expr, Expr]:
    """Return a numerator and a denominator without a fraction in either, and one common to a sum.

    >>> from analysis import H
    >>> fraction(H / 4 + Integer(1) / 6)
    (3*H + 2, 12)
    """
    if value.is_Rational:
        return Integer(value.p), Integer(value.q)
    if isinstance(value, Add):
        return _sum(value)
    if isinstance(value, Mul):
        parts = [fraction(one) for one in value.args]
        return Mul(*(above for above, _ in parts)), Mul(*(below for _, below in parts))
    if isinstance(value, Pow) and value.exp.is_Integer:
        above, below = fraction(value.base)
        power = abs(int(value.exp))
        sides = above**power, below**power
        return sides if value.exp > 0 else sides[::-1]
    if isinstance(value, Mod):
        return _modulo(*map(fraction, value.args))
    return value, S.One


def _sum(value: Add) -> tuple[Expr, Expr]:
    """Bring a sum over the least common multiple of its numbers, and the product of all else."""
    parts = [fraction(one) for one in value.args]
    numbers, others = zip(*(below.as_coeff_Mul() for _, below in parts), strict=True)
    common = Mul(lcm(*map(int, numbers)), *dict.fromkeys(others))
    return Add(*(above * (common / below) for above, below in parts)), common


def _modulo(left: tuple[Expr, Expr], right: tuple[Expr, Expr]) -> tuple[Expr, Expr]:
    """Return (a/b) mod (c/d) as (a d) mod (c b), over b d."""
    (above, below), (step, under) = left, right
    return Mod(above * under, step * below, evaluate=False), below * under


class _Printer(JavascriptCodePrinter):
    """sympy's printer, but for what it rounds; `shared`: a floor becomes a constant of its own."""

    def __init__(self, shared: bool = False, rounded: bool = False) -> None:
        super().__init__({"strict": True})
        self.shared = shared
        self.rounded = rounded
        self.constants: dict[str, str] = {}
        self.used: set[str] = set()

    def written(self, value: Number) -> str:
        """Return the code of an expression, divided once if at all."""
        try:
            return self._quotient(sympify(value))
        except PrintMethodNotImplementedError as error:
            raise AnalysisError(f"{value} cannot be written in JavaScript: {error}") from error

    def _quotient(self, value: Expr) -> str:
        above, below = fraction(value)
        if below == 1:
            return str(self._print(above))
        return f"{self._factor(above)}/{self._factor(below)}"

    def _factor(self, value: Expr) -> str:
        bare = value.is_Symbol or (value.is_Integer and value.is_nonnegative)
        return str(self._print(value)) if bare else f"({self._print(value)})"

    def _rounded(self, name: str, value: Expr) -> str:
        written = f"Math.{name}({self._quotient(value)})"
        if not self.shared:
            return written
        return self.constants.setdefault(written, f"t{len(self.constants)}")

    def _print_Symbol(self, expr: Any) -> str:  # noqa: N802 (sympy looks it up by this name)
        self.used.add(expr.name)
        return str(super()._print_Symbol(expr))

    def _print_Pow(self, expr: Any) -> str:  # noqa: N802 (sympy looks it up by this name)
        """Write a whole power; a root in doubles is not exact, and its floor may be another."""
        if not expr.exp.is_Integer and not self.rounded:
            raise PrintMethodNotImplementedError("only whole powers are exact in a double")
        return str(super()._print_Pow(expr))

    def _print_floor(self, expr: Any) -> str:
        return self._rounded("floor", expr.args[0])

    def _print_ceiling(self, expr: Any) -> str:
        return self._rounded("ceil", expr.args[0])

    def _print_Mod(self, expr: Any) -> str:  # noqa: N802 (sympy looks it up by this name)
        """Write a remainder with the divisor's sign, where JavaScript's has the dividend's."""
        left, right = (self._factor(one) for one in expr.args)
        positive = all(one.is_nonnegative for one in expr.args)
        rest = f"({left} % {right})"
        return rest if positive else f"(({rest} + {right}) % {right})"

    def _print_Max(self, expr: Any) -> str:  # noqa: N802 (sympy looks it up by this name)
        return f"Math.max({', '.join(map(self._quotient, expr.args))})"

    def _print_Min(self, expr: Any) -> str:  # noqa: N802 (sympy looks it up by this name)
        return f"Math.min({', '.join(map(self._quotient, expr.args))})"


def _literal(value: Any, printer: _Printer) -> str:
    """Write a document's value as an object, an array, a string or an expression."""
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)}: {_literal(one, printer)}" for key, one in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(one, printer) for one in value)}]"
    return json.dumps(value) if isinstance(value, str) else printer.written(value)
