"""Which spatial axes run along a tensor's dimensions, through merging and splitting of dimensions.

A dimension is written as factors in the order of its memory: `view(B, H/7, 7, W/7, 7, C)` splits
the height into windows' numbers and places within a window, and a later view may join them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple, TypeAlias


class Part(NamedTuple):
    """A factor of a dimension: its axis (−1: none), its window (0: a whole axis), its size."""

    axis: int
    window: int
    size: int


Axes: TypeAlias = tuple[tuple[Part, ...], ...]
"""The parts of every dimension; none where no spatial axis runs along it."""

NOWHERE: tuple[Part, ...] = ()
OTHER = -1


def along(parts: Iterable[tuple[Part, ...]]) -> tuple[tuple[int, int], ...]:
    """Return the (axis, window) pairs of several dimensions, none beside its whole axis.

    >>> along([(Part(0, 0, 8),), (Part(0, 7, 7), Part(1, 0, 8))])
    ((0, 0), (1, 0))
    """
    pairs = dict.fromkeys((p.axis, p.window) for dim in parts for p in dim if p.axis != OTHER)
    whole = {axis for axis, window in pairs if not window}
    return tuple((axis, window) for axis, window in pairs if not window or axis not in whole)


def merged(several: Iterable[tuple[Part, ...]]) -> tuple[Part, ...]:
    """Return one of several descriptions of a dimension: the first that knows an axis."""
    return next((parts for parts in several if parts), NOWHERE)


def regrouped(
    before: Sequence[tuple[int, tuple[Part, ...]]], sizes: Sequence[int]
) -> list[tuple[Part, ...]]:
    """Return the parts of new dimensions that hold the numbers of some old ones.

    >>> regrouped([(56, (Part(0, 0, 56),))], [8, 7])
    [(Part(axis=0, window=0, size=8),), (Part(axis=0, window=7, size=7),)]
    >>> regrouped([(8, (Part(0, 0, 8),)), (7, (Part(0, 7, 7),))], [56])
    [(Part(axis=0, window=0, size=56),)]
    """
    if not along(parts for _, parts in before):
        return [NOWHERE] * len(sizes)
    left = [part for size, parts in before for part in _factors(size, parts)]
    found = []
    for size in sizes:
        taken = _taken(left, size)
        if taken is None:
            return _everywhere(before, sizes)
        found.append(_tidied(taken))
    return found


def _factors(size: int, parts: tuple[Part, ...]) -> list[Part]:
    """Return parts that multiply to the dimension's size: a single one stands for all of it."""
    if len(parts) == 1:
        return [parts[0]._replace(size=size)]
    if prod(part.size for part in parts) == size and parts:
        return list(parts)
    return [Part(OTHER, 0, size)] if not parts else [part._replace(size=0) for part in parts]


def _taken(left: list[Part], size: int) -> list[Part] | None:
    """Take factors off the front that multiply to a size, splitting one where it must be."""
    taken: list[Part] = []
    while size > 1:
        if not left or not left[0].size:
            return None
        part = left.pop(0)
        if size % part.size == 0:
            taken, size = [*taken, part], size // part.size
        elif part.size % size == 0:
            inner = part.size // size
            left.insert(0, Part(part.axis, inner, inner))
            taken, size = [*taken, part._replace(size=size)], 1
        else:
            return None
    return taken


def _tidied(parts: list[Part]) -> tuple[Part, ...]:
    """Join neighbours of one axis, drop ones; nothing where no axis is left."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last is not None and last.axis == part.axis and (part.window or part.axis == OTHER):
            joined[-1] = last._replace(size=last.size * part.size)
        elif part.size != 1:
            joined.append(part)
    return tuple(joined) if any(part.axis != OTHER for part in joined) else NOWHERE


def _everywhere(
    before: Sequence[tuple[int, tuple[Part, ...]]], sizes: Sequence[int]
) -> list[tuple[Part, ...]]:
    """Return every axis along every dimension, where the numbers don't line up."""
    parts = tuple(Part(axis, 0, 0) for axis, _ in along(p for _, p in before))
    return [parts if size > 1 else NOWHERE for size in sizes]
