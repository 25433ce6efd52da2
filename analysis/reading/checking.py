"""The second run: a formula is trusted where a run at other sizes gives what it says.

A size that leaks through a float (`int(math.sqrt(H * W))`) comes back as a bare number; the run at
the first size can't tell, the run at a second one can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import nn

from analysis.errors import AnalysisError
from analysis.reading.sizes import fixed, shaped, symbols, times
from analysis.reading.steps import Step, Trace
from analysis.reading.terms import Term, term


@dataclass(frozen=True)
class Check:
    """At which sizes the module ran again, and the notes of rows whose formula failed there."""

    sizes: dict[str, int] | None
    notes: dict[str, str] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    first: dict[str, int] = field(default_factory=dict)
    leaks: tuple[str, ...] = ()
    contradicted: int = 0

    @property
    def passed(self) -> bool:
        """Whether a second run contradicted no row, and every size kept its formula."""
        return self.sizes is not None and not self.notes and not self.leaks

    def covers(self, sizes: dict[str, int]) -> bool:
        """Return whether formulas may be used: checked, and only what was varied differs."""
        return self.passed and all(sizes[axis] == self.first[axis] for axis in self.fixed)

    @property
    def told(self) -> str:
        """One sentence about the check."""
        if self.sizes is None:
            return "no other size was accepted, so the closed forms are unchecked"
        where = ", ".join(f"{axis} = {size}" for axis, size in self.sizes.items())
        many = self.contradicted
        outcome = f"contradicts {many} rows" if many else "agrees with every row"
        if self.leaks:
            link = "and" if many else "but"
            outcome += f", {link} {bare(self.leaks)}: other sizes may differ"
        held = f"; {' and '.join(sorted(self.fixed))} could not be varied" if self.fixed else ""
        return f"a second run at {where} {outcome}{held}"


def bare(layers: Sequence[str]) -> str:
    """Say where sizes became bare numbers."""
    return f"a size became a bare number in {', '.join(one or 'the module' for one in layers)}"


def check(
    module: nn.Module,
    shape: Sequence[int],
    trace: Trace,
    layers: list[str],
    again: Callable[[Sequence[int]], Trace],
    tokens: bool = False,
) -> Check:
    """Run again at other sizes at which the guards hold, and compare every row."""
    guards = list(trace.journal.guards.values())
    first, leaks = symbols(shape, tokens), tuple(trace.journal.leaks)
    for sizes in candidates(first):
        other = shaped(shape, sizes, tokens)
        if not all(guard.holds(sizes) for guard in guards):
            continue
        try:
            second = again(other)
        except AnalysisError:
            continue
        kept = frozenset(axis for axis in sizes if sizes[axis] == first[axis])
        found = compared(trace, second, layers, sizes)
        notes = after_leak(trace, layers) | found
        return Check(sizes, notes, kept, first, leaks, len(found))
    alone = dict.fromkeys(layers, "no other size was accepted: the formula is unchecked")
    return Check(None, alone | after_leak(trace, layers), first=first, leaks=leaks)


def after_leak(trace: Trace, layers: list[str]) -> dict[str, str]:
    """Return a note for each row after a size became a bare number."""
    since = trace.journal.since
    said = "a size became a bare number before: the formula may hold at this size alone"
    return {} if since is None else dict.fromkeys(layers[since:], said)


CHANGES: tuple[dict[str, Callable[[int], int]], ...] = (
    {"H": lambda h: h + 37, "W": lambda w: w + 21},
    {"H": lambda h: h + 64, "W": lambda w: w + 96},
    {"H": lambda h: h - h // 4, "W": lambda w: w - w // 8},
    {"H": lambda h: 2 * h, "W": lambda w: 2 * w},
    {"H": lambda h: h - h // 4, "W": lambda w: w - w // 4},
)
"""Heights and widths to try: odd ones first, then multiples of 32, then smaller ones."""


def candidates(sizes: dict[str, int]) -> Iterator[dict[str, int]]:
    """Yield sizes to try, by symbol; the batch alone last."""
    more = sizes | {"B": 2 * sizes["B"] + 1}
    for change in CHANGES if "H" in sizes else ():
        yield more | {axis: change[axis](size) for axis, size in sizes.items() if axis != "B"}
    yield more


def compared(
    trace: Trace, second: Trace, layers: list[str], sizes: dict[str, int]
) -> dict[str, str]:
    """Return a note for each row in which the second run contradicts the formula."""
    known: dict[Term, int] = {}

    def at(size: int) -> int:
        return term(size).valued(sizes, known)

    notes: dict[str, str] = {}
    for layer, one, two in zip(layers, trace.steps, second.steps, strict=False):
        found = _difference(one, two, at)
        if found:
            notes[layer] = found
    if len(trace.steps) != len(second.steps):
        last = layers[min(len(layers), len(second.steps)) - 1]
        notes[last] = f"a run at other sizes has {len(second.steps)} operators, not {len(layers)}"
    return notes


def _difference(one: Step, two: Step, at: Callable[[int], int]) -> str:
    if (one.layer, one.function) != (two.layer, two.function):
        return f"at other sizes {two.layer or 'the module'} calls {two.operator} here"
    figures = (
        (
            "output",
            [s for m in one.outputs for s in m.shape],
            [s for m in two.outputs for s in m.shape],
        ),
        ("MACs", [_macs(one)], [_macs(two)]),
        ("saved numbers", [s.numbers for s in one.saved], [s.numbers for s in two.saved]),
    )
    for name, formula, real in figures:
        said, came = [at(size) for size in formula], [fixed(size) for size in real]
        if said != came:
            return (
                f"the formula of its {name} gives {_list(said)} where a run gives {_list(came)}: "
                "a size left the reader's sight, perhaps through a float"
            )
    return ""


def _macs(step: Step) -> int:
    return sum(
        (
            times(times(f) if isinstance(f, tuple) else f for f in factors)
            for factors in step.products
        ),
        0,
    )


def _list(values: list[int]) -> str:
    return " × ".join(map(str, values)) or "nothing"
