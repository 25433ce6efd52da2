"""Sums over the operators of a run, as formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from analysis.reading.steps import Step
from analysis.reading.terms import Term, add, multiply


class Totals(NamedTuple):
    """Sums over all rows: MACs, numbers in outputs, bytes saved for backward (fp32)."""

    macs: int
    activations: int
    saved: int


def count(step: Step) -> Term:
    """Return a step's MACs as a formula."""
    return add(multiply(_flat(factors)) for factors in step.products)


def saved_formula(steps: Sequence[Step], floating: int = 4) -> Term:
    """Return the bytes saved for the backward pass, floating numbers of so many bytes."""
    saved = [one for step in steps for one in step.saved]
    return add(multiply([one.itemsize(floating), one.numbers]) for one in saved)


def _flat(factors: Sequence[Any]) -> list[Any]:
    return [
        one for factor in factors for one in (factor if isinstance(factor, tuple) else (factor,))
    ]
