"""Submodules folded into one row each, down to a given depth."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sympy import Add, sympify

from analysis.errors import AnalysisError
from analysis.notation import ZERO, Calculation, calculation
from analysis.rows import Derivation, Row

SUMMED = ("activations", "weights", "biases", "buffers", "macs", "saved")


def fold(derivation: Derivation, depth: int) -> Derivation:
    """Return a derivation with one row for all layers whose first `depth` names are the same.

    Names are separated by dots. A folded row has the sums of its layers, and the output and the
    receptive field of the last one; what they read and write between them is not told.

    Raises:
        AnalysisError: If the depth is not a whole number from 1 up.

    >>> from analysis import minigooglenet
    >>> [row.layer for row in fold(minigooglenet(), 1).rows][:4]
    ['input', 'conv1', 'inception1', 'inception2']
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise AnalysisError(f"depth must be a whole number from 1 up, not {depth!r}")
    groups: dict[str, list[Row]] = {}
    for row in derivation.rows:
        groups.setdefault(".".join(row.layer.split(".")[:depth]), []).append(row)
    rows = tuple(_folded(name, group) for name, group in groups.items())
    return replace(derivation, rows=rows)


def _folded(name: str, rows: list[Row]) -> Row:
    if len(rows) == 1:
        return rows[0]
    sums: dict[str, Any] = {
        f"{key}_shown": _sum(getattr(row, f"{key}_shown") for row in rows) for key in SUMMED
    }
    note = "; ".join(dict.fromkeys(row.note for row in rows if row.note))
    last = replace(rows[-1], layer=name, kind="module", note=note, sides_shown=())
    return replace(last, traffic_shown=ZERO, **sums)


def _sum(shown: Iterable[Calculation]) -> Calculation:
    terms = [one.value for one in shown if one.value != 0] or [0]
    return calculation(Add(*map(sympify, terms)), " + ".join("{}" for _ in terms), *terms)
