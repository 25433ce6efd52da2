"""What training and inference keep in memory, in bytes: as numbers and as a formula in the batch.

Training keeps weights, their gradients, the optimizer's state, buffers, and what the operators save
for the backward pass. That last part is torch's own doing, seen at its hooks; each storage counts
once, and parameters that an operator saves do not count again. A precision is that of the numbers
which the module holds in single precision; others keep their own bytes. What an operator makes in
single precision whatever the module's is then taken to be of that precision too: a module that is
itself in bfloat16 is counted as it saves it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from math import prod

import torch
from sympy import floor, sympify

from analysis.errors import AnalysisError
from analysis.footprint import Memory, itemsize, states_of
from analysis.notation import ZERO, B, Calculation, H, W, calculation, plain
from analysis.reading.listing import numeric, saved_bytes, symbolic
from analysis.reading.reading import Reading
from analysis.reading.sizes import symbols
from analysis.reading.steps import names
from analysis.reading.sums import saved_formula
from analysis.reading.terms import Term, term

GIB = 2**30

BESIDE = (
    "{} is counted as torch itself saves it: at least, for the library that a CPU runs in its "
    "place keeps a workspace of its own size"
)


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
        trained = trained.again(shape).checked_saves(at_least=True)
    saved = calculation(saved_formula(trained.steps, size).at(sizes))
    kept = _memory(reading, optimizer, precision, saved)
    return replace(kept, layers=_layers(trained, sizes, size))


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
    return replace(
        kept,
        layers=_layers(trained, None, size),
        holds=lambda sizes: trained.holds(trained.sizes | dict(sizes)),
    )


def _checked(reading: Reading, precision: str) -> int:
    """Return the bytes of a number, if it is known what training saves."""
    size = _single(reading, precision)
    reading.training.checked_saves(at_least=True)
    return size


def _single(reading: Reading, precision: str) -> int:
    """Return the bytes of a number that is in single precision; 4 where the module holds none."""
    size = itemsize(precision)
    held = {reading.dtype, *(one.dtype for one in reading.module.parameters())}
    return size if torch.float32 in held else torch.float32.itemsize


def _memory(reading: Reading, optimizer: str, precision: str, saved: Calculation) -> Memory:
    size, states = itemsize(precision), states_of(optimizer)
    parameters = [*reading.module.parameters()]
    learned = [one for one in parameters if one.requires_grad]
    return Memory(
        weights=_bytes(parameters, size),
        gradients=_bytes(learned, size),
        state=_bytes(learned, size, states),
        buffers=_bytes(_buffers(reading), size),
        saved=saved,
        beside=tuple(map(BESIDE.format, reading.training.trace.bounded)),
    )


def _buffers(reading: Reading) -> list[torch.Tensor]:
    """Return the buffers but for those without a dimension, which count steps."""
    return [one for one in reading.module.buffers() if one.dim()]


def _bytes(tensors: Iterable[torch.Tensor], size: int, *times: int) -> Calculation:
    """Return the bytes of tensors, each number in single precision taking `size` of them."""
    counts: Counter[int] = Counter()
    for one in tensors:
        counts[size if one.dtype == torch.float32 else one.element_size()] += one.numel()
    terms = [(*times, each, numbers) for each, numbers in counts.items()]
    template = " + ".join("·".join("{}" for _ in term) for term in terms) or "{}"
    return calculation(sum(map(prod, terms)), template, *chain(*terms))


def _layers(
    trained: Reading, sizes: dict[str, int] | None, size: int
) -> tuple[tuple[str, Calculation], ...]:
    """Return what each row adds to what is saved, at sizes or in closed form."""
    write = symbolic if sizes is None else numeric(sizes)
    named = zip(names(trained.steps), trained.steps, strict=True)
    return tuple((name, saved_bytes(step.saved, write, size)) for name, step in named if step.saved)


def largest_batch(
    memory: Memory, gib: float, *, height: int | None = None, width: int | None = None
) -> int:
    """Return the largest batch whose training step fits into so many GiB.

    The formula is a + b·B bytes, so the batch is ⌊(budget − a)/b⌋; 0 where not one image fits.

    Raises:
        AnalysisError: If the formula still has another symbol than B, doesn't hold at the size, or
            is a lower bound.
    """
    if memory.beside:
        raise AnalysisError(f"no batch is known to fit: {'; '.join(memory.beside)}")
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
    size = _single(reading, precision)
    shape = reading.resized(batch=batch, height=height, width=width)
    sizes = symbols(shape, reading.tokens)
    read = reading if reading.holds(sizes) else reading.again(shape)
    known: dict[Term, int] = {}
    peak = read.trace.lives.peak(lambda one: term(one).valued(sizes, known), size)
    return Memory(
        weights=_bytes(reading.module.parameters(), size),
        gradients=ZERO,
        state=ZERO,
        buffers=_bytes(_buffers(reading), size),
        saved=calculation(peak),
        alive=True,
    )
