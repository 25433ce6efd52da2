"""What training and inference keep in memory, in bytes, by what it is kept for.

Training keeps weights, their gradients, the optimizer's state, buffers, and what the layers save
for the backward pass: their outputs, and the positions that maximum pools found. A built-in network
has no activation functions and no dropout; an activation is taken to work in place, or to save its
output instead of its input, which is the same number of bytes. The mean and deviation that a norm
takes of a batch are left out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal, TypeAlias

from sympy import Expr, S, sympify

from analysis.derivation import INDEX, built_in, derive
from analysis.errors import AnalysisError
from analysis.layers import Branches, Flatten, Layer, NamedLayer, Network
from analysis.notation import ZERO, B, Calculation, Number, calculation, plain
from analysis.rows import Derivation, Row

Optimizer: TypeAlias = Literal["sgd", "momentum", "adam"]
Precision: TypeAlias = Literal["fp32", "bf16"]

STATES: dict[str, int] = {"sgd": 0, "momentum": 1, "adam": 2}
"""Numbers that an optimizer keeps per parameter: none, a velocity, two moments."""

BYTES: dict[str, int] = {"fp32": 4, "bf16": 2}
"""Bytes of a floating-point number; under bf16 all are: weights, gradients, states, activations."""


@dataclass(frozen=True)
class Memory:
    """Bytes of a training step, or of evaluation (`alive`), by what they are for.

    `layers`: what each layer adds to what is saved for backward, if it adds any. `holds`: whether a
    closed form holds at sizes by symbol, asked of the module that it was read from. `beside`: what
    is kept besides and not counted, where what is saved is a lower bound.
    """

    weights: Calculation
    gradients: Calculation
    state: Calculation
    buffers: Calculation
    saved: Calculation
    alive: bool = False
    layers: tuple[tuple[str, Calculation], ...] = ()
    holds: Callable[[Mapping[str, int]], bool] | None = field(default=None, compare=False)
    beside: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, Calculation]:
        """The parts by name, in the order of the sum."""
        training = {"gradients": self.gradients, "optimizer state": self.state}
        return {
            "weights": self.weights,
            **({} if self.alive else training),
            "buffers": self.buffers,
            "alive at once" if self.alive else "saved for backward": self.saved,
        }

    @property
    def total(self) -> Calculation:
        """All parts together."""
        values = [part.value for part in self.parts.values() if part.value != 0]
        return calculation(_sum(values), " + ".join("{}" for _ in values), *values)


def weights_memory(
    parameters: Number,
    buffers: Number,
    saved: Calculation,
    optimizer: str,
    precision: str,
) -> Memory:
    """Return the memory of a training step from its counts and the bytes that are saved.

    Raises:
        AnalysisError: For an optimizer or a precision that is not known.
    """
    size, states = itemsize(precision), states_of(optimizer)
    return Memory(
        weights=calculation(_times(size, parameters), "{}·{}", size, parameters),
        gradients=calculation(_times(size, parameters), "{}·{}", size, parameters),
        state=calculation(_times(states * size, parameters), "{}·{}·{}", states, size, parameters),
        buffers=calculation(_times(size, buffers), "{}·{}", size, buffers),
        saved=saved,
    )


def evaluation_memory(
    parameters: Number, buffers: Number, alive: Calculation, precision: str
) -> Memory:
    """Return the memory of evaluation from its counts and the bytes that are alive at once.

    Raises:
        AnalysisError: For a precision that is not known.
    """
    kept = weights_memory(parameters, buffers, alive, "sgd", precision)
    return replace(kept, gradients=ZERO, state=ZERO, alive=True)


def training_memory(
    derivation: Derivation, *, optimizer: str = "adam", precision: str = "fp32"
) -> Memory:
    """Return what a training step of a built-in network keeps.

    >>> from analysis import vgg19_torchvision
    >>> training_memory(vgg19_torchvision(batch=2)).saved.value
    157016064
    """
    network, size = built_in(derivation), itemsize(precision)
    saved, rows = _saved(network, size), derive(network, size).rows
    total = derivation.total
    kept = weights_memory(total.parameters, total.buffers, saved, optimizer, precision)
    return replace(kept, layers=tuple((r.layer, r.saved_shown) for r in rows if r.saved != 0))


def _saved(network: Network, size: int) -> Calculation:
    """Return what a batch leaves behind: numbers of `size` bytes, and positions of maxima.

    The calculation is the batch times what one image leaves, where its size is known.
    """
    total, positions = (_sum(row.saved for row in derive(network, one).rows) for one in (size, 0))
    parts = ((size, sympify(total) - positions), (INDEX, sympify(positions)))
    kept = [(unit, plain(part / (unit * network.batch))) for unit, part in parts if part != 0]
    if not all(isinstance(numbers, int) for _, numbers in kept):
        return calculation(total)
    image = " + ".join("{}·{}" for _ in kept)
    if network.batch == 1:
        return calculation(total, image, *chain.from_iterable(kept))
    image = f"({image})" if len(kept) > 1 else image
    return calculation(total, f"{{}}·{image}", network.batch, *chain.from_iterable(kept))


def inference_memory(derivation: Derivation, *, precision: str = "fp32") -> Memory:
    """Return what evaluating a built-in network needs: weights, and the most that is alive at once.

    An output is alive until the last layer that reads it has run.

    >>> from analysis import vgg19
    >>> inference_memory(vgg19()).saved.text  # conv1_2 reads 224 x 224 x 64 and writes as many
    '4·6,422,528 = 25,690,112'
    """
    network, size = built_in(derivation), itemsize(precision)
    rows = {row.layer: row for row in derivation.rows}
    entry = sympify(rows["input"].activations)
    alive = _largest(set(_alive(network.layers, rows, entry, S.Zero)))
    shown = calculation(_times(size, alive), "{}·{}", size, alive)
    total = derivation.total
    return evaluation_memory(total.parameters, total.buffers, shown, precision)


def itemsize(precision: str) -> int:
    """Return the bytes of a number.

    Raises:
        AnalysisError: For a precision that is not known.
    """
    return _known("precision", precision, BYTES)


def states_of(optimizer: str) -> int:
    """Return the numbers that an optimizer keeps per parameter.

    Raises:
        AnalysisError: For an optimizer that is not known.
    """
    return _known("optimizer", optimizer, STATES)


def _known(what: str, name: str, values: Mapping[str, int]) -> int:
    if name not in values:
        raise AnalysisError(f"{what} must be one of {', '.join(values)}, not {name!r}")
    return values[name]


def _alive(
    layers: Iterable[Layer], rows: Mapping[str, Row], entry: Expr, beside: Expr, kept: Expr = S.Zero
) -> Iterable[Expr]:
    """Yield the numbers alive at each layer: its input, its output, and what waits `beside`.

    `kept`: what is needed beside the first layer's output as well, the input of further branches.
    """
    for layer in _with_rows(layers):
        out = sympify(rows[layer.name].activations)
        if isinstance(layer, Branches):
            yield from _alive_in(layer, rows, entry, beside)
        else:
            yield beside + entry + out
        entry, beside, kept = out, beside + kept, S.Zero


def _alive_in(
    layer: Branches, rows: Mapping[str, Row], entry: Expr, beside: Expr
) -> Iterable[Expr]:
    """Yield the same inside branches, whose outputs wait for the concatenation to copy them."""
    for place, branch in enumerate(layer.branches, start=1):
        kept = entry if place < len(layer.branches) else S.Zero
        yield from _alive(branch, rows, entry, beside, kept)
        *_, last = (entry, *(rows[one.name].activations for one in _with_rows(branch)))
        beside += sympify(last)
    yield beside + sympify(rows[layer.name].activations)


def _with_rows(layers: Iterable[Layer]) -> Iterable[NamedLayer]:
    return (layer for layer in layers if not isinstance(layer, Flatten))


def _largest(numbers: set[Expr]) -> Number:
    """Return the largest of numbers, or of multiples of the batch."""
    if {symbol for number in numbers for symbol in number.free_symbols} - {B}:
        raise AnalysisError(
            "which layer has most alive at once depends on the size of the input: give the size, "
            "or ask for training, which keeps all"
        )
    return plain(max(numbers, key=lambda number: number.subs(B, 1)))


def _sum(values: Iterable[Number]) -> Number:
    return plain(sum(map(sympify, values), S.Zero))


def _times(size: int, numbers: Number) -> Number:
    return plain(size * sympify(numbers))
