"""The parts that networks are made of: normalizations, input, branches, initial weights."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.kernels import Tanh

GROUPS = 2  # of group norm: it must divide 6, 16, 120 and 84

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}

NORM_TYPES = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)


def make_norm(kind: str, channels: int, spatial: bool) -> nn.Module | None:
    """A normalization with γ and β for each channel, or None where it is none or undefined.

    ``spatial`` says whether (B, C, H, W) comes in, or (B, C).

    - *batch*: over the batch and all pixels (Ioffe and Szegedy 2015)
    - *layer*: over all channels and pixels of one example (Ba et al. 2016), γ and β one a channel (as in Wu and He
      2018, fig. 2), not one a pixel: ``GroupNorm`` of one group
    - *group*: the same over each half of the channels (Wu and He 2018)
    - *instance*: over the pixels of one channel of one example (Ulyanov et al. 2016): undefined without pixels

    Raises:
        ValueError: an unknown kind, or an odd number of channels for group norm.

    >>> make_norm("group", 6, spatial=True).weight.shape
    torch.Size([6])
    """
    if kind not in NORMS:
        raise ValueError(f"norm: expected one of {', '.join(NORMS)}, got {kind!r}")
    return NORMS[kind](channels, spatial)


def _no_norm(channels: int, spatial: bool) -> None:
    return None


def _batch_norm(channels: int, spatial: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if spatial else nn.BatchNorm1d(channels)


def _layer_norm(channels: int, spatial: bool) -> nn.Module:
    return nn.GroupNorm(1, channels)


def _group_norm(channels: int, spatial: bool) -> nn.Module:
    if channels % GROUPS:
        raise ValueError(f"norm: expected channels that group norm can part into {GROUPS}, got {channels}")
    return nn.GroupNorm(GROUPS, channels)


def _instance_norm(channels: int, spatial: bool) -> nn.Module | None:
    return nn.InstanceNorm2d(channels, affine=True) if spatial else None


NORMS: dict[str, Callable[[int, bool], nn.Module | None]] = {
    "none": _no_norm,
    "batch": _batch_norm,
    "layer": _layer_norm,
    "group": _group_norm,
    "instance": _instance_norm,
}


class InputNorm(nn.Module):
    """What happens to pixels, already on the scale 0..1, before the first layer: (B, C, H, W) → the same shape.

    - *none*: nothing
    - *standard*: minus ``mean``, over ``std``, fixed numbers, one a channel. They come from the spec, so they are no
      part of the saved state.
    - *batch*: a batch norm, in ``norm``, whose γ and β are applied by the first convolution (`AffineConv2d`). It gives
      (B, 2C, H, W): the normalised channels and as many of ones, the homogeneous coordinates that γ and β act on.

    Raises:
        ValueError: an unknown kind.
    """

    KINDS = ("none", "standard", "batch")
    mean: Tensor
    std: Tensor

    def __init__(self, kind: str, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if kind not in self.KINDS:
            raise ValueError(f"input_norm: expected one of {', '.join(self.KINDS)}, got {kind!r}")
        self.kind = kind
        if kind == "standard":
            self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1), persistent=False)
            self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1), persistent=False)
        elif kind == "batch":
            self.norm = nn.BatchNorm2d(len(mean))

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "standard":
            return (x - self.mean) / self.std
        if self.kind == "batch":
            x = F.batch_norm(x, self.norm.running_mean, self.norm.running_var, training=self.training)
            return torch.cat((x, torch.ones_like(x)), dim=1)  # (B, 2C, H, W)
        return x

    def extra_repr(self) -> str:
        return self.kind


class AffineConv2d(nn.Conv2d):
    """A convolution of γ·x + β, channel by channel: (B, 2C, H, W), x and ones, → (B, K, H', W').

    γ and β are those of a batch norm on the input. Applied to the kernel instead of the image, they get their
    gradients from the kernel's: the image's own, most of the work of LeNet's backward pass, is never needed.
    """

    def __init__(
        self, norm: nn.BatchNorm2d, channels: int, kernel: int, stride: int, padding: int, *, bias: bool
    ) -> None:
        super().__init__(norm.num_features, channels, kernel, stride, padding, bias=bias)
        self.affine = (norm,)  # in a tuple, so that γ and β are not registered here as well

    def forward(self, x: Tensor) -> Tensor:
        scale, shift = (values.view(1, -1, 1, 1) for values in (self.affine[0].weight, self.affine[0].bias))
        kernel = torch.cat((self.weight * scale, self.weight * shift), dim=1)  # (K, 2C, h, w)
        return F.conv2d(x, kernel, self.bias, self.stride, self.padding)


class Branches(nn.Module):
    """Modules side by side on the same input (B, C, H, W); their channels are concatenated, (B, ΣC, H', W')."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], dim=1)


def initialise(module: nn.Module, activation: str | None) -> None:
    """Fresh weights for every convolution and dense layer inside, zero biases; norms start at γ = 1, β = 0.

    He et al. 2015 (eq. 10, normal) where ReLU follows; Glorot and Bengio 2010 (eq. 16, uniform) for the others, which
    is also what Keras does.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            if activation == "relu":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
