"""Where formulas may be used: what a real run confirmed, and between such sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from analysis.errors import AnalysisError
from analysis.reading.checking import Check, compared
from analysis.reading.journal import SIGNS
from analysis.reading.sizes import AXES
from analysis.reading.steps import Trace
from analysis.reading.terms import Term, compiled, term

Sizes = dict[str, int]


@dataclass
class Trust:
    """The range of sizes in which the formulas of a run were confirmed by other runs.

    A condition that no object can see (`range(0, H, 200)`) may change beyond it: there the module
    runs again, and the range grows if that run agrees.
    """

    trace: Trace
    layers: list[str]
    check: Check
    again: Callable[[Sizes], Trace]
    low: Sizes = field(default_factory=dict)
    high: Sizes = field(default_factory=dict)

    def holds(self, sizes: Sizes) -> bool:
        """Return whether the formulas hold at these sizes; it may take another run to say."""
        if not (self.check.covers(sizes) and self._guarded(sizes)):
            return False
        if not self.low:
            self._grow(self.check.first)
            self._grow(self.check.sizes or {})
        within = all(self.low[a] <= size <= self.high[a] for a, size in sizes.items())
        return within or self._confirmed(sizes)

    def _confirmed(self, sizes: Sizes) -> bool:
        if not self._positive(sizes):
            return False
        try:
            second = self.again(sizes)
        except AnalysisError:
            return False
        if len(self.trace.steps) != len(second.steps) or compared(
            self.trace, second, self.layers, sizes
        ):
            return False
        self._grow(sizes)
        return True

    def _grow(self, sizes: Sizes) -> None:
        for axis, size in sizes.items():
            self.low[axis] = min(size, self.low.get(axis, size))
            self.high[axis] = max(size, self.high.get(axis, size))

    @cached_property
    def _sides(self) -> Callable[..., tuple[int, ...]]:
        guards = self.trace.journal.guards.values()
        return _function([side for guard in guards for side in (guard.left, guard.right)])

    def _guarded(self, sizes: Sizes) -> bool:
        """Return whether every comparison comes out as it did."""
        sides = iter(self._sides(**sizes))
        guards = self.trace.journal.guards.values()
        return all(SIGNS[g.sign](next(sides), next(sides)) == g.held for g in guards)

    def _positive(self, sizes: Sizes) -> bool:
        """Return whether every output still has a position: torch makes no map of 0 × 0."""
        known: dict[Term, int] = {}
        marks = [one for step in self.trace.steps for one in step.outputs]
        return all(
            term(size).valued(sizes, known) >= 1
            for one in marks
            for size in one.shape
            if type(size) is not int
        )


def _function(terms: list[Term]) -> Callable[..., tuple[int, ...]]:
    evaluate: Any = compiled(terms)
    return lambda B=1, H=1, W=1: tuple(evaluate(B, H, W))


def asked(reading: Any, what: str, evaluate: Any, at: tuple[int, int, int]) -> Any:
    """Return a reading's compiled values where they hold, and those of another run elsewhere."""
    sizes = {axis: size for axis, size in zip(AXES, at, strict=True) if axis in reading.sizes}
    if reading.holds(sizes):
        return evaluate(*at)
    found = getattr(reading.there(sizes), what)(*at)
    return (found,) if isinstance(found, int) else found
