"""The small networks of the first lab problem and its solutions, as data.

A batch norm counts the same before or after its activation, so placement here means only: which
layers have one.
"""

from typing import Literal, TypeAlias, get_args

from analysis.derivation import derive
from analysis.errors import AnalysisError
from analysis.layers import Conv, Flatten, Layer, Linear, Network, Norm, Pool
from analysis.notation import Dimension
from analysis.rows import Derivation

Placement: TypeAlias = Literal["none", "hidden", "input_and_hidden"]
"""Where batch norm stands: nowhere, behind the hidden layers, or on the input too."""

NormName: TypeAlias = Literal["none", "batch", "layer", "group", "instance"]


def lenet5(
    *,
    height: Dimension = 28,
    width: Dimension = 28,
    channels: Dimension = 1,
    batch: Dimension = 1,
    classes: Dimension = 10,
    normalization: Placement = "none",
) -> Derivation:
    """Derive LeNet-5 with padding 2 for 28 x 28 images.

    Every map of the third layer sees all 6 maps.

    Source: LeCun, Bottou, Bengio & Haffner 1998, section II.B and figure 2, with today's
    simplifications: no partial connection table, plain average pools without weights, a linear
    output layer. The paper's input is 32 x 32 and not padded: see `lenet5_unpadded`.

    >>> lenet5().total.parameters
    61706
    """
    layers = _placed(_lenet5(padding=2, classes=classes), normalization)
    return derive(Network("lenet5", layers, height, width, channels, batch))


def lenet5_unpadded(
    *,
    height: Dimension = 32,
    width: Dimension = 32,
    channels: Dimension = 1,
    batch: Dimension = 1,
    classes: Dimension = 10,
    normalization: Placement = "none",
) -> Derivation:
    """Return LeNet-5 without padding, for 32 x 32 images as in the paper; else as `lenet5`.

    >>> lenet5_unpadded().total.parameters, lenet5_unpadded().row("conv1").output
    (61706, (28, 28, 6))
    """
    layers = _placed(_lenet5(padding=0, classes=classes), normalization)
    return derive(Network("lenet5-unpadded", layers, height, width, channels, batch))


def _lenet5(padding: int, classes: Dimension) -> tuple[Layer, ...]:
    return (
        Norm("input.norm"),
        Conv("conv1", 6, kernel=5, padding=padding),
        Norm("conv1.norm"),
        Pool("pool1", kernel=2, average=True),
        Conv("conv2", 16, kernel=5),
        Norm("conv2.norm"),
        Pool("pool2", kernel=2, average=True),
        Linear("fc1", 120),
        Norm("fc1.norm"),
        Linear("fc2", 84),
        Norm("fc2.norm"),
        Linear("output", classes),
    )


def lenet_stride1(
    *,
    height: Dimension = 28,
    width: Dimension = 28,
    channels: Dimension = 1,
    batch: Dimension = 1,
    classes: Dimension = 10,
    normalization: Placement = "hidden",
) -> Derivation:
    """Derive the worked solution's network: 28 → 28 → 27 → 23 → 11 → 7.

    Its first average pool has stride 1.

    Batch norm stands behind each activation *and* behind each pool. `hidden` is the solution's
    model 1, `input_and_hidden` its models 2 and 4, `none` its model 3.

    >>> lenet_stride1().total.keras_parameters, lenet_stride1().total.parameters
    (546538, 546042)
    """
    layers = (
        Norm("input.norm"),
        Conv("conv1", 6, kernel=5, padding=2),
        Norm("conv1.norm"),
        Pool("pool1", kernel=2, stride=1, average=True),
        Norm("pool1.norm"),
        Conv("conv2", 16, kernel=5),
        Norm("conv2.norm"),
        Pool("pool2", kernel=2, stride=2, average=True),
        Norm("pool2.norm"),
        Conv("conv3", 120, kernel=5),
        Norm("conv3.norm"),
        Linear("fc1", 84),
        Norm("fc1.norm"),
        Linear("output", classes),
    )
    return derive(
        Network("lenet-stride1", _placed(layers, normalization), height, width, channels, batch)
    )


def lenet5_norm(
    *,
    height: Dimension = 32,
    width: Dimension = 32,
    channels: Dimension = 3,
    batch: Dimension = 1,
    classes: Dimension = 10,
    norm: NormName = "batch",
) -> Derivation:
    """Derive the CIFAR-10 sketch's `LeNet5_Norm`.

    A pluggable normalization stands behind its four hidden layers.

    γ and β are per channel (layer norm is one group of all channels and positions); instance norm
    learns γ and β as well, stands behind convolutions only, and like layer and group norm keeps no
    moving statistics.

    >>> lenet5_norm().total.parameters, lenet5_norm(norm="none").total.parameters
    (137338, 136886)
    """
    _check("norm", norm, get_args(NormName))
    layers: tuple[Layer, ...] = (
        Conv("conv1", 6, kernel=5, padding=2),
        Norm("conv1.norm", tracked=norm == "batch"),
        Pool("pool1", kernel=2),
        Conv("conv2", 16, kernel=5, padding=2),
        Norm("conv2.norm", tracked=norm == "batch"),
        Pool("pool2", kernel=2),
        Linear("fc1", 120),
        Norm("fc1.norm", tracked=norm == "batch"),
        Linear("fc2", 84),
        Norm("fc2.norm", tracked=norm == "batch"),
        Linear("output", classes),
    )
    kept = {"none": (), "instance": ("conv1.norm", "conv2.norm")}.get(norm)
    if kept is not None:
        layers = tuple(
            layer for layer in layers if not isinstance(layer, Norm) or layer.name in kept
        )
    return derive(Network("lenet5-norm", layers, height, width, channels, batch))


def cifar_note(
    *,
    height: Dimension = 32,
    width: Dimension = 32,
    channels: Dimension = 3,
    batch: Dimension = 1,
    classes: Dimension = 10,
    normalization: Placement = "input_and_hidden",
) -> Derivation:
    """Derive the CIFAR-10 note's network: batch norm before every convolution and dense layer.

    >>> [row.parameters + row.buffers for row in cifar_note().rows[1:5]]
    [12, 896, 128, 9248]
    """
    layers = (
        Norm("input.norm"),
        Conv("conv1", 32, kernel=3),
        Norm("conv1.norm"),
        Conv("conv2", 32, kernel=3, padding=1),
        Pool("pool1", kernel=2),
        Norm("pool1.norm"),
        Conv("conv3", 64, kernel=3, padding=1),
        Pool("pool2", kernel=2),
        Flatten(),
        Norm("pool2.norm"),
        Linear("fc1", 512),
        Norm("fc1.norm"),
        Linear("output", classes),
    )
    return derive(
        Network("cifar-note", _placed(layers, normalization), height, width, channels, batch)
    )


def _placed(layers: tuple[Layer, ...], placement: str) -> tuple[Layer, ...]:
    """Keep the norms that the placement asks for; `input.norm` is the input's."""
    _check("normalization", placement, get_args(Placement))
    if placement == "none":
        return tuple(layer for layer in layers if not isinstance(layer, Norm))
    if placement == "hidden":
        return tuple(
            layer
            for layer in layers
            if not (isinstance(layer, Norm) and layer.name == "input.norm")
        )
    return layers


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise AnalysisError(f"{name} must be one of {', '.join(known)}, not {value!r}")
