"""Layers and networks as data.

What a layer costs is in `analysis.operators`, how they chain in `analysis.derivation`.

Sizes are integers or sympy expressions. A window's kernel, stride, padding and dilation are one
number for both axes, or a pair `(height, width)`. Layers without numbers of their own (activations,
dropout, local response normalization) are left out: they change no shape and no count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from sympy import Expr

from analysis.errors import AnalysisError
from analysis.notation import Dimension, whole

Sides: TypeAlias = Dimension | tuple[Dimension, Dimension]


@dataclass(frozen=True)
class Conv:
    """A two-dimensional convolution (cross-correlation).

    `groups` as in the two-GPU AlexNet (paper, section 3.5).
    """

    name: str
    filters: Dimension
    kernel: Sides
    stride: Sides = 1
    padding: Sides = 0
    dilation: Sides = 1
    groups: Dimension = 1
    bias: bool = True


@dataclass(frozen=True)
class Pool:
    """Maximum or average pooling: the same shape and no weights either way.

    The stride defaults to the kernel.
    """

    name: str
    kernel: Sides
    stride: Sides | None = None
    padding: Sides = 0
    dilation: Sides = 1
    average: bool = False


@dataclass(frozen=True)
class AdaptivePool:
    """Average pooling to a given height and width, whatever map comes.

    It is what torchvision's networks have before their fully connected layers.
    """

    name: str
    height: Dimension
    width: Dimension


@dataclass(frozen=True)
class GlobalPool:
    """Pooling over the whole map: output 1 x 1 x channels."""

    name: str


@dataclass(frozen=True)
class Flatten:
    """A map read as one vector; costs nothing and has no row. `Linear` does it by itself."""


@dataclass(frozen=True)
class Linear:
    """A fully connected layer; a map that enters it is flattened."""

    name: str
    units: Dimension
    bias: bool = True


@dataclass(frozen=True)
class Norm:
    """A normalization with one γ and one β (if `affine`) per channel, or per feature of a vector.

    `tracked`: it keeps a moving mean and a moving variance per channel, as batch norm does (torch's
    step counter `num_batches_tracked` is not counted). `elementwise`: γ and β for each position
    too, as layer norm over a map.
    """

    name: str
    affine: bool = True
    tracked: bool = True
    elementwise: bool = False


@dataclass(frozen=True)
class Branches:
    """Branches from one input, their outputs concatenated along the channels.

    An empty branch passes its input on.
    """

    name: str
    branches: tuple[tuple["Layer", ...], ...]


NamedLayer: TypeAlias = Conv | Pool | AdaptivePool | GlobalPool | Linear | Norm | Branches
"""A layer that has a row."""

Layer: TypeAlias = NamedLayer | Flatten


@dataclass(frozen=True)
class Network:
    """A name, an input of batch x height x width x channels, and layers in order."""

    name: str
    layers: tuple[Layer, ...]
    height: Dimension
    width: Dimension
    channels: Dimension
    batch: Dimension = 1


class Window(NamedTuple):
    """A sliding window along one axis, in the positions of its input."""

    kernel: Expr
    stride: Expr
    padding: Expr
    dilation: Expr

    @property
    def reach(self) -> Expr:
        """Positions from the first to the last that it looks at, those between included."""
        return self.dilation * (self.kernel - 1) + 1


def windows(layer: Conv | Pool) -> tuple[Window, Window]:
    """Return the windows along height and width.

    Raises:
        AnalysisError: If a size is not a whole number, or too small, or a pool's padding is more
            than half of its window, so that a window could hold nothing but padding.

    >>> windows(Pool("pool1", kernel=3, stride=2))[0]
    Window(kernel=3, stride=2, padding=0, dilation=1)
    """
    stride = layer.kernel if layer.stride is None else layer.stride
    sizes = [
        _pair(f"{layer.name}: kernel", layer.kernel),
        _pair(f"{layer.name}: stride", stride),
        _pair(f"{layer.name}: padding", layer.padding, at_least=0),
        _pair(f"{layer.name}: dilation", layer.dilation),
    ]
    along = Window(*(height for height, _ in sizes)), Window(*(width for _, width in sizes))
    if isinstance(layer, Pool):
        _check_padding(layer.name, along)
    return along


def _check_padding(name: str, along: tuple[Window, Window]) -> None:
    for window in along:
        if (window.reach - 2 * window.padding).is_negative:
            raise AnalysisError(
                f"{name}: a padding of {window.padding} is more than half of its window of "
                f"{window.reach}; a pool's padding must be at most half its window"
            )


def _pair(name: str, sides: Sides, at_least: int = 1) -> tuple[Expr, Expr]:
    height, width = sides if isinstance(sides, tuple) else (sides, sides)
    return whole(name, height, at_least), whole(name, width, at_least)


def flattened(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    """Yield every layer, those inside of branches too, a `Branches` after its own."""
    for layer in layers:
        if isinstance(layer, Branches):
            for branch in layer.branches:
                yield from flattened(branch)
        yield layer
