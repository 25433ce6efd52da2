"""Formulas in the batch, the height and the width: quick to make, turned into sympy when shown.

A term is a number, a symbol, or an operation on two terms. Equal terms are one object, so a formula
that a hundred layers share is converted and compiled once.
"""

import operator
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from sympy import Expr, Integer, Max, Min, Mod

from analysis.notation import B, H, W
from analysis.operators import floor_divide

SYMBOLS: dict[str, Expr] = {"B": B, "H": H, "W": W}

Key: TypeAlias = tuple[Any, ...]
_KNOWN: "WeakValueDictionary[Key, Term]" = WeakValueDictionary()


class Term:
    """A formula: `sign` is `number`, `symbol`, or one of `+ - * // / % max min`.

    `/` is a division that leaves no remainder.
    """

    __slots__ = ("__weakref__", "_form", "constant", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.constant: bool = key[0] == "number"
        self._form: Expr | None = None

    @classmethod
    def of(cls, sign: str, left: "Term", right: "Term") -> "Term":
        """Apply an operation and bring ⌊(x + a)/b⌋ + c into one form, so that equal sizes are one.

        >>> half = Term.of("//", Term.of("+", symbol("H"), term(3)), term(2))
        >>> half, Term.of("//", half, term(2))
        (floor(H/2 + 1/2) + 1, floor(H/4 + 3/4))
        """
        if left.constant and right.constant:
            return term(NUMBERS[sign](left.key[1], right.key[1]))
        if sign == "-" and right.constant:
            sign, right = "+", term(-right.key[1])
        kept = _neutral(sign, left, right)
        if kept is None:
            kept = (
                _folded(sign, left, right.key[1]) if right.constant else _padded(sign, left, right)
            )
        return kept if kept is not None else _one((sign, left, right))

    @property
    def form(self) -> Expr:
        """The formula in sympy's symbols, nested floors merged."""
        if self._form is None:
            self._form = _form(*self.key)
        return self._form

    def at(self, sizes: dict[str, int]) -> int:
        """Return the value at the sizes, by name `B`, `H`, `W`."""
        return _value(self, sizes, {})

    def valued(self, sizes: dict[str, int], known: "dict[Term, int]") -> int:
        """Return the same, with the values of shared parts kept in `known`."""
        found = known.get(self)
        return _value(self, sizes, known) if found is None else found

    def __repr__(self) -> str:
        return str(self.form)


def term(value: Any) -> Term:
    """Return the term of a number or of a size."""
    if isinstance(value, Term):
        return value
    formula = getattr(value, "term", None)
    return formula if formula is not None else _one(("number", int(value)))


def symbol(name: str) -> Term:
    """Return the term of a symbol.

    >>> symbol("H").form.is_positive
    True
    """
    return _one(("symbol", name))


def add(terms: Iterable[Term]) -> Term:
    """Return the sum, in pairs of pairs, so that one of thousands isn't thousands deep."""
    terms = list(terms) or [term(0)]
    while len(terms) > 1:
        odd = terms[-1:] if len(terms) % 2 else []
        terms = [Term.of("+", *two) for two in zip(terms[::2], terms[1::2], strict=False)] + odd
    return terms[0]


def multiply(factors: Iterable[Any]) -> Term:
    """Return the product of terms, sizes and numbers.

    >>> multiply([symbol("B"), 3, 2]).form
    6*B
    """
    number, product = 1, None
    for factor in map(term, factors):
        if factor.constant:
            number *= factor.key[1]
        else:
            product = factor if product is None else Term.of("*", product, factor)
    return term(number) if product is None else Term.of("*", term(number), product)


def _one(key: Key) -> Term:
    known = _KNOWN.get(key)
    if known is None:
        known = _KNOWN[key] = Term(key)
    return known


def _neutral(sign: str, left: Term, right: Term) -> Term | None:
    """Return what is left of `x + 0`, `0 + x`, `x·1`, `1·x`, `x·0`, `x // 1` and `x − x`."""
    neutral = {"+": 0, "*": 1, "//": 1, "/": 1}.get(sign)
    if neutral is not None and right.constant and right.key[1] == neutral:
        return left
    if sign in "+*" and left.constant:
        return Term.of(sign, right, left)
    if sign == "*" and right.constant and right.key[1] == 0:
        return term(0)
    return term(0) if sign == "-" and left is right else None


def _folded(sign: str, left: Term, number: int) -> Term | None:
    """Fold `(x + a) + b`, `(x·a)·b` and `⌊(⌊x/a⌋ + b)/c⌋ = ⌊(x + a·b)/(a·c)⌋` for numbers."""
    if sign in "+*" and left.key[0] == sign and left.key[2].constant:
        return Term.of(sign, left.key[1], term(NUMBERS[sign](left.key[2].key[1], number)))
    return _floored(left, number) if sign == "//" and number > 0 else None


def _padded(sign: str, left: Term, right: Term) -> Term | None:
    """Fold padding: `x + (m − x mod m) mod m = m ⌈x/m⌉`, and `x + x mod 2 = 2 ⌈x/2⌉`."""
    if sign != "+" or right.key[0] != "%" or not right.key[2].constant:
        return None
    inner, step = right.key[1], right.key[2].key[1]
    to_next = inner.key == ("-", right.key[2], Term.of("%", left, right.key[2]))
    if not (to_next or (inner is left and step == 2)):
        return None
    return Term.of("*", Term.of("//", Term.of("+", left, term(step - 1)), term(step)), term(step))


def _floored(left: Term, divisor: int) -> Term | None:
    inner, offset = (left.key[1], left.key[2].key[1]) if _shifted(left) else (left, 0)
    if inner.key[0] == "*" and inner.key[2].constant and inner.key[2].key[1] % divisor == 0:
        times = Term.of("*", inner.key[1], term(inner.key[2].key[1] // divisor))
        return Term.of("+", times, term(offset // divisor))
    if inner.key[0] == "//" and inner.key[2].constant and inner.key[2].key[1] > 0:
        step = inner.key[2].key[1]
        whole = Term.of("+", inner.key[1], term(step * offset))
        return Term.of("//", whole, term(step * divisor))
    if 0 <= offset < divisor:
        return None
    floor = Term.of("//", Term.of("+", inner, term(offset % divisor)), term(divisor))
    return Term.of("+", floor, term(offset // divisor))


def _shifted(formula: Term) -> bool:
    return bool(formula.key[0] == "+" and formula.key[2].constant)


def _form(sign: str, *parts: Any) -> Expr:
    if sign == "number":
        return Integer(parts[0])
    if sign == "symbol":
        return SYMBOLS[parts[0]]
    return FORMS[sign](*(part.form for part in parts))


@cache
def _floor(numerator: Expr, divisor: Expr) -> Expr:
    return floor_divide(numerator, divisor)


NUMBERS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "/": operator.floordiv,  # of a number that is divided without a rest
    "%": operator.mod,
    "max": max,
    "min": min,
}
"""What each sign makes of two numbers."""

FORMS: dict[str, Callable[[Expr, Expr], Expr]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": _floor,
    "/": operator.truediv,
    "%": Mod,
    "max": Max,
    "min": Min,
}
"""What each sign makes of two expressions."""


def _value(formula: Term, sizes: dict[str, int], known: dict[Term, int]) -> int:
    """Work through the formula without recursion: a residual chain is deep."""
    stack = [formula]
    while stack:
        one = stack[-1]
        sign, *parts = one.key
        waiting = [] if sign in ("number", "symbol") else [p for p in parts if p not in known]
        if waiting:
            stack += waiting
            continue
        stack.pop()
        if sign in ("number", "symbol"):
            known[one] = parts[0] if sign == "number" else sizes[parts[0]]
        else:
            known[one] = NUMBERS[sign](known[parts[0]], known[parts[1]])
    return known[formula]


def compiled(formulas: Iterable[Term]) -> Any:
    """Compile formulas into one function of `B, H, W` that returns their values as a tuple.

    Shared parts are computed once, in exact integers.

    >>> compiled([symbol("H"), Term.of("//", symbol("H"), term(2))])(1, 7, 7)
    (7, 3)
    """
    lines: list[str] = []
    names: dict[Term, str] = {}
    results = [_named(formula, names, lines) for formula in formulas]
    body = "\n".join(
        f"    {line}" for line in [*lines, f"return ({''.join(f'{r}, ' for r in results)})"]
    )
    scope: dict[str, Any] = {}
    exec(f"def evaluate(B, H, W):\n{body}", scope)
    return scope["evaluate"]


def _named(formula: Term, names: dict[Term, str], lines: list[str]) -> str:
    stack = [formula]
    while stack:
        one = stack[-1]
        sign, *parts = one.key
        if sign in ("number", "symbol"):
            names[stack.pop()] = str(parts[0])
            continue
        waiting = [part for part in parts if part not in names]
        if waiting:
            stack += waiting
            continue
        stack.pop()
        if one not in names:
            left, right = (names[part] for part in parts)
            names[one] = f"t{len(lines)}"
            written = (
                f"{sign}({left}, {right})" if sign in ("max", "min") else _infix(sign, left, right)
            )
            lines.append(f"{names[one]} = {written}")
    return names[formula]


def _infix(sign: str, left: str, right: str) -> str:
    return f"{left} {'//' if sign == '/' else sign} {right}"
