"""Stages that run in compiled loops where they are LeNet's, and module by module elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_modules

from models.networks.batch_last import (
    batch_moments,
    can_take,
    convolve,
    plain_norm,
    tanh_of_norm,
)
from models.networks.channels_last import norm_relu
from models.networks.kernels import AveragePool2x2, Tanh
from models.networks.layers import AffineConv2d

SMALLEST = 16  # examples of a batch: the loops take up to so many at once
THREADS = 2  # of torch; its own operators share their work among more of them

ORDER = ("flatten", "conv", "linear", "norm", "activation", "pool", "dropout")

Parts = Mapping[str, Any]  # modules by name


class FusedStage(nn.Sequential):
    """A layer and what follows it: modules in turn, whose work compiled loops do where they can.

    They can where batch norm or none, tanh, 2 × 2 average pooling or none, and dropout or none
    follow a 5 × 5 convolution or a dense layer; on a processor in float32; and where no module has
    a hook, which would see what goes in and out. The results are the modules' to some 1e-6.
    """

    _seen: tuple[tuple[str, nn.Module | None], ...] = ()
    _is_lenets = False  # whether the modules last seen are such ones

    def forward(self, x: Tensor) -> Tensor:
        """Return what the modules return in turn, of x (B, C, H, W) or (B, C)."""
        if torch.compiler.is_compiling() or not (self._can_fuse(x) and _suits(x)):
            return self._in_turn(x)
        parts: Parts = self._modules
        x = _convolve(parts["conv"], x) if "conv" in parts else _multiply(parts["linear"], x)
        x = _activate(x, parts.get("norm"), "pool" in parts)
        return parts["dropout"](x) if "dropout" in parts else x

    def _in_turn(self, x: Tensor) -> Tensor:
        """Return what the modules return, of a batch norm and a ReLU in one where it can be."""
        modules = list(self)
        while modules:
            module, following = modules.pop(0), modules[0] if modules else None
            if following is not None and can_rectify(x, module, following):
                x, _ = norm_relu(x, module), modules.pop(0)
            else:
                x = module(x)
        return x

    def _can_fuse(self, x: Tensor) -> bool:
        modules = tuple(self._modules.items())
        if modules != self._seen:
            self._seen, self._is_lenets = modules, _are_lenets(dict(modules))
        return (
            self._is_lenets
            and ("conv" not in self._modules or _fits(self._modules["conv"], x))
            and _have_gradients(self._modules, x)
            and not torch_modules._has_any_global_hook()
            and not any(map(_has_hook, self._modules.values()))
        )


def can_rectify(x: Tensor, norm: Any, activation: nn.Module) -> bool:
    """Return whether `norm_relu` does the work of two modules on x."""
    return (
        type(activation) is nn.ReLU
        and x.dtype == torch.bfloat16
        and x.is_contiguous(memory_format=torch.channels_last)
        and x.shape[0] >= SMALLEST
        and _is_batch_norm(norm, x.shape[1])
        and (norm.training or not torch.is_grad_enabled())
        and not (_has_hook(norm) or _has_hook(activation))
        and not torch_modules._has_any_global_hook()
        and can_take(x, torch.bfloat16)
    )


def _suits(x: Tensor) -> bool:
    """Return whether the loops can take a batch, and are worth it."""
    return (
        x.shape[0] >= SMALLEST
        and torch.get_num_threads() <= THREADS
        and not torch.is_autocast_enabled("cpu")
        and can_take(x)
    )


def _are_lenets(parts: Parts) -> bool:
    places = [ORDER.index(name) for name in parts if name in ORDER]
    return (
        len(places) == len(parts)
        and places == sorted(places)
        and (_is_linear(parts["linear"]) if "linear" in parts else _is_5x5(parts.get("conv")))
        and ("norm" not in parts or _is_batch_norm(parts["norm"], _channels(parts)))
        and type(parts.get("activation")) is Tanh
        and ("pool" not in parts or _halves(parts["pool"]))
    )


def _is_linear(layer: nn.Module) -> bool:
    return type(layer) is nn.Linear


def _is_5x5(layer: nn.Module | None) -> bool:
    return (
        isinstance(layer, nn.Conv2d)
        and type(layer) in (nn.Conv2d, AffineConv2d)
        and layer.padding_mode == "zeros"
        and layer.kernel_size == (5, 5)
        and layer.padding in ((0, 0), (2, 2))
        and layer.stride == layer.dilation == (1, 1)
        and layer.groups == 1
        and layer.out_channels % 2 == 0
    )


def _channels(parts: Parts) -> int:
    """Return how many channels the layer gives."""
    return int(parts["linear"].out_features if "linear" in parts else parts["conv"].out_channels)


def _is_batch_norm(norm: Any, channels: int) -> bool:
    """Return whether it is torch's, of so many channels, and learns γ and β and keeps averages."""
    return (
        type(norm) in (nn.BatchNorm1d, nn.BatchNorm2d)
        and norm.num_features == channels
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
    )


def _halves(pool: nn.Module) -> bool:
    return isinstance(pool, AveragePool2x2) and pool.stride == 2


def _fits(layer: Any, x: Tensor) -> bool:
    """Return whether a convolution can take x: the loops would read beyond the end of another."""
    channels = layer.in_channels * (2 if isinstance(layer, AffineConv2d) else 1)  # with the ones
    least = layer.kernel_size[0] - 2 * int(layer.padding[0])
    return x.dim() == 4 and x.shape[1] == channels and min(x.shape[2:]) >= least


def _have_gradients(parts: Parts, x: Tensor) -> bool:
    """Return whether the loops know the gradients that may be asked for."""
    if not torch.is_grad_enabled():
        return True
    is_odd = "conv" in parts and x.requires_grad and x.shape[1] % 2
    learns = "norm" not in parts or (parts["norm"].training and parts["norm"].weight.requires_grad)
    return learns and not is_odd


def _has_hook(module: Any) -> bool:
    return bool(
        module._forward_pre_hooks
        or module._forward_hooks
        or module._backward_pre_hooks
        or module._backward_hooks
    )


def _convolve(layer: nn.Conv2d, x: Tensor) -> Tensor:
    kernel = layer.kernel() if isinstance(layer, AffineConv2d) else layer.weight
    return convolve(x, kernel, layer.bias, int(layer.padding[0]))


def _multiply(layer: nn.Linear, x: Tensor) -> Tensor:
    """Return (B, K), which lies with the batch last, of x (B, …)."""
    columns = x.flatten(1).t()  # (C, B)
    if layer.bias is None:
        return (layer.weight @ columns).t()
    return torch.addmm(layer.bias[:, None], layer.weight, columns).t()


def _activate(x: Tensor, norm: Any, pooled: bool) -> Tensor:
    if norm is None:
        return tanh_of_norm(x, *plain_norm(x.shape[1]), pooled)
    moments = batch_moments(x, norm) if norm.training else _moving_moments(norm)
    return tanh_of_norm(x, norm.weight, norm.bias, moments, pooled)


def _moving_moments(norm: Any) -> tuple[Tensor, Tensor]:
    """Return μ and 1/σ (C,) of a batch norm's averages."""
    return norm.running_mean, (norm.running_var + norm.eps).rsqrt()
