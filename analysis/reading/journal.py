"""What one run writes down about sizes: comparisons, and where a size left its formula."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from analysis.reading.terms import Term, term

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
    """What one run writes down: guards, sizes that became bare numbers, and where it is.

    `since` is the number of steps before the first size that became a bare number.
    """

    guards: dict[tuple[Any, ...], Guard] = field(default_factory=dict)
    leaks: dict[str, Term] = field(default_factory=dict)
    layer: str = ""
    closed: bool = False
    steps: int = 0
    since: int | None = None

    def compare(self, left: int, sign: str, right: int) -> bool:
        """Answer a comparison from the values and write it down."""
        held = SIGNS[sign](int.__index__(left), int.__index__(right))
        one, two = term(left), term(right)
        self.note(one, sign, two, held)
        return held

    def note(self, left: Term, sign: str, right: Term, held: bool) -> None:
        """Write down a comparison that could come out otherwise."""
        if left is not right:
            self.guards.setdefault((left, sign, right), Guard(left, sign, right, held, self.layer))

    def leak(self, size: Term) -> None:
        """Write down that a size became a bare number, where its formula ends; not after a run."""
        if not self.closed:
            self.leaks.setdefault(self.layer, size)
            self.since = self.steps if self.since is None else self.since
