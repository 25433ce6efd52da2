"""What torch keeps for the backward pass, told by torch itself, with formulas for its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from analysis.reading.calls import Call, tensors_in
from analysis.reading.marks import Marks
from analysis.reading.pointwise import resolved
from analysis.reading.sizes import Shape, times, values


@dataclass(frozen=True)
class Saved:
    """A storage kept for the backward pass, and why: whose role it plays in the operator."""

    role: str
    shape: Shape
    bits: int
    floating: bool

    def itemsize(self, floating: int) -> int:
        """Return the bytes of one number, those of a single-precision one as given."""
        return floating if self.floating and self.bits == 32 else self.bits // 8

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return times(self.shape)


class Stores:
    """Every storage of a run by its identity, with the shape that first filled it.

    `pack` is the hook that torch calls for each tensor that an operator saves. A storage is counted
    at the first operator that saves it; parameters and buffers are kept anyway, so not counted.
    """

    def __init__(self, kept: list[Tensor]) -> None:
        self.shapes: dict[int, Shape] = {}
        self.alive: list[Any] = [tensor.untyped_storage() for tensor in kept]
        self.counted = {storage._cdata for storage in self.alive}
        self.waiting: list[Tensor] = []
        self.unknown: list[str] = []

    def pack(self, tensor: Tensor) -> Tensor:
        """Note a tensor that is being saved."""
        self.waiting.append(tensor)
        return tensor

    def know(self, tensor: Tensor, shape: Shape) -> None:
        """Note what a storage holds when it first appears."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self.shapes:
            self.shapes[storage._cdata] = shape
            self.alive.append(storage)

    def after(
        self, call: Call, outs: list[Tensor], inputs: tuple[Marks, ...], marks: tuple[Marks, ...]
    ) -> tuple[Saved, ...]:
        """Return what the operator that has just run saved for the first time."""
        if differs_here(call):
            self.unknown.append(_name(call))
        for tensor, one in zip(outs, marks, strict=True):
            if not tensor._is_view() or tensor.untyped_storage()._cdata not in self.shapes:
                self.know(tensor, one.shape)
        waiting, self.waiting = self.waiting, []
        known = [one.shape for one in (*marks, *inputs)]
        return tuple(
            saved
            for tensor in waiting
            if (saved := self._saved(tensor, call, outs, known)) is not None
        )

    def untold(self) -> tuple[str, ...]:
        """Return whose saved bytes are not known, after the run: what nobody asked for comes last.

        A `torch.autograd.Function` saves after its operators have run.
        """
        last = ["torch.autograd.Function"] if self.waiting else []
        return tuple(dict.fromkeys([*self.unknown, *last]))

    def _saved(
        self, tensor: Tensor, call: Call, outs: list[Tensor], known: list[Shape]
    ) -> Saved | None:
        storage = tensor.untyped_storage()
        if storage._cdata in self.counted:
            return None
        self.counted.add(storage._cdata)
        self.alive.append(storage)
        shape = self.shapes.get(storage._cdata)
        if shape is None:
            spread = regrouped(tuple(tensor.shape), known)
            strides = zip(spread, tensor.stride(), strict=True)
            shape = tuple(size if stride else 1 for size, stride in strides)
            self.shapes[storage._cdata] = shape
        role = _role(storage._cdata, call, outs)
        return Saved(role, shape, tensor.element_size() * 8, tensor.is_floating_point())


def regrouped(real: Shape, known: list[Shape]) -> Shape:
    """Give a shape its formulas, also where it joins neighbouring sizes of a known one.

    A linear layer that copies its input saves (B, L, C) as (B·L, C).
    """
    if real in map(values, known):
        return resolved(real, known)
    joined = (_joined(real, shape) for shape in known)
    return next((shape for shape in joined if shape), None) or resolved(real, known)


def _joined(real: Shape, shape: Shape) -> Shape | None:
    """Return the products of neighbouring sizes that make a shape, or nothing."""
    rest, found = list(shape), []
    for size in real:
        group = rest[:1]
        while len(group) < len(rest) and times(values(group)) < size:
            group = rest[: len(group) + 1]
        if times(values(group)) != size:
            return None
        found.append(times(group))
        rest = rest[len(group) :]
    return None if rest or len(real) == len(shape) else tuple(found)


RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell")
"""Operators that save other tensors on a real device than on the meta device."""


def differs_here(call: Call) -> bool:
    """Return whether a real device saves something that the meta device does not show."""
    name = _name(call)
    return name in RECURRENT or (name == "scaled_dot_product_attention" and not _usual(call))


def _name(call: Call) -> str:
    return getattr(call.function, "__name__", "")


def _usual(call: Call) -> bool:
    """Return whether `attended` knows which way torch attends."""
    query, key, value = (call.argument(i, n) for i, n in enumerate(("query", "key", "value")))
    mask = call.argument(3, "attn_mask")
    plain = mask is None or (mask.is_floating_point() and not mask.requires_grad)
    alike = query.dim() == 4 and query.shape[-1] == key.shape[-1] == value.shape[-1]
    return plain and alike and not call.argument(7, "enable_gqa")


def _role(storage: int, call: Call, outs: list[Tensor]) -> str:
    if storage in {tensor.untyped_storage()._cdata for tensor in outs}:
        return "output"
    if storage in {tensor.untyped_storage()._cdata for tensor in tensors_in(call.arguments)}:
        return "input"
    return "own"


def attended(  # noqa: PLR0913 (torch's own)
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attend as torch does on a real device: fused, without the L × S map of weights.

    The meta device would take the plain way, which saves that map. With dropout, or on fewer than
    four dimensions, the CPU takes it too.
    """
    options = {"attn_mask": attn_mask, "scale": scale}
    if query.dim() == 4 and not dropout_p and not enable_gqa:
        fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        out: Tensor = fused(query, key, value, 0.0, is_causal, **options)[0]
        return out
    plain = functional.scaled_dot_product_attention
    return plain(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )
