"""Networks from specs: each an `nn.Sequential` of named stages.

They take float images on the scale 0..1 and give logits. The modules bear the names of
`models.networks.architectures`: `network.conv1.conv` is a layer, `network.conv1.norm` its norm,
`network.input` the input's normalization, `network.output` the classifier.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.data.datasets import DATASETS
from models.fields import expect_one_of
from models.networks.architectures import (
    ARCHITECTURES,
    Architecture,
    Block,
    Conv,
    Dense,
    Downsample,
    Inception,
    Pair,
    Pool,
    Stage,
    layers_to_drop,
    layers_to_normalize,
    parse_order,
)
from models.networks.fused import FusedStage
from models.networks.kernels import AveragePool2x2, Dropout
from models.networks.layers import (
    ACTIVATIONS,
    NORM_TYPES,
    AffineConv2d,
    Branches,
    InputNorm,
    Shortcut,
    initialise,
    make_norm,
)
from models.networks.spec import NetworkSpec


class ParameterCount(NamedTuple):
    """Keras' two numbers: `trainable` is what learns, `total` has the moving statistics too."""

    total: int
    trainable: int


def build(spec: NetworkSpec) -> nn.Sequential:
    """Return the network of a spec, in training mode.

    It takes float images (B, C, H, W) in 0..1 to logits (B, classes). Initial weights are the only
    random choice, drawn from torch's global generator (`torch.manual_seed` first): with one seed,
    networks that differ in norms, dropout or biases start from the same weights.

    Raises:
        ValueError: A name is unknown, or `order` is no permutation; the message names the field.

    >>> build(NetworkSpec(network="lenet5", dataset="mnist"))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    expect_one_of(ARCHITECTURES, "network", spec.network)
    architecture = ARCHITECTURES[spec.network]
    style = _style(spec, architecture)
    with torch.random.fork_rng(devices=[]), torch.no_grad():  # torch's initial weights are not used
        network = _assemble(architecture, style, spec)
    for name, block in network.named_children():
        if name == "output":
            initialise(block, None)
        else:
            initialise(block, style.activation, spec.initial_scale)
    return network.train()


def learned_normalization(network: nn.Module) -> dict[str, dict[str, list[float] | None]]:
    """Return the learned γ and β of every norm, and its moving statistics, as plain lists (C,).

    None stands for those that a norm does not keep. The keys are the layers' names, `input` for the
    input's; a block of several convolutions has one each (`inception1.conv1x1`).
    """
    norms = {
        name.removesuffix(".norm"): norm
        for name, norm in network.named_modules()
        if isinstance(norm, NORM_TYPES)
    }
    return {
        layer: {
            "gamma": _plain(norm.weight),
            "beta": _plain(norm.bias),
            "running_mean": _plain(getattr(norm, "running_mean", None)),
            "running_var": _plain(getattr(norm, "running_var", None)),
        }
        for layer, norm in norms.items()
    }


def count_parameters(network: nn.Module) -> ParameterCount:
    """Return how many numbers a network holds, and how many of them it learns."""
    state = network.state_dict()
    total = sum(
        value.numel() for name, value in state.items() if not name.endswith("num_batches_tracked")
    )
    return ParameterCount(total, sum(p.numel() for p in network.parameters() if p.requires_grad))


def _plain(values: Tensor | None) -> list[float] | None:
    if values is None:
        return None
    numbers: list[float] = values.detach().cpu().tolist()
    return numbers


# What a spec asks for


@dataclass(frozen=True)
class _Style:
    """A spec's choices, with the network's own filled in where it leaves them open."""

    width: int
    activation: str
    norm: str
    norm_layers: tuple[str, ...]
    norm_momentum: float | None
    order: tuple[str, ...]
    dropout: float
    dropout_layers: tuple[str, ...]
    bias_before_norm: bool
    affine: nn.BatchNorm2d | None = None  # of the input: the next convolution applies its γ and β

    def steps(self, stage: Block) -> list[str]:
        """Return what really follows a layer, in order."""
        absent = set()
        if self.norm == "none" or stage.name not in self.norm_layers:
            absent.add("norm")
        if not self.dropout or stage.name not in self.dropout_layers:
            absent.add("dropout")
        return [step for step in self.order if step in stage.steps and step not in absent]


def _style(spec: NetworkSpec, architecture: Architecture) -> _Style:
    activation = spec.activation or architecture.activation
    expect_one_of(ACTIVATIONS, "activation", activation)
    return _Style(
        width=spec.width,
        activation=activation,
        norm=spec.norm,
        norm_layers=layers_to_normalize(spec.network, spec.norm_layers),
        norm_momentum=spec.norm_momentum,
        order=architecture.order if spec.order is None else parse_order(spec.order),
        dropout=spec.dropout,
        dropout_layers=layers_to_drop(spec.network, spec.dropout_layers),
        bias_before_norm=spec.bias_before_norm,
    )


# Building: x is a small batch that goes along, so that each module is made to fit what comes in


def _assemble(architecture: Architecture, style: _Style, spec: NetworkSpec) -> nn.Sequential:
    info = DATASETS[spec.dataset]
    network = nn.Sequential()
    x = torch.zeros(2, info.channels, info.side, info.side)  # (B, C, H, W)
    if architecture.side is not None and architecture.side != info.side:
        resize = nn.Upsample(size=(architecture.side,) * 2, mode="bilinear")
        x = _append(network, "resize", resize, x)
    input_norm = InputNorm(spec.input_norm, info.mean, info.std)
    x = _append(network, "input", input_norm, x)
    if spec.input_dropout:
        dropout = Dropout(spec.input_dropout, copies=x.shape[1] // info.channels)
        x = _append(network, "input_dropout", dropout, x)
    affine = input_norm.norm if spec.input_norm == "batch" else None
    for block in architecture.blocks:
        x = _append(network, block.name, _make(block, x, replace(style, affine=affine)), x)
        affine = None  # the first layer has applied it
    output = Stage("output", Dense(len(info.classes)), steps=())
    _append(network, "output", _make(output, x, replace(style, width=1)), x)
    return network


def _append(sequence: nn.Sequential, name: str, module: nn.Module, x: Tensor) -> Tensor:
    sequence.add_module(name, module)
    y: Tensor = module.eval()(x)
    return y


def _make(block: Block, x: Tensor, style: _Style) -> nn.Module:
    if isinstance(block, Inception):
        one, three = Conv(block.one, 1), Conv(block.three, 3, padding=1)
        return Branches(
            conv1x1=_conv_of(block, one, x, style), conv3x3=_conv_of(block, three, x, style)
        )
    if isinstance(block, Downsample):
        conv = Conv(block.channels, 3, block.padding, stride=2)
        return Branches(
            conv=_conv_of(block, conv, x, style), pool=nn.MaxPool2d(3, 2, block.padding)
        )
    if isinstance(block, Pair):
        return _make_pair(block, x, style)
    return _make_stage(block, x, style)


def _make_pair(pair: Pair, x: Tensor, style: _Style) -> nn.Sequential:
    """Return both convolutions with their norms, the sum where there is one, and the activation."""
    sequence, inside = nn.Sequential(), nn.Sequential()
    first = Conv(pair.channels, 3, padding=1, stride=pair.stride)
    y = _append(inside, "first", _conv_of(pair, first, x, style), x)
    second = replace(pair, steps=tuple(step for step in pair.steps if step != "activation"))
    _append(inside, "second", _conv_of(second, Conv(pair.channels, 3, padding=1), y, style), y)
    if pair.shortcut:
        sequence.add_module("sum", Shortcut(inside, pair.stride))
    else:
        sequence.add_module("convs", inside)
    sequence.add_module("activation", ACTIVATIONS[style.activation]())
    return sequence.eval()


def _conv_of(
    block: Inception | Downsample | Pair, conv: Conv, x: Tensor, style: _Style
) -> nn.Sequential:
    return _make_stage(Stage(block.name, conv, steps=block.steps), x, style)


def _make_stage(stage: Stage, x: Tensor, style: _Style) -> nn.Sequential:
    """Return a layer, then its steps in order.

    Pooling and flattening come right after the activation, or first where there is none.
    """
    sequence, steps = FusedStage(), style.steps(stage)
    norm_follows = (
        steps[:1] == ["norm"]
        and make_norm(style.norm, 2, spatial=isinstance(stage.layer, Conv)) is not None
    )
    bias = style.bias_before_norm or not norm_follows
    if stage.layer is not None:
        x = _append_layer(sequence, stage.layer, x, style, bias)
    if "activation" not in steps:
        x = _append_pool(sequence, stage, x)
    for step in steps:
        if step == "activation":
            x = _append(sequence, step, ACTIVATIONS[style.activation](), x)
            x = _append_pool(sequence, stage, x)
        elif step == "dropout":
            x = _append(sequence, step, Dropout(style.dropout), x)
        elif (
            norm := make_norm(style.norm, x.shape[1], x.dim() == 4, style.norm_momentum)
        ) is not None:
            x = _append(sequence, step, norm, x)
    return sequence


def _append_layer(
    sequence: nn.Sequential, layer: Conv | Dense, x: Tensor, style: _Style, bias: bool
) -> Tensor:
    if isinstance(layer, Conv):
        return _append(sequence, "conv", _make_conv(layer, x.shape[1], style, bias), x)
    if x.dim() == 4:
        x = _append(sequence, "flatten", nn.Flatten(), x)  # (B, C, H, W) -> (B, C·H·W)
    return _append(
        sequence, "linear", nn.Linear(x.shape[1], layer.features * style.width, bias=bias), x
    )


def _make_conv(layer: Conv, channels: int, style: _Style, bias: bool) -> nn.Conv2d:
    sizes = (layer.channels * style.width, layer.kernel, layer.stride, layer.padding)
    if style.affine is not None:
        return AffineConv2d(style.affine, *sizes, bias=bias)
    return nn.Conv2d(channels, *sizes, bias=bias)


def _append_pool(sequence: nn.Sequential, stage: Stage, x: Tensor) -> Tensor:
    if stage.pool is not None:
        x = _append(sequence, "pool", _make_pool(stage.pool), x)
    if stage.flatten:
        x = _append(sequence, "flatten", nn.Flatten(), x)  # (B, C, H, W) -> (B, C·H·W)
    return x


def _make_pool(pool: Pool) -> nn.Module:
    if pool.kind == "global average":
        return nn.AdaptiveAvgPool2d(1)
    if pool.kind == "average":
        return AveragePool2x2(pool.stride)
    return nn.MaxPool2d(pool.kernel, pool.stride)
