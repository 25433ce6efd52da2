"""What a module is called with: one tensor, or several, in lists and dictionaries as it takes them.

The first one's sizes have the symbols B, H and W; another has the same batch, and the same height
and width where they are as long as the first one's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.errors import AnalysisError
from analysis.reading.axes import NOWHERE, Part
from analysis.reading.calls import marks_of
from analysis.reading.journal import Journal
from analysis.reading.marks import Marks, Sight, View, plain_marks
from analysis.reading.sizes import Size, placed, spatial, values
from analysis.reading.terms import symbol


@dataclass(frozen=True)
class Given:
    """An input: its shape with the batch, and its type."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class Inputs:
    """What a module is called with: a tree of `Given`, by place in a list or by name."""

    tree: Any = None
    first: Given | None = None

    @property
    def single(self) -> bool:
        """Whether one tensor is all."""
        return self.tree is None

    def arguments(
        self, data: Any, made: Callable[[Given], Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what a call takes by place and by name: others than the first as `made`."""
        if self.single:
            return (data,), {}
        filled = _mapped(self.tree, lambda one: data if one is self.first else made(one))
        return ((), filled) if isinstance(filled, dict) else (filled, {})

    def axes(self, one: Given, tokens: bool) -> dict[str, int]:
        """Return which dimension of another input is the batch, the height and the width."""
        assert self.first is not None
        known = {axis: dim for axis, dim in placed(self.first.shape, tokens).items() if axis != "B"}
        last = 0 if tokens else len(one.shape) - len(self.first.shape)
        found = {axis: dim + last for axis, dim in known.items()}
        alike = all(
            0 < dim < len(one.shape) and one.shape[dim] == self.first.shape[known[axis]]
            for axis, dim in found.items()
        )
        return {"B": 0} | (found if alike else {})


def inputs(shape: Any, batch: int, dtype: Any, otherwise: torch.dtype) -> tuple[Given, Inputs]:
    """Read the shapes of a call as a user gives them: a shape, a list of them, or a dictionary.

    Raises:
        AnalysisError: For a shape or a type that is none.
    """
    tree = _given(shape, batch, dtype, otherwise)
    first = next(_leaves(tree), None)
    if first is None:
        raise AnalysisError(f"a module needs the shape of one input or more, not {shape!r}")
    return first, Inputs() if first is tree else Inputs(tree, first)


def checked(shape: Any, batch: Any) -> tuple[int, ...]:
    """Return a shape with its batch, if it is one.

    Raises:
        AnalysisError: If it is none.
    """
    sizes = (batch, *shape) if isinstance(shape, Sequence) else (batch, shape)
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes)
    if len(sizes) < 2 or not whole:
        raise AnalysisError(
            "the input's shape must be positive whole numbers without the batch, such as "
            f"(3, 224, 224), and the batch one more; not {sizes[1:]} with batch {batch!r}"
        )
    return sizes


def _several(shape: Any) -> bool:
    if isinstance(shape, Mapping):
        return True
    kinds = (list, tuple, Mapping)
    return isinstance(shape, list | tuple) and any(isinstance(one, kinds) for one in shape)


def _given(shape: Any, batch: int, dtype: Any, otherwise: torch.dtype) -> Any:
    """Return the same tree with inputs for shapes; types are a tree alike, or one for all."""
    if not _several(shape):
        return Given(checked(shape, batch), _typed(dtype, otherwise))
    if isinstance(shape, Mapping):
        types = dtype if isinstance(dtype, Mapping) else dict.fromkeys(shape, dtype)
        if strange := [name for name in types if name not in shape]:
            raise AnalysisError(f"no input is called {strange[0]}: {', '.join(shape)} are")
        return {k: _given(one, batch, types.get(k), otherwise) for k, one in shape.items()}
    many = dtype if isinstance(dtype, list | tuple) else [dtype] * len(shape)
    if len(many) != len(shape):
        raise AnalysisError(f"a list of {len(shape)} needs as many types, not {len(many)}")
    pairs = zip(shape, many, strict=True)
    return tuple(_given(one, batch, kind, otherwise) for one, kind in pairs)


def _typed(dtype: Any, otherwise: torch.dtype) -> torch.dtype:
    if dtype is not None and not isinstance(dtype, torch.dtype):
        raise AnalysisError(f"an input's type must be torch's, such as torch.int64, not {dtype!r}")
    return dtype or otherwise


def _leaves(tree: Any) -> Any:
    if isinstance(tree, Given):
        yield tree
        return
    for one in tree.values() if isinstance(tree, dict) else tree:
        yield from _leaves(one)


def _mapped(tree: Any, change: Callable[[Given], Any]) -> Any:
    if isinstance(tree, Given):
        return change(tree)
    if isinstance(tree, dict):
        return {key: _mapped(one, change) for key, one in tree.items()}
    return tuple(_mapped(one, change) for one in tree)


def hinted(
    shape: Sequence[int], journal: Journal, dtype: torch.dtype, tokens: bool = False
) -> Tensor:
    """Return an input whose sizes know their symbols, and whose axes are the image's."""
    real = torch.empty(tuple(shape), device="meta", dtype=dtype)
    sizes, axes = list(shape), [NOWHERE] * len(shape)
    places = placed(shape, tokens)
    for name, dim in places.items():
        sizes[dim] = Size.of(shape[dim], symbol(name), journal)
    along = spatial(shape, tokens)
    for axis, dim in enumerate(along):
        axes[dim] = (Part(axis, 0, shape[dim]),)
    view = View(tuple(Sight(1, 1, 0, sizes[dim]) for dim in along))
    real._marks = Marks(tuple(sizes), tuple(axes), view, view)  # type: ignore[attr-defined]
    return real


def hinted_beside(
    one: Given, axes: dict[str, int], data: Tensor, shape: Sequence[int], tokens: bool
) -> Tensor:
    """Return another input, with the sizes that it shares with the first; it sees nothing."""
    known, places = marks_of(data).shape, placed(shape, tokens)
    sizes = list(one.shape)
    for axis, dim in axes.items():
        sizes[dim] = known[places[axis]]
    real = torch.empty(values(sizes), device="meta", dtype=one.dtype)
    real._marks = plain_marks(tuple(sizes))  # type: ignore[attr-defined]
    return real
