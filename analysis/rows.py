"""What a derivation holds: rows, their total, and the way to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Literal, Protocol, TypeAlias, get_args

from sympy import Add, sympify

from analysis.errors import AnalysisError
from analysis.notation import ZERO, Calculation, Number, plain

Kind: TypeAlias = Literal[
    "input",
    "conv",
    "pool",
    "fc",
    "norm",
    "concat",
    "activation",
    "dropout",
    "add",
    "multiply",
    "matmul",
    "attention",
    "rnn",
    "embedding",
    "resize",
    "copy",
    "module",
    "other",
    "unknown",
    "unused",
]
"""What a layer does; `module`: a submodule folded into one row, `unknown`: an operator without a
rule, `unused`: parameters that no layer read."""

Status: TypeAlias = Literal["exact", "upper bound", "not shift-invariant", "global"]
"""How far a receptive field may be trusted: at every position, as a bound, as a hull over unlike
positions; *global* after global pooling, attention or flattening, where every position sees what
all see."""

STATUSES: tuple[Status, ...] = get_args(Status)

UNRULED = "has no rule"
"""What the note of a row says whose operator is not counted, and of one that it is folded into."""

Axes: TypeAlias = Number | tuple[Number, ...]
Shown: TypeAlias = tuple[Calculation, ...]


@dataclass(frozen=True)
class Row:
    """One layer's numbers, each a `Calculation`.

    The properties of the same name without `_shown` are their values.

    `output` is (height, width, channels) or (units,), without the batch. `sides_shown`,
    `receptive_field_shown`, `start_shown` and `jump_shown` hold one calculation per axis (height,
    width); the first is empty where no window slides. The first output position sees
    `receptive_field` input pixels from `start` on, and each next one `jump` pixels further.
    `status` says how far the receptive field may be trusted, `ungated_shown` gives it without
    multiplicative gates (squeeze-and-excitation) where they see more. `saved_shown` is in bytes,
    `traffic_shown` in numbers read and written; both are 0 where nobody derived them. `note` tells
    what a reader must know before trusting a row.
    """

    layer: str
    kind: Kind
    output: tuple[Number, ...]
    activations_shown: Calculation
    receptive_field_shown: Shown
    start_shown: Shown
    jump_shown: Shown
    weights_shown: Calculation = ZERO
    biases_shown: Calculation = ZERO
    buffers_shown: Calculation = ZERO
    macs_shown: Calculation = ZERO
    sides_shown: Shown = ()
    status: Status = "exact"
    ungated_shown: Shown = ()
    saved_shown: Calculation = ZERO
    traffic_shown: Calculation = ZERO
    note: str = ""

    @property
    def activations(self) -> Number:
        """Numbers in the output, for the whole batch; 0 where they overwrite an input in place."""
        return self.activations_shown.value

    @property
    def weights(self) -> Number:
        """Learned weights without biases; γ of a norm."""
        return self.weights_shown.value

    @property
    def biases(self) -> Number:
        """Learned biases; β of a norm."""
        return self.biases_shown.value

    @property
    def parameters(self) -> Number:
        """Weights and biases."""
        return plain(sympify(self.weights) + self.biases)

    @property
    def buffers(self) -> Number:
        """Moving means and variances of a norm: kept, not learned."""
        return self.buffers_shown.value

    @property
    def macs(self) -> Number:
        """Multiply-accumulates of a convolution or matrix product, for the whole batch."""
        return self.macs_shown.value

    @property
    def flops(self) -> Number:
        """2 × MACs."""
        return plain(2 * sympify(self.macs))

    @property
    def receptive_field(self) -> Axes:
        """Side of what one output position sees, in input pixels.

        A pair (height, width) where they differ.
        """
        return _one_or_pair(self.receptive_field_shown)

    @property
    def start(self) -> Axes:
        """The first input pixel that the first output position sees; negative: in the padding.

        A pair (height, width) where they differ.
        """
        return _one_or_pair(self.start_shown)

    @property
    def ungated(self) -> Axes:
        """The receptive field without gates; what it is with them where there are none."""
        return _one_or_pair(self.ungated_shown or self.receptive_field_shown)

    @property
    def saved(self) -> Number:
        """Bytes that this layer adds to what is kept for the backward pass."""
        return self.saved_shown.value

    @property
    def traffic(self) -> Number:
        """Numbers read (inputs, parameters) and written (the output)."""
        return self.traffic_shown.value

    def intensity(self, itemsize: int = 4) -> Number:
        """Return the arithmetic intensity: FLOPs per byte moved, numbers of `itemsize` bytes."""
        moved = sympify(self.traffic) * itemsize
        return plain(self.flops / moved) if moved != 0 else 0

    @property
    def jump(self) -> Axes:
        """Input pixels between what neighbouring positions see.

        A pair (height, width) where they differ.
        """
        return _one_or_pair(self.jump_shown)


@dataclass(frozen=True)
class Total:
    """Sums over all rows, the input's and the concatenations' activations included."""

    activations: Number
    weights: Number
    biases: Number
    buffers: Number
    macs: Number

    @property
    def parameters(self) -> Number:
        """Weights and biases: what is learned (Keras: trainable)."""
        return plain(sympify(self.weights) + self.biases)

    @property
    def keras_parameters(self) -> Number:
        """Parameters and buffers: the total of a Keras summary, which counts moving statistics."""
        return plain(sympify(self.parameters) + self.buffers)

    @property
    def flops(self) -> Number:
        """2 × MACs."""
        return plain(2 * sympify(self.macs))


class Described(Protocol):
    """What a derivation asks of its network: a `Network`, or a module that was read."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def batch(self) -> Number:
        """Images in a batch."""


@dataclass(frozen=True)
class Derivation:
    """A network and its rows, in the order of computation."""

    network: Described
    rows: tuple[Row, ...]

    @cached_property
    def total(self) -> Total:
        """The sum of each quantity over the rows."""
        names = ("activations", "weights", "biases", "buffers", "macs")
        return Total(**{name: _sum(getattr(row, name) for row in self.rows) for name in names})

    @property
    def at_least(self) -> bool:
        """Whether the total is a lower bound: an operator without a rule is not counted."""
        return any(row.kind == "unknown" or UNRULED in row.note for row in self.rows)

    @property
    def neurons(self) -> Number:
        """Units of the convolutions and fully connected layers, per image.

        Source: AlexNet paper, section 3.5.
        """
        units = _sum(row.activations for row in self.rows if row.kind in ("conv", "fc"))
        return plain(sympify(units) / self.network.batch)

    def row(self, layer: str) -> Row:
        """Return the row of a layer.

        Raises:
            AnalysisError: If there is none of that name; it says which is near.
        """
        rows = {row.layer: row for row in self.rows}
        if layer not in rows:
            near = get_close_matches(layer, rows, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(rows)}"
            raise AnalysisError(f"{self.network.name} has no layer {layer!r}; {hint}")
        return rows[layer]


def _sum(values: Iterable[Number]) -> Number:
    values = tuple(values)
    if all(type(value) is int for value in values):
        return sum(values)
    return plain(Add(*map(sympify, values)))


def _one_or_pair(shown: Shown) -> Axes:
    sizes = tuple(calculation.value for calculation in shown)
    return sizes[0] if len(set(sizes)) == 1 else sizes
