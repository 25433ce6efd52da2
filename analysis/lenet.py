"""The small networks of the first lab problem and its solutions, as data.

A batch norm counts the same before or after its activation, so placement here means only: which layers have one.
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
    """LeNet-5 with padding 2 for 28 x 28 images, every map of the third layer seeing all 6 maps.

    Source: LeCun, Bottou, Bengio & Haffner 1998, section II.B and figure 2, with today's simplifications: no
    partial connection table, plain average pools without weights, a linear output layer.

    >>> lenet5().total.parameters
    61706
    """
    layers = (
        Norm("norm0"),
        Conv("conv1", 6, kernel=5, padding=2),
        Norm("norm1"),
        Pool("pool1", kernel=2),
        Conv("conv2", 16, kernel=5),
        Norm("norm2"),
        Pool("pool2", kernel=2),
        Conv("conv3", 120, kernel=5),
        Norm("norm3"),
        Linear("fc1", 84),
        Norm("norm4"),
        Linear("fc2", classes),
    )
    return derive(Network("lenet5", _placed(layers, normalization), height, width, channels, batch))


def lenet_stride1(
    *,
    height: Dimension = 28,
    width: Dimension = 28,
    channels: Dimension = 1,
    batch: Dimension = 1,
    classes: Dimension = 10,
    normalization: Placement = "hidden",
) -> Derivation:
    """The worked solution's network: its first average pool has stride 1, so 28 → 28 → 27 → 23 → 11 → 7.

    Batch norm stands behind each activation *and* behind each pool. ``hidden`` is the solution's model 1,
    ``input_and_hidden`` its models 2 and 4, ``none`` its model 3.

    >>> lenet_stride1().total.keras_parameters, lenet_stride1().total.parameters
    (546538, 546042)
    """
    layers = (
        Norm("norm0"),
        Conv("conv1", 6, kernel=5, padding=2),
        Norm("norm1"),
        Pool("pool1", kernel=2, stride=1),
        Norm("norm2"),
        Conv("conv2", 16, kernel=5),
        Norm("norm3"),
        Pool("pool2", kernel=2, stride=2),
        Norm("norm4"),
        Conv("conv3", 120, kernel=5),
        Norm("norm5"),
        Linear("fc1", 84),
        Norm("norm6"),
        Linear("fc2", classes),
    )
    return derive(Network("lenet-stride1", _placed(layers, normalization), height, width, channels, batch))


def lenet5_norm(
    *,
    height: Dimension = 32,
    width: Dimension = 32,
    channels: Dimension = 3,
    batch: Dimension = 1,
    classes: Dimension = 10,
    norm: NormName = "batch",
) -> Derivation:
    """The CIFAR-10 sketch's `LeNet5_Norm`, with a pluggable normalization behind its four hidden layers.

    γ and β are per channel (layer norm is one group of all channels and positions); instance norm learns γ and β as
    well, stands behind convolutions only, and like layer and group norm keeps no moving statistics.

    >>> lenet5_norm().total.parameters, lenet5_norm(norm="none").total.parameters
    (137338, 136886)
    """
    _check("norm", norm, get_args(NormName))
    layers: tuple[Layer, ...] = (
        Conv("conv1", 6, kernel=5, padding=2),
        Norm("norm1", tracked=norm == "batch"),
        Pool("pool1", kernel=2),
        Conv("conv2", 16, kernel=5, padding=2),
        Norm("norm2", tracked=norm == "batch"),
        Pool("pool2", kernel=2),
        Linear("fc1", 120),
        Norm("norm3", tracked=norm == "batch"),
        Linear("fc2", 84),
        Norm("norm4", tracked=norm == "batch"),
        Linear("fc3", classes),
    )
    left_out = {"none": ("norm1", "norm2", "norm3", "norm4"), "instance": ("norm3", "norm4")}.get(norm, ())
    layers = tuple(layer for layer in layers if not (isinstance(layer, Norm) and layer.name in left_out))
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
    """The CIFAR-10 note's network: batch norm before every convolution and dense layer.

    >>> [row.parameters + row.buffers for row in cifar_note().rows[1:5]]
    [12, 896, 128, 9248]
    """
    layers = (
        Norm("norm0"),
        Conv("conv1", 32, kernel=3),
        Norm("norm1"),
        Conv("conv2", 32, kernel=3, padding=1),
        Pool("pool1", kernel=2),
        Norm("norm2"),
        Conv("conv3", 64, kernel=3, padding=1),
        Pool("pool2", kernel=2),
        Flatten(),
        Norm("norm3"),
        Linear("fc1", 512),
        Norm("norm4"),
        Linear("fc2", classes),
    )
    return derive(Network("cifar-note", _placed(layers, normalization), height, width, channels, batch))


def _placed(layers: tuple[Layer, ...], placement: str) -> tuple[Layer, ...]:
    """Keep the norms that the placement asks for; ``norm0`` is the input's."""
    _check("normalization", placement, get_args(Placement))
    if placement == "none":
        return tuple(layer for layer in layers if not isinstance(layer, Norm))
    if placement == "hidden":
        return tuple(layer for layer in layers if not (isinstance(layer, Norm) and layer.name == "norm0"))
    return layers


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise AnalysisError(f"{name} must be one of {', '.join(known)}, not {value!r}")
