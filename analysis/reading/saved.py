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
        self.workspaces: list[str] = []

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
        if _is_cast():
            self.unknown.append("torch.autocast")
        if differs_here(call):
            self.unknown.append(_name(call))
        elif has_workspace(call):
            self.workspaces.append(_name(call))
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

    def bounded(self) -> tuple[str, ...]:
        """Return of whose saved bytes a lower bound is known."""
        return tuple(dict.fromkeys(self.workspaces))

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
            shape = _whole(storage.nbytes() // tensor.element_size(), shape)
            self.shapes[storage._cdata] = shape
        role = _role(storage._cdata, call, outs)
        size = _statistic(call) if role == "own" else 0
        return Saved(role, shape, (size or tensor.element_size()) * 8, tensor.is_floating_point())


def _whole(held: int, shape: Shape) -> Shape:
    """Return the shape of all that a storage holds, of which a part, a cell's gate, is saved."""
    part = times(values(shape))
    return (held // part, *shape) if part and held > part and held % part == 0 else shape


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


RECURRENCES = ("lstm", "gru", "rnn_tanh", "rnn_relu")
"""What a CPU works through step by step, as the meta device does."""


def differs_here(call: Call) -> bool:
    """Return whether a CPU saves something else than the meta device shows.

    A sequence that is packed, or read in both directions with the batch first, is copied elsewhere.
    """
    if _name(call) not in RECURRENCES:
        return False
    plain = len(call.arguments) == 9 and isinstance(call.arguments[3], bool)
    return not plain or bool(call.arguments[7] and call.arguments[8])


def _is_cast() -> bool:
    """Return whether a real device computes in another type than the meta device."""
    return torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")


def has_workspace(call: Call) -> bool:
    """Return whether a CPU's library saves more than the steps: all of them and copies of its own.

    oneDNN reads an LSTM without projections whose numbers are no doubles; how large its workspace
    is only it knows.
    """
    if _name(call) != "lstm":
        return False
    hidden, cell = call.arguments[1]
    return bool(hidden.shape[-1] == cell.shape[-1] and hidden.dtype != torch.float64)


def _name(call: Call) -> str:
    return getattr(call.function, "__name__", "")


NORMS = ("batch_norm", "instance_norm", "layer_norm")


def _statistic(call: Call) -> int:
    """Return the bytes of a norm's statistic on a CPU, or 0 for what is none.

    It has the type of the norm's numbers if they are all of one; the meta device has it in single
    precision.
    """
    types = {one.dtype for one in tensors_in(call.arguments) if one.is_floating_point()}
    return types.pop().itemsize if _name(call) in NORMS and len(types) == 1 else 0


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
    """Attend as torch does on a CPU: fused where it can, without the L × S map of weights.

    The meta device would take the plain way, which saves that map, and which a CPU takes too where
    weights are dropped, widths differ or a mask is learned. A mask of truths becomes numbers first.
    """
    if not _fused(query, key, value, attn_mask, dropout_p):
        plain = functional.scaled_dot_product_attention
        return plain(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    mask = attn_mask
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype)
    inputs = [one if one.dim() == 4 else one.unsqueeze(0) for one in (query, key, value)]
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    out: Tensor = fused(*inputs, 0.0, is_causal, attn_mask=mask, scale=scale)[0]
    return out if query.dim() == 4 else out.squeeze(0)


def _fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> bool:
    """Return whether a CPU attends without the map of weights."""
    alike = query.dim() in (3, 4) and query.shape[-1] == key.shape[-1] == value.shape[-1]
    masked = mask is None or (mask.dim() in (2, 4) and not mask.requires_grad)
    return alike and masked and not dropout
