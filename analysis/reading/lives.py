"""How long each tensor is needed: from the operator that makes it to the last one that reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from analysis.reading.marks import Marks
from analysis.reading.sizes import Shape, times


@dataclass
class Life:
    """A storage: what it holds, the bytes of a number, its first and last use.

    `single`: its numbers are in single precision, whose bytes a precision sets.
    """

    shape: Shape
    itemsize: int
    single: bool
    first: int
    last: int


@dataclass
class Lives:
    """Every storage of a run; parameters and buffers live on and are left out."""

    kept: set[int]
    found: dict[int, Life] = field(default_factory=dict)
    storages: list[Any] = field(default_factory=list)
    clock: int = 0

    @classmethod
    def beside(cls, kept: list[Tensor]) -> Lives:
        """Return an empty record beside tensors that are kept anyway."""
        storages = [tensor.untyped_storage() for tensor in kept]
        return cls({storage._cdata for storage in storages}, storages=list(storages))

    def use(self, tensor: Tensor, marks: Marks) -> None:
        """Note that a tensor is made or read."""
        storage = tensor.untyped_storage()
        known = self.found.get(storage._cdata)
        if known is not None:
            known.last = self.clock
        elif storage._cdata not in self.kept:
            self.storages.append(storage)
            self.found[storage._cdata] = Life(
                marks.shape,
                tensor.element_size(),
                tensor.dtype == torch.float32,
                self.clock,
                self.clock,
            )

    def peak(self, value: Callable[[int], int], floating: int = 4) -> int:
        """Return the bytes of the largest set alive at once, sizes made numbers by `value`."""
        changes = [0] * (self.clock + 2)
        for life in self.found.values():
            size = value(times(life.shape)) * (floating if life.single else life.itemsize)
            changes[life.first] += size
            changes[life.last + 1] -= size
        return max(accumulate(changes))
