"""The networks as data: which layers, how wide, what follows each of them.

No torch here, so that a spec stays light.

A stage is a layer with learned weights, or a pooling that stands alone, and what follows it. The
steps *norm*, *activation* and *dropout* follow in the order that a run's spec says (by default the
network's own); a stage's pooling comes right after its activation, or first where there is none.

`models.networks.build` builds them.
"""

from dataclasses import dataclass
from typing import Literal

STEPS = ("norm", "activation", "dropout")


@dataclass(frozen=True)
class Conv:
    """A square convolution; stride and padding in pixels."""

    channels: int
    kernel: int
    padding: int = 0
    stride: int = 1


@dataclass(frozen=True)
class Dense:
    """A fully connected layer; images (C, H, W) that come in are flattened to C·H·W features."""

    features: int


@dataclass(frozen=True)
class Pool:
    """A square pooling window, in pixels; the global one takes the whole image."""

    kind: Literal["average", "max", "global average"]
    kernel: int = 2
    stride: int = 2


@dataclass(frozen=True)
class Stage:
    """One layer and what follows it.

    `flatten` turns (C, H, W) into features already here, before the next norm.
    """

    name: str
    layer: Conv | Dense | None = None
    pool: Pool | None = None
    flatten: bool = False
    steps: tuple[str, ...] = STEPS


@dataclass(frozen=True)
class Inception:
    """Zhang et al.'s module: a 1×1 and a 3×3 convolution side by side, channels concatenated."""

    name: str
    one: int
    three: int
    steps: tuple[str, ...] = ("norm", "activation")


@dataclass(frozen=True)
class Downsample:
    """A 3×3 convolution of stride 2 beside a 3×3 max pooling of stride 2: halves the side."""

    name: str
    channels: int
    padding: int
    steps: tuple[str, ...] = ("norm", "activation")


@dataclass(frozen=True)
class Pair:
    """Two 3×3 convolutions; with a shortcut, what comes in is added before the last activation.

    Where the pair changes the shape, the shortcut takes every `stride`-th pixel and pads the new
    channels with zeros (He et al. 2016, section 3.3, option A): it learns nothing, so a pair with
    one has the parameters of a pair without. Dropout never stands in a pair.
    """

    name: str
    channels: int
    stride: int
    shortcut: bool
    steps: tuple[str, ...] = ("norm", "activation")


Block = Stage | Inception | Downsample | Pair


@dataclass(frozen=True)
class Architecture:
    """A network up to its classifier, which is always one dense layer, `output`.

    `side` is the side in pixels to which smaller images are resized first (None: taken as they
    are).
    """

    activation: str
    order: tuple[str, ...]
    blocks: tuple[Block, ...]
    side: int | None = None


def layer_names(network: str, step: str = "norm") -> tuple[str, ...]:
    """Return the places of a network where a step may stand: what `norm_layers` chooses from.

    >>> layer_names("lenet5")
    ('conv1', 'conv2', 'fc1', 'fc2')
    """
    return tuple(block.name for block in ARCHITECTURES[network].blocks if step in block.steps)


def layers_to_normalize(network: str, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the layers of a network that are normalized: the chosen ones, all of them for None.

    Raises:
        ValueError: The network has no such layer.

    >>> layers_to_normalize("lenet5", None)
    ('conv1', 'conv2', 'fc1', 'fc2')
    """
    return _chosen_layers("norm", network, chosen)


def layers_to_drop(network: str, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the layers of a network that dropout follows: the chosen ones, all of them for None.

    Raises:
        ValueError: The network has no dropout after such a layer.

    >>> layers_to_drop("minigooglenet", None)
    ('pool',)
    """
    return _chosen_layers("dropout", network, chosen)


def _chosen_layers(step: str, network: str, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    known = layer_names(network, step)
    unknown = sorted(set(chosen or ()) - set(known))
    if unknown:
        raise ValueError(
            f"{step}_layers: expected some of {network}'s {', '.join(known)}, "
            f"got {', '.join(unknown)}"
        )
    return known if chosen is None else chosen


def parse_order(order: str) -> tuple[str, ...]:
    """Return the steps of an order written with hyphens.

    Raises:
        ValueError: It is no permutation of `STEPS`.

    >>> parse_order("activation-norm-dropout")
    ('activation', 'norm', 'dropout')
    """
    steps = tuple(order.split("-"))
    if sorted(steps) != sorted(STEPS):
        raise ValueError(f"order: expected a permutation of {'-'.join(STEPS)}, got {order!r}")
    return steps


def _lenet5() -> Architecture:
    """Return LeNet-5 (LeCun et al. 1998, fig. 2) with today's softmax output.

    Average pooling, full connections.
    """
    pool = Pool("average")
    blocks = (
        Stage("conv1", Conv(6, 5, padding=2), pool),
        Stage("conv2", Conv(16, 5), pool),
        Stage("fc1", Dense(120)),
        Stage("fc2", Dense(84)),
    )
    return Architecture("tanh", STEPS, blocks)


def _lenet_stride1() -> Architecture:
    """Return the worked solution's network: a first pooling of stride 1, norms after poolings too.

    Its dropout comes right before convolutions 2 and 3 and both dense layers: none between
    activation and pooling.
    """
    blocks = (
        Stage("conv1", Conv(6, 5, padding=2), steps=("norm", "activation")),
        Stage("pool1", pool=Pool("average", stride=1), steps=("norm", "dropout")),
        Stage("conv2", Conv(16, 5), steps=("norm", "activation")),
        Stage("pool2", pool=Pool("average"), steps=("norm", "dropout")),
        Stage("conv3", Conv(120, 5)),
        Stage("fc1", Dense(84)),
    )
    return Architecture("tanh", ("activation", "norm", "dropout"), blocks)


def _lenet5_norm() -> Architecture:
    """Return the CIFAR-10 sketch's `LeNet5_Norm`: same-sized convolutions, max pooling, ReLU."""
    pool = Pool("max")
    blocks = (
        Stage("conv1", Conv(6, 5, padding=2), pool),
        Stage("conv2", Conv(16, 5, padding=2), pool),
        Stage("fc1", Dense(120)),
        Stage("fc2", Dense(84)),
    )
    return Architecture("relu", STEPS, blocks)


def _cifar_note() -> Architecture:
    """Return the CIFAR-10 note's network: each norm stands before the next layer.

    The third one comes after flattening.
    """
    pool = Pool("max")
    blocks = (
        Stage("conv1", Conv(32, 3)),
        Stage("conv2", Conv(32, 3, padding=1), pool, steps=("norm", "activation")),
        Stage("conv3", Conv(64, 3, padding=1), pool, flatten=True),
        Stage("fc1", Dense(512)),
    )
    return Architecture("relu", ("activation", "dropout", "norm"), blocks)


def _minigooglenet(padding: int, side: int | None = None) -> Architecture:
    """Return MiniGoogLeNet (Zhang et al. 2017, fig. 3), its only dropout before the classifier.

    `padding` is that of the two downsampling modules: 1 in the paper (28 → 14 → 7), 0 in the lab's
    linked tutorial, which resizes its images to 32 × 32 (→ 15 → 7).
    """
    blocks = (
        Stage("conv1", Conv(96, 3, padding=1), steps=("norm", "activation")),
        Inception("inception1", 32, 32),
        Inception("inception2", 32, 48),
        Downsample("downsample1", 80, padding),
        Inception("inception3", 112, 48),
        Inception("inception4", 96, 64),
        Inception("inception5", 80, 80),
        Inception("inception6", 48, 96),
        Downsample("downsample2", 96, padding),
        Inception("inception7", 176, 160),
        Inception("inception8", 176, 160),
        Stage("pool", pool=Pool("global average"), steps=("dropout",)),
    )
    return Architecture("relu", STEPS, blocks, side)


def _cifar_resnet(depth: int, shortcut: bool) -> Architecture:
    """Return He et al.'s network for CIFAR-10 (2016, section 4.2), or its plain twin, half as wide.

    6n + 2 layers: a convolution, three groups of n pairs on 32 × 32, 16 × 16 and 8 × 8 pixels, and
    the classifier. Width 2 is the paper's.
    """
    pairs = tuple(
        Pair(f"pair{group}{number}", 8 << (group - 1), 2 if number == 1 < group else 1, shortcut)
        for group in (1, 2, 3)
        for number in range(1, depth // 6 + 1)
    )
    blocks: tuple[Block, ...] = (
        Stage("conv1", Conv(8, 3, padding=1), steps=("norm", "activation")),
        *pairs,
        Stage("pool", pool=Pool("global average"), steps=("dropout",)),
    )
    return Architecture("relu", STEPS, blocks)


ARCHITECTURES: dict[str, Architecture] = {
    "lenet5": _lenet5(),
    "lenet-stride1": _lenet_stride1(),
    "lenet5-norm": _lenet5_norm(),
    "cifar-note": _cifar_note(),
    "minigooglenet": _minigooglenet(padding=1),
    "minigooglenet-unpadded": _minigooglenet(padding=0, side=32),
    "plain8": _cifar_resnet(8, shortcut=False),
    "plain14": _cifar_resnet(14, shortcut=False),
    "plain20": _cifar_resnet(20, shortcut=False),
    "resnet8": _cifar_resnet(8, shortcut=True),
    "resnet14": _cifar_resnet(14, shortcut=True),
    "resnet20": _cifar_resnet(20, shortcut=True),
}
