"""Inception modules and MiniGoogLeNet, as data."""

from itertools import count

from analysis.derivation import derive
from analysis.layers import Branches, Conv, GlobalPool, Layer, Linear, Network, Norm, Pool
from analysis.notation import Dimension
from analysis.rows import Derivation

MINIGOOGLENET: list[tuple[int, int] | int] = [
    (32, 32),
    (32, 48),
    80,
    (112, 48),
    (96, 64),
    (80, 80),
    (48, 96),
    96,
    (176, 160),
    (176, 160),
]
"""Inception(1x1, 3x3) and downsample(3x3) filters in order (Zhang et al. 2017, figure 3)."""


def inception_naive(
    *,
    height: Dimension = 32,
    width: Dimension = 32,
    channels: Dimension = 256,
    batch: Dimension = 1,
    filters_1x1: Dimension = 128,
    filters_3x3: Dimension = 192,
    filters_5x5: Dimension = 96,
) -> Derivation:
    """Derive the naive Inception module (Szegedy et al. 2015, figure 2a).

    Its pool branch passes every channel on.

    At 28 x 28 it takes the 854 million MACs that the well-known slide prints:

    >>> inception_naive(height=28, width=28).total.macs, inception_naive().row("concat").output
    (854196224, (32, 32, 672))
    """
    module = Branches(
        "concat",
        (
            (Conv("1x1", filters_1x1, kernel=1),),
            (Conv("3x3", filters_3x3, kernel=3, padding=1),),
            (Conv("5x5", filters_5x5, kernel=5, padding=2),),
            (Pool("pool", kernel=3, stride=1, padding=1),),
        ),
    )
    return derive(Network("inception-naive", (module,), height, width, channels, batch))


def inception_reduced(  # noqa: PLR0913 (its six convolutions, and the input)
    *,
    height: Dimension = 32,
    width: Dimension = 32,
    channels: Dimension = 256,
    batch: Dimension = 1,
    filters_1x1: Dimension = 128,
    filters_3x3: Dimension = 192,
    filters_5x5: Dimension = 96,
    reduce_3x3: Dimension = 64,
    reduce_5x5: Dimension = 64,
    project_pool: Dimension = 64,
) -> Derivation:
    """Derive the Inception module with dimension reduction (Szegedy et al. 2015, figure 2b).

    At 28 x 28 its six convolutions take 271 million MACs. The slide lists the same six and prints
    358M: the sum comes out if the 3x3 convolution (86,704,128) is added twice.

    >>> reduced = inception_reduced(height=28, width=28)
    >>> reduced.total.macs, reduced.total.macs + reduced.row("3x3").macs
    (271351808, 358055936)
    """
    module = Branches(
        "concat",
        (
            (Conv("1x1", filters_1x1, kernel=1),),
            (
                Conv("reduce_3x3", reduce_3x3, kernel=1),
                Conv("3x3", filters_3x3, kernel=3, padding=1),
            ),
            (
                Conv("reduce_5x5", reduce_5x5, kernel=1),
                Conv("5x5", filters_5x5, kernel=5, padding=2),
            ),
            (
                Pool("pool", kernel=3, stride=1, padding=1),
                Conv("project_pool", project_pool, kernel=1),
            ),
        ),
    )
    return derive(Network("inception-reduced", (module,), height, width, channels, batch))


def minigooglenet(
    *,
    height: Dimension = 28,
    width: Dimension = 28,
    channels: Dimension = 1,
    batch: Dimension = 1,
    classes: Dimension = 10,
    bias: bool = True,
) -> Derivation:
    """Derive MiniGoogLeNet, padded: 28 → 14 → 7, then a global average pool.

    Source: Zhang et al. 2017, figure 3.

    Each convolution is conv–BN–ReLU; `bias` is whether the convolution before the batch norm has
    its own.

    The paper's table 1 counts 1,649,402 parameters for 3 channels: weights, and one number per
    channel besides. That is this network without γ and β (or with β alone, and no biases).

    >>> rows = minigooglenet(channels=3).rows
    >>> sum(row.parameters for row in rows if row.kind != "norm")
    1649402
    """
    layers = _minigooglenet(padding=1, classes=classes, bias=bias)
    return derive(Network("minigooglenet", layers, height, width, channels, batch))


def minigooglenet_unpadded(
    *,
    height: Dimension = 32,
    width: Dimension = 32,
    channels: Dimension = 1,
    batch: Dimension = 1,
    classes: Dimension = 10,
    bias: bool = True,
) -> Derivation:
    """Derive MiniGoogLeNet as in the lab's linked tutorial: 32 → 15 → 7.

    Its downsample modules are unpadded.

    >>> minigooglenet_unpadded().row("downsample1.concat").output
    (15, 15, 160)
    """
    layers = _minigooglenet(padding=0, classes=classes, bias=bias)
    return derive(Network("minigooglenet-unpadded", layers, height, width, channels, batch))


def _minigooglenet(padding: int, classes: Dimension, bias: bool) -> tuple[Layer, ...]:
    layers: list[Layer] = [*_conv("conv1", 96, kernel=3, padding=1, bias=bias)]
    inceptions, downsamples = count(1), count(1)
    for filters in MINIGOOGLENET:
        if isinstance(filters, tuple):
            layers.append(_inception(f"inception{next(inceptions)}", *filters, bias))
        else:
            layers.append(_downsample(f"downsample{next(downsamples)}", filters, padding, bias))
    return (*layers, GlobalPool("pool"), Linear("output", classes))


def _inception(name: str, filters_1x1: int, filters_3x3: int, bias: bool) -> Branches:
    pointwise = _conv(f"{name}.conv1x1", filters_1x1, kernel=1, bias=bias)
    spatial = _conv(f"{name}.conv3x3", filters_3x3, kernel=3, padding=1, bias=bias)
    return Branches(f"{name}.concat", (pointwise, spatial))


def _downsample(name: str, filters: int, padding: int, bias: bool) -> Branches:
    strided = _conv(f"{name}.conv3x3", filters, kernel=3, stride=2, padding=padding, bias=bias)
    return Branches(
        f"{name}.concat", (strided, (Pool(f"{name}.pool", kernel=3, stride=2, padding=padding),))
    )


def _conv(
    name: str, filters: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True
) -> tuple[Layer, ...]:
    return Conv(name, filters, kernel, stride=stride, padding=padding, bias=bias), Norm(
        f"{name}.norm"
    )
