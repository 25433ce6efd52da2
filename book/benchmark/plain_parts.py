"""Networks of ours with torch's own layers in them: what they would be without a measure."""

from collections.abc import Callable
from typing import Any

from torch import nn

from models.networks import kernels
from models.networks.layers import AffineConv2d, InputNorm


def _plain_conv(layer: AffineConv2d) -> nn.Module:
    kernel, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
    return nn.Conv2d(
        layer.in_channels, layer.out_channels, kernel, stride, padding, bias=layer.bias is not None
    )


PLAIN: dict[str, dict[type[nn.Module], Callable[[Any], nn.Module]]] = {
    "tanh": {kernels.Tanh: lambda layer: nn.Tanh()},
    "pooling": {kernels.AveragePool2x2: lambda layer: nn.AvgPool2d(2, layer.stride)},
    "dropout": {kernels.Dropout: lambda layer: nn.Dropout(layer.rate)},
    "input": {
        InputNorm: lambda layer: layer.norm,
        # behind it, no channels of ones any more
        kernels.Dropout: lambda layer: kernels.Dropout(layer.rate),
        AffineConv2d: _plain_conv,
    },
}
"""Parts of ours, and torch's own in their place."""


def with_plain(network: nn.Sequential, *parts: str) -> nn.Sequential:
    """Put torch's own layers for some of the network's `PLAIN` parts, in place.

    >>> from models.networks.build import build
    >>> from models.specs import RunSpec
    >>> "Dropout(p=0.5" in str(with_plain(build(RunSpec(dropout=0.5)), "dropout"))
    True
    """
    for kinds in (PLAIN[part] for part in parts):
        for name, layer in list(network.named_modules()):
            if type(layer) in kinds:
                network.set_submodule(name, kinds[type(layer)](layer))
    return network


def watched(network: nn.Sequential) -> nn.Sequential:
    """Watch every layer, so that none is merged with its neighbours into a compiled loop."""
    for layer in network.modules():
        layer.register_forward_hook(lambda layer, x, y: None)
    return network
