"""What training and inference keep in memory, in bytes: as numbers and as a formula in the batch.

Training keeps weights, their gradients, the optimizer's state, buffers, and what the operators save
for the backward pass. That last part is torch's own doing, seen at its hooks; each storage counts
once, and parameters that an operator saves do not count again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from sympy import floor, sympify

from analysis.errors import AnalysisError
from analysis.footprint import Memory, evaluation_memory, itemsize, weights_memory
from analysis.notation import B, Calculation, H, W, calculation, plain
from analysis.reading.reading import Reading, saved_formula
from analysis.reading.sizes import symbols
from analysis.reading.terms import Term, term

GIB = 2**30


def training_memory(
    reading: Reading,
    *,
    optimizer: str = "adam",
    precision: str = "fp32",
    batch: int | None = None,
    height: int | None = None,
    width: int | None = None,
) -> Memory:
    """Return the bytes that a training step keeps, at this or another size.

    A batch of 1 is run as such: torch copies less of it than the formula of a batch says.

    Raises:
        AnalysisError: For an optimizer or a precision that is not known, for a module whose saved
            bytes are not known, and for a size at which it cannot be trained.
    """
    size = _checked(reading, precision)
    trained = reading.training
    shape = reading.resized(batch=batch, height=height, width=width)
    sizes = symbols(shape, reading.tokens)
    if shape[0] == 1 or not trained.holds(sizes):
        trained = trained.again(shape).checked_saves()
    return _memory(
        reading, optimizer, precision, calculation(saved_formula(trained.steps, size).at(sizes))
    )


def training_formula(
    reading: Reading, *, optimizer: str = "adam", precision: str = "fp32"
) -> Memory:
    """Return the same in closed form, in B ≥ 2, H and W.

    Raises:
        AnalysisError: Also where a run at other sizes does not bear the formula out.
    """
    size = _checked(reading, precision)
    trained = reading.training
    if not trained.check.passed:
        raise AnalysisError(
            f"what training {reading.name} saves has no closed form that can be trusted: "
            f"{trained.check.told}; take training_memory, which runs it at the size you ask for"
        )
    form = saved_formula(trained.steps, size).form
    kept = _memory(reading, optimizer, precision, calculation(plain(form)))
    return replace(kept, holds=lambda sizes: trained.holds(trained.sizes | dict(sizes)))


def _checked(reading: Reading, precision: str) -> int:
    """Return the bytes of a number, if that is all it takes to know what training saves."""
    size = itemsize(precision)
    reading.training.checked_saves()
    tensors = (*reading.module.parameters(), *reading.module.buffers())
    others = {t.dtype for t in tensors if t.is_floating_point() or t.is_complex()} - {torch.float32}
    if others:
        raise AnalysisError(
            f"{reading.name} holds numbers of {', '.join(sorted(map(str, others)))}: its memory is "
            "counted for a module in torch.float32, and precision says what it will be trained in"
        )
    return size


def _memory(reading: Reading, optimizer: str, precision: str, saved: Calculation) -> Memory:
    learned = sum(p.numel() for p in reading.module.parameters() if p.requires_grad)
    kept = weights_memory(*_held(reading), saved, optimizer, precision, learned=learned)
    return _with_whole_numbers(kept, reading, itemsize(precision))


def _with_whole_numbers(kept: Memory, reading: Reading, size: int) -> Memory:
    """Return the memory with buffers of integers, which no precision changes, in their own bytes.

    Counters, which have no dimension, are left out.
    """
    held = [one for one in reading.module.buffers() if one.dim()]
    if all(one.is_floating_point() for one in held):
        return kept
    bytes_ = sum(b.numel() * (size if b.is_floating_point() else b.element_size()) for b in held)
    return replace(kept, buffers=calculation(bytes_))


def _held(reading: Reading) -> tuple[int, int]:
    """Return how many numbers the parameters and the buffers hold."""
    parameters = sum(held.numbers for held in reading.held.values())
    return parameters, sum(held.numbers for held in reading.buffers.values())


def largest_batch(
    memory: Memory, gib: float, *, height: int | None = None, width: int | None = None
) -> int:
    """Return the largest batch whose training step fits into so many GiB.

    The formula is a + b·B bytes, so the batch is ⌊(budget − a)/b⌋; 0 where not one image fits.

    Raises:
        AnalysisError: If the formula still has another symbol than B, or doesn't hold at the size.
    """
    sizes = {symbol: size for symbol, size in ((H, height), (W, width)) if size is not None}
    if memory.holds and not memory.holds({str(symbol): size for symbol, size in sizes.items()}):
        written = ", ".join(f"{symbol} = {size}" for symbol, size in sizes.items())
        raise AnalysisError(
            f"the formula does not hold at {written or 'the size read'}: read the module at that "
            "size, and take its formula"
        )
    total = sympify(memory.total.value).subs(sizes)
    if total.free_symbols != {B}:
        wanting = ", ".join(sorted(map(str, total.free_symbols - {B}))) or "no B"
        raise AnalysisError(
            f"the formula has {wanting}: take training_formula, and give its height and width"
        )
    slope = total.subs(B, 1) - total.subs(B, 0)
    return max(0, int(floor((int(gib * GIB) - total.subs(B, 0)) / slope)))


@dataclass(frozen=True)
class Saves:
    """What one operator saves, for the table of rules that a run found."""

    operator: str
    roles: tuple[str, ...]


def rules_found(trained: Reading) -> tuple[Saves, ...]:
    """Return what each operator of a run saves: its input, its output, or data of its own."""
    found: dict[str, dict[str, None]] = {}
    for step in trained.steps:
        roles = found.setdefault(step.operator, {})
        for one in step.saved:
            kind = "" if one.floating else f" ({one.bits}-bit integers)"
            roles.setdefault(f"{one.role}{kind}")
    return tuple(Saves(operator, tuple(roles)) for operator, roles in found.items())


def inference_memory(
    reading: Reading,
    *,
    precision: str = "fp32",
    batch: int | None = None,
    height: int | None = None,
    width: int | None = None,
) -> Memory:
    """Return the bytes of evaluation: weights, buffers, and the most that is alive at once.

    A tensor lives from the operator that makes it to the last one that reads it: a module that
    holds on to more in variables of its own needs more.
    """
    size = itemsize(precision)
    shape = reading.resized(batch=batch, height=height, width=width)
    sizes = symbols(shape, reading.tokens)
    read = reading if reading.holds(sizes) else reading.again(shape)
    known: dict[Term, int] = {}
    peak = read.trace.lives.peak(lambda one: term(one).valued(sizes, known), size)
    kept = evaluation_memory(*_held(reading), calculation(peak), precision)
    return _with_whole_numbers(kept, reading, size)
