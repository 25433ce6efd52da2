"""What training and inference keep in memory, in bytes: as numbers and as a formula in the batch.

Training keeps weights, their gradients, the optimizer's state, buffers, and what the operators save
for the backward pass. That last part is torch's own doing, seen at its hooks; each storage counts
once, and parameters that an operator saves do not count again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from sympy import floor, sympify

from analysis.errors import AnalysisError
from analysis.notation import B, Calculation, H, Number, W, calculation, plain
from analysis.reading.reading import Reading, saved_formula
from analysis.reading.sizes import shaped, symbols
from analysis.reading.terms import Term, term

Optimizer: TypeAlias = Literal["sgd", "momentum", "adam"]
Precision: TypeAlias = Literal["fp32", "bf16"]

STATES: dict[Optimizer, int] = {"sgd": 0, "momentum": 1, "adam": 2}
"""Numbers that an optimizer keeps per parameter: none, a velocity, two moments."""

BYTES: dict[Precision, int] = {"fp32": 4, "bf16": 2}
"""Bytes of a floating-point number; under bf16 all are: weights, gradients, states, activations."""

GIB = 2**30


@dataclass(frozen=True)
class Memory:
    """Bytes of a training step, or of evaluation (`alive`), by what they are for."""

    weights: Calculation
    gradients: Calculation
    state: Calculation
    buffers: Calculation
    saved: Calculation
    alive: bool = False

    @property
    def parts(self) -> dict[str, Calculation]:
        """The parts by name, in the order of the sum."""
        return {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimizer state": self.state,
            "buffers": self.buffers,
            "alive at once" if self.alive else "saved for backward": self.saved,
        }

    @property
    def total(self) -> Calculation:
        """All parts together."""
        values = [part.value for part in self.parts.values()]
        return calculation(_sum(values), " + ".join("{}" for _ in values), *values)


def _sum(values: list[Number]) -> Number:
    return plain(sum(values[1:], values[0]))


def training_memory(
    reading: Reading,
    *,
    optimizer: Optimizer = "adam",
    precision: Precision = "fp32",
    batch: int | None = None,
    height: int | None = None,
    width: int | None = None,
) -> Memory:
    """Bytes that a training step keeps, at this or another size.

    Raises:
        AnalysisError: for an optimizer or a precision that is not known.
    """
    size = _bytes(precision)
    trained = reading.training
    shape = reading.resized(batch=batch, height=height, width=width)
    sizes = symbols(shape)
    if not trained.holds(sizes):
        trained = trained.again((max(2, shape[0]), *shape[1:]))
    return _memory(
        reading, optimizer, size, calculation(saved_formula(trained.steps, size).at(sizes))
    )


def training_formula(
    reading: Reading, *, optimizer: Optimizer = "adam", precision: Precision = "fp32"
) -> Memory:
    """The same in closed form, in B, H and W."""
    size = _bytes(precision)
    form = saved_formula(reading.training.steps, size).form
    return _memory(reading, optimizer, size, calculation(plain(form)))


def _memory(reading: Reading, optimizer: Optimizer, size: int, saved: Calculation) -> Memory:
    if optimizer not in STATES:
        known = ", ".join(get_args(Optimizer))
        raise AnalysisError(f"optimizer must be one of {known}, not {optimizer!r}")
    count = sum(held.numbers for held in reading.held.values())
    kept = sum(held.numbers for held in reading.buffers.values())
    states = STATES[optimizer]
    return Memory(
        calculation(size * count, "{}·{}", size, count),
        calculation(size * count, "{}·{}", size, count),
        calculation(states * size * count, "{}·{}·{}", states, size, count),
        calculation(size * kept, "{}·{}", size, kept),
        saved,
    )


def _bytes(precision: str) -> int:
    for name, size in BYTES.items():
        if name == precision:
            return size
    raise AnalysisError(f"precision must be one of {', '.join(BYTES)}, not {precision!r}")


def largest_batch(
    memory: Memory, gib: float, *, height: int | None = None, width: int | None = None
) -> int:
    """The largest batch whose training step fits into so many GiB, from the formula in B.

    The formula is a + b·B bytes, so the batch is ⌊(budget − a)/b⌋; 0 where not one image fits.

    Raises:
        AnalysisError: if the formula still has another symbol than B.
    """
    sizes = {symbol: size for symbol, size in ((H, height), (W, width)) if size is not None}
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
    """Which of its input, its output or data of its own each operator of this run saves."""
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
    precision: Precision = "fp32",
    batch: int | None = None,
    height: int | None = None,
    width: int | None = None,
) -> Memory:
    """Bytes that evaluation needs: weights, buffers, and the most that is alive at once.

    A tensor lives from the operator that makes it to the last one that reads it: a module that
    holds on to more in variables of its own needs more.
    """
    size = _bytes(precision)
    sizes = symbols(reading.resized(batch=batch, height=height, width=width))
    read = reading if reading.holds(sizes) else reading.again(shaped(reading.shape, sizes))
    known: dict[Term, int] = {}
    peak = read.trace.lives.peak(lambda one: term(one).valued(sizes, known), size)
    trained = _memory(reading, "sgd", size, calculation(peak))
    return replace(trained, gradients=calculation(0), alive=True)
