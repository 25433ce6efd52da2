"""Counts that other tools take at a module's call: from its type, its inputs and its output.

They follow the tools line by line, what they overlook included; `analysis.reading.conventions` says
what each amounts to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, TypeAlias

from torch import nn

from analysis.reading.sizes import Shape
from analysis.reading.steps import ModuleCall
from analysis.reading.terms import Term, add, multiply, term

Hook: TypeAlias = Callable[[ModuleCall], Term]


def torchinfo_count(call: ModuleCall) -> Term:
    """Count as torchinfo 1.8.0, `LayerInfo.calculate_macs`."""
    out = call.outputs[0] if call.outputs else ()
    return add(
        _torchinfo_parameter(call, name, parameter.numel(), out)
        for name, parameter in call.module.named_parameters()
    )


def _torchinfo_parameter(call: ModuleCall, name: str, count: int, out: Shape) -> Term:
    if name in ("weight", "bias"):
        positions = out[:1] + out[2:] if "Conv" in type(call.module).__name__ else out[:1]
        return multiply([count, *positions])
    if "weight" in name or "bias" in name:
        return multiply([count, *out[:2]])
    return term(0)


def _zero(call: ModuleCall) -> Term:
    return term(0)


def _thop_convolution(call: ModuleCall) -> Term:
    module: Any = call.module
    width = call.inputs[0][1] // module.groups
    return multiply([*call.outputs[0], width, *module.weight.shape[2:]])


def _thop_norm(call: ModuleCall) -> Term:
    affine = getattr(call.module, "affine", False) or getattr(
        call.module, "elementwise_affine", False
    )
    return multiply([4 if affine else 2, *call.inputs[0]])


def _thop_prelu(call: ModuleCall) -> Term:
    return multiply(call.inputs[0])


def _thop_softmax(call: ModuleCall) -> Term:
    dim: Any = call.module.dim
    shape = call.inputs[0]
    rest = multiply(size for i, size in enumerate(shape) if i != dim % len(shape))
    return Term.of("*", rest, term(3 * shape[dim] - 1))


def _thop_average(call: ModuleCall) -> Term:
    return multiply(call.outputs[0])


def _thop_adaptive(call: ModuleCall) -> Term:
    """Return (in / out + 1) · output numbers, cut to a whole number."""
    before, after = call.inputs[0], call.outputs[0]
    added = multiply([*after[:2], *before[2:]])
    return add([added, multiply(after)])


def _thop_upsample(call: ModuleCall) -> Term:
    each = {"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 259}
    mode: Any = call.module.mode
    return multiply([each.get(mode, 0), *call.outputs[0]])


def _thop_linear(call: ModuleCall) -> Term:
    features: Any = call.module.in_features
    return multiply([features, *call.outputs[0]])


def _thop_cell(gates: int, extra: int, module: Any, inputs: int, hidden: int) -> int:
    bias = 2 * hidden if module.bias else 0
    return int(gates * ((inputs + hidden) * hidden + hidden + bias) + extra * hidden)


def _thop_recurrent(gates: int, extra: int, call: ModuleCall) -> Term:
    module: Any = call.module
    ways = 2 if module.bidirectional else 1
    widths = [module.input_size, *[module.hidden_size * ways] * (module.num_layers - 1)]
    each = sum(_thop_cell(gates, extra, module, w, module.hidden_size) * ways for w in widths)
    return multiply([each, *call.inputs[0][:2]])


def _thop_single(gates: int, extra: int, call: ModuleCall) -> Term:
    module: Any = call.module
    each = _thop_cell(gates, extra, module, module.input_size, module.hidden_size)
    return multiply([each, call.inputs[0][0]])


_THOP: dict[Hook, list[Any]] = {
    _thop_convolution: [nn.Conv1d, nn.Conv2d, nn.Conv3d,
                        nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d],
    _thop_norm: [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.SyncBatchNorm,
                 nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d],
    _thop_prelu: [nn.PReLU],
    _thop_softmax: [nn.Softmax],
    _thop_average: [nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d],
    _thop_adaptive: [nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d],
    _thop_linear: [nn.Linear],
    _thop_upsample: [nn.Upsample, nn.UpsamplingBilinear2d, nn.UpsamplingNearest2d],
    partial(_thop_recurrent, 1, 0): [nn.RNN],
    partial(_thop_recurrent, 3, 4): [nn.GRU],
    partial(_thop_recurrent, 4, 4): [nn.LSTM],
    partial(_thop_single, 1, 0): [nn.RNNCell],
    partial(_thop_single, 3, 4): [nn.GRUCell],
    partial(_thop_single, 4, 4): [nn.LSTMCell],
    _zero: [nn.ZeroPad2d, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.MaxPool1d, nn.MaxPool2d,
            nn.MaxPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
            nn.Dropout, nn.Sequential, nn.PixelShuffle],
}  # fmt: skip
THOP: dict[type, Hook] = {kind: hook for hook, kinds in _THOP.items() for kind in kinds}
"""thop 0.1.1: types, matched exactly, and what its hook on each counts."""


def _pt_numbers_out(call: ModuleCall) -> Term:
    return multiply(call.outputs[0])


def _pt_numbers_in(call: ModuleCall) -> Term:
    return multiply(call.inputs[0])


def _pt_norm(call: ModuleCall) -> Term:
    return multiply([2 if getattr(call.module, "affine", False) else 1, *call.inputs[0]])


def _pt_linear(call: ModuleCall) -> Term:
    shape, units = call.inputs[0], call.outputs[0][-1]
    each = shape[-1] * units + (units if call.module.bias is not None else 0)
    return multiply([each, *shape[:-1]])


def _pt_upsample(call: ModuleCall) -> Term:
    """Count the first image alone: the hook takes `output[0]`."""
    return multiply(call.outputs[0][1:])


def _pt_convolution(transposed: bool, call: ModuleCall) -> Term:
    module: Any = call.module
    each = prod(module.kernel_size) * module.in_channels * (module.out_channels // module.groups)
    before, after = call.inputs[0], call.outputs[0]
    positions = (before if transposed else after)[2:]
    bias = multiply(after) if module.bias is not None else term(0)
    return add([multiply([each, after[0], *positions]), bias])


def _pt_recurrent(call: ModuleCall) -> Term:
    module: Any = call.module
    ways = 2 if module.bidirectional else 1
    each = sum(_pt_layer(module, f"_l{layer}") for layer in range(module.num_layers))
    return multiply([each * ways, *call.inputs[0][:2]])


def _pt_single(call: ModuleCall) -> Term:
    return multiply([_pt_layer(call.module, ""), call.inputs[0][0]])


def _pt_layer(module: Any, suffix: str) -> int:
    weights = [getattr(module, f"weight_{kind}{suffix}").numel() for kind in ("ih", "hh")]
    biases = (
        [getattr(module, f"bias_{kind}{suffix}") for kind in ("ih", "hh")] if module.bias else []
    )
    extra = {"RNN": 1, "GRU": 7, "LSTM": 10}[type(module).__name__.removesuffix("Cell")]
    held = [*weights, *(bias.numel() for bias in biases)]
    return int(sum(held) + extra * module.hidden_size)


def _pt_attention(call: ModuleCall) -> Term:
    module: Any = call.module
    place = 1 if module.batch_first else 0
    query, key, value = call.inputs[:3]
    lengths = [shape[place] for shape in (query, key, value)]
    widths = [shape[2] for shape in (query, key, value)]
    terms = [multiply([lengths[0], widths[0]])]
    terms += [multiply([n, d, d]) for n, d in zip(lengths, widths, strict=True)]
    if module.in_proj_bias is not None:
        terms += [multiply([n, widths[0]]) for n in lengths]
    heads, across = module.num_heads, [lengths[0], lengths[1]]
    terms += [
        multiply([heads, *across, widths[0] // heads]),
        multiply([heads, *across]),
        multiply([heads, *across, widths[2] // heads]),
        multiply([lengths[0], widths[2], widths[2] + 1]),
    ]
    return Term.of("*", add(terms), term(query[1 - place]))


_PT: dict[Hook, list[Any]] = {
    partial(_pt_convolution, False): [nn.Conv1d, nn.Conv2d, nn.Conv3d],
    partial(_pt_convolution, True): [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d],
    _pt_numbers_out: [nn.ReLU, nn.PReLU, nn.ELU, nn.LeakyReLU, nn.ReLU6, nn.GELU],
    _pt_numbers_in: [nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
                     nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d,
                     nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
                     nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d],
    _pt_norm: [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm,
               nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d],
    _pt_linear: [nn.Linear],
    _pt_upsample: [nn.Upsample],
    _pt_recurrent: [nn.RNN, nn.GRU, nn.LSTM],
    _pt_single: [nn.RNNCell, nn.GRUCell, nn.LSTMCell],
    _pt_attention: [nn.MultiheadAttention],
}  # fmt: skip
PTFLOPS: dict[type, Hook] = {kind: hook for hook, kinds in _PT.items() for kind in kinds}
"""ptflops 0.7.5, its pytorch backend: types, matched exactly, and what its hook on each counts."""
