"""The parts that networks are made of: normalizations, input, branches, initial weights."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.fields import expect_one_of
from models.networks.kernels import Tanh
from models.networks.normalizations import (
    FormulaBatchNorm,
    FrozenBatchNorm,
    Normalization,
    ProbabilityIntegralTransform,
    Whitening,
)

GROUPS = 2  # of group norm: it must divide 6, 16, 120 and 84

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}

NORM_TYPES = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d, Normalization)
MOVING_TYPES = (nn.BatchNorm1d, nn.BatchNorm2d, Normalization)  # those with moving statistics

NOISE_MEAN, NOISE_SCALE, NOISE_WIDTH = 0.5, 1.25, 0.1  # of noisy batch norm: see `add_noise`


def make_norm(
    kind: str, channels: int, spatial: bool, momentum: float | None = None
) -> nn.Module | None:
    """Return a normalization with γ and β for each channel; None where it is none or undefined.

    `spatial` says whether (B, C, H, W) comes in, or (B, C). `momentum` is the share of the new
    batch in a step of the moving statistics, of those norms that have one (torch's 0.1 by default).

    - *batch*: over the batch and all pixels (Ioffe and Szegedy 2015)
    - *noisy-batch*: batch norm, then noise whose distribution jumps at every step (Santurkar et al.
      2018, section 2.2)
    - *layer*: over all channels and pixels of one example (Ba et al. 2016), γ and β one a channel
      (as in Wu and He 2018, fig. 2), not one a pixel: `GroupNorm` of one group
    - *group*: the same over each half of the channels (Wu and He 2018)
    - *instance*: over the pixels of one channel of one example (Ulyanov et al. 2016): undefined
      without pixels
    - *batch-unlearned*: batch norm whose γ and β stay 1 and 0
    - *batch-no-tracking*: batch norm by the batch's own statistics in eval mode too
    - *formula-batch*, *batch-frozen-statistics*, *pit*, *whitening*: see
      `models.networks.normalizations`

    Raises:
        ValueError: The kind is unknown, the number of channels odd for group norm or too large for
            whitening.

    >>> make_norm("group", 6, spatial=True).weight.shape
    torch.Size([6])
    """
    expect_one_of(NORMS, "norm", kind)
    norm = NORMS[kind](channels, spatial)
    if isinstance(norm, MOVING_TYPES) and momentum is not None:
        norm.momentum = momentum
    return norm


def _no_norm(channels: int, spatial: bool) -> None:
    return None


def _batch_norm(channels: int, spatial: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if spatial else nn.BatchNorm1d(channels)


def _unlearned(channels: int, spatial: bool) -> nn.Module:
    kind = nn.BatchNorm2d if spatial else nn.BatchNorm1d
    return kind(channels, affine=False)


def _untracked(channels: int, spatial: bool) -> nn.Module:
    kind = nn.BatchNorm2d if spatial else nn.BatchNorm1d
    return kind(channels, track_running_stats=False)


def _noisy_batch_norm(channels: int, spatial: bool) -> nn.Module:
    return NoisyBatchNorm2d(channels) if spatial else NoisyBatchNorm1d(channels)


def _layer_norm(channels: int, spatial: bool) -> nn.Module:
    return nn.GroupNorm(1, channels)


def _group_norm(channels: int, spatial: bool) -> nn.Module:
    if channels % GROUPS:
        raise ValueError(
            f"norm: expected channels that group norm can part into {GROUPS}, got {channels}"
        )
    return nn.GroupNorm(GROUPS, channels)


def _instance_norm(channels: int, spatial: bool) -> nn.Module | None:
    return nn.InstanceNorm2d(channels, affine=True) if spatial else None


NORMS: dict[str, Callable[[int, bool], nn.Module | None]] = {
    "none": _no_norm,
    "batch": _batch_norm,
    "noisy-batch": _noisy_batch_norm,
    "layer": _layer_norm,
    "group": _group_norm,
    "instance": _instance_norm,
    "batch-unlearned": _unlearned,
    "batch-no-tracking": _untracked,
    "batch-frozen-statistics": lambda channels, spatial: FrozenBatchNorm(channels),
    "formula-batch": lambda channels, spatial: FormulaBatchNorm(channels),
    "pit": lambda channels, spatial: ProbabilityIntegralTransform(channels),
    "whitening": lambda channels, spatial: Whitening(channels),
}


def add_noise(x: Tensor) -> Tensor:
    """Return x (B, C, …) in other units: each number times one random number, plus another.

    At each call every channel draws a mean m from U(−0.5, 0.5) and a scale s from U(1, 1.25); then
    every number of every example its own shift from U(m − 0.1, m + 0.1) and its own factor from
    N(s, 0.1²). So the noise is independent from number to number, of non-zero mean and non-unit
    variance, and its distribution changes at every step, which is how Santurkar et al. 2018
    (section 2.2) make covariate shift worse.
    """
    channels = (1, x.shape[1], *(1,) * (x.dim() - 2))
    mean = (torch.rand(channels, device=x.device) * 2 - 1) * NOISE_MEAN
    scale = 1 + torch.rand(channels, device=x.device) * (NOISE_SCALE - 1)
    shift = (torch.rand_like(x) * 2 - 1) * NOISE_WIDTH + mean
    return x * (torch.randn_like(x) * NOISE_WIDTH + scale) + shift


class NoisyBatchNorm1d(nn.BatchNorm1d):
    """Batch norm of (B, C), then `add_noise` in training.

    In eval mode it is times the factor's mean instead, as dropout keeps its mean.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C) normalised and noisy."""
        x = super().forward(x)
        return add_noise(x) if self.training else x * ((1 + NOISE_SCALE) / 2)


class NoisyBatchNorm2d(nn.BatchNorm2d):
    """The same of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, H, W) normalised and noisy."""
        x = super().forward(x)
        return add_noise(x) if self.training else x * ((1 + NOISE_SCALE) / 2)


class InputNorm(nn.Module):
    """What happens to pixels, already on the scale 0..1, before the first layer.

    - *none*: nothing
    - *standard*: minus `mean`, over `std`, fixed numbers, one a channel. They come from the spec,
      so they are no part of the saved state.
    - *batch*: a batch norm, in `norm`, whose γ and β are applied by the first convolution
      (`AffineConv2d`). It gives (B, 2C, H, W): the normalised channels and as many of ones, the
      homogeneous coordinates that γ and β act on.

    Raises:
        ValueError: The kind is unknown.
    """

    KINDS = ("none", "standard", "batch")
    mean: Tensor
    std: Tensor

    def __init__(self, kind: str, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        expect_one_of(self.KINDS, "input_norm", kind)
        self.kind = kind
        if kind == "standard":
            self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1), persistent=False)
            self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1), persistent=False)
        elif kind == "batch":
            self.norm = nn.BatchNorm2d(len(mean))

    def forward(self, x: Tensor) -> Tensor:
        """Return images (B, C, H, W) in the same shape; those of *batch* as (B, 2C, H, W)."""
        if self.kind == "standard":
            return (x - self.mean) / self.std
        if self.kind == "batch":
            x = F.batch_norm(
                x, self.norm.running_mean, self.norm.running_var, training=self.training
            )
            return torch.cat((x, torch.ones_like(x)), dim=1)  # (B, 2C, H, W)
        return x

    def extra_repr(self) -> str:
        """Return what torch prints between the parentheses."""
        return self.kind


class AffineConv2d(nn.Conv2d):
    """A convolution of γ·x + β, channel by channel, where x comes with as many channels of ones.

    γ and β are those of a batch norm on the input. Applied to the kernel instead of the image, they
    get their gradients from the kernel's: the image's own, most of the work of LeNet's backward
    pass, is never needed.
    """

    def __init__(
        self,
        norm: nn.BatchNorm2d,
        channels: int,
        kernel: int,
        stride: int,
        padding: int,
        *,
        bias: bool,
    ) -> None:
        super().__init__(norm.num_features, channels, kernel, stride, padding, bias=bias)
        self.affine = (norm,)  # in a tuple, so that γ and β are not registered here as well

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, K, H', W') of the channels and the ones, x (B, 2C, H, W)."""
        return F.conv2d(x, self.kernel(), self.bias, self.stride, self.padding)

    def kernel(self) -> Tensor:
        """Return the kernel for channels and ones, (K, 2C, h, w)."""
        scale, shift = (
            values.view(1, -1, 1, 1) for values in (self.affine[0].weight, self.affine[0].bias)
        )
        return torch.cat((self.weight * scale, self.weight * shift), dim=1)


class Branches(nn.Module):
    """Modules side by side on the same input; their channels are concatenated."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, ΣC, H', W') of x (B, C, H, W)."""
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class Shortcut(nn.Module):
    """What a module returns plus what came in, in the module's shape.

    Where that is smaller, every `stride`-th pixel is taken; new channels are zeros, half of them on
    either side (He et al. 2016, section 3.3, option A).
    """

    def __init__(self, inside: nn.Module, stride: int) -> None:
        super().__init__()
        self.inside, self.stride = inside, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, K, H', W') of x (B, C, H, W)."""
        y: Tensor = self.inside(x)
        same = x[:, :, :: self.stride, :: self.stride]
        new = y.shape[1] - x.shape[1]
        return y + F.pad(same, (0, 0, 0, 0, new // 2, new - new // 2))


def initialise(module: nn.Module, activation: str | None, scale: float = 1.0) -> None:
    """Draw fresh weights, times `scale`, for every convolution and dense layer inside.

    They follow He et al. 2015 (eq. 10, normal) where ReLU follows, Glorot and Bengio 2010 (eq. 16,
    uniform) elsewhere, which is also what Keras does. Biases are zero; norms start at γ = 1, β = 0.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            if activation == "relu":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)
            with torch.no_grad():
                layer.weight *= scale
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
