"""Normalizations that torch lacks: batch norm by formula, frozen statistics, PIT, whitening.

Each is γ · f(x) + β, channel by channel, for (B, C) or (B, C, H, W); f looks at the N values that
every channel takes over a batch and all its pixels, kept as rows (C, N). In training f uses the
batch and moves its averages by `momentum` (torch's convention: the share of the new batch); in eval
mode it uses the averages.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

EPS = 1e-5  # torch's own of batch norm
MOMENTUM = 0.1  # likewise
WARM_UP = 100  # steps after which `FrozenBatchNorm` keeps its statistics for good
BINS = 64  # of PIT's histogram
REACH = 4.0  # standard deviations on either side of the mean that PIT's histogram covers
MOST_CHANNELS = 512  # that whitening takes: its work grows with their cube


class Normalization(nn.Module):
    """What the modules below share.

    That is γ and β, moving statistics, and the way from (B, C, …) to rows and back. It computes in
    fp32 (fp64 where fp64 comes in), under autocast too.
    """

    running_mean: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels, self.momentum = channels, MOMENTUM
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, …) normalised, in its own shape."""
        with torch.autocast(x.device.type, enabled=False):
            columns = (x if x.dtype == torch.float64 else x.float()).transpose(0, 1)  # (C, B, …)
            rows = self.normalise(columns.flatten(1))  # (C, N)
            return rows.view(columns.shape).transpose(0, 1)

    def normalise(self, rows: Tensor) -> Tensor:
        """Return γ · f + β of rows (C, N)."""
        raise NotImplementedError

    def affine(self, rows: Tensor) -> Tensor:
        """Return γ · rows + β of rows (C, N)."""
        return rows * self.weight[:, None] + self.bias[:, None]

    def extra_repr(self) -> str:
        """Return what torch prints between the parentheses."""
        return f"{self.channels}, momentum={self.momentum}"


class _WithVariance(Normalization):
    """Those that keep a variance for each channel."""

    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("running_var", torch.ones(channels))

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance (C, 1): in training the batch's, else the averages.

        The batch's also move the averages.
        """
        if not self.training:
            return self.running_mean[:, None], self.running_var[:, None]
        mean = rows.mean(1, keepdim=True)
        variance = (rows - mean).square().mean(1, keepdim=True)
        self.move(mean, variance, rows.shape[1])
        return mean, variance

    @torch.no_grad()
    def move(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the averages by one step; that of the variance is unbiased, as torch's."""
        self.running_mean.lerp_(mean.flatten(), self.momentum)
        self.running_var.lerp_(variance.flatten() * (count / (count - 1)), self.momentum)


class _BatchNorm(torch.autograd.Function):
    """γ x̂ + β with x̂ = (x − μ)/√(σ² + ε), and its derivatives.

    With g the loss's derivative by the output and ⟨·⟩ a mean over the N values of a channel:
    dγ = Σ g x̂, dβ = Σ g, dx = γ/√(σ² + ε) · (g − ⟨g⟩ − x̂ ⟨g x̂⟩) (Ioffe and Szegedy 2015,
    algorithm 1 and section 3).
    """

    @staticmethod
    def forward(
        context: Any, rows: Tensor, gamma: Tensor, beta: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean = rows.mean(1, keepdim=True)  # (C, 1)
        centred = rows - mean  # (C, N)
        variance = centred.square().mean(1, keepdim=True)  # (C, 1)
        inverse = (variance + EPS).rsqrt()
        normal = centred * inverse
        context.save_for_backward(normal, inverse, gamma)
        context.mark_non_differentiable(mean, variance)
        return gamma[:, None] * normal + beta[:, None], mean, variance

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (normal, inverse, gamma), g = context.saved_tensors, gradients[0]
        d_gamma, d_beta = (g * normal).sum(1, keepdim=True), g.sum(1, keepdim=True)  # (C, 1)
        d_rows = gamma[:, None] * inverse * (g - (d_beta + normal * d_gamma) / g.shape[1])
        return d_rows, d_gamma.flatten(), d_beta.flatten()


class FormulaBatchNorm(_WithVariance):
    """Batch norm written from its formula, forward and backward.

    Equal to `nn.BatchNorm2d` and `nn.BatchNorm1d`.
    """

    @property
    def by_batch(self) -> bool:
        """Whether the next batch is normalised by its own statistics."""
        return self.training

    def normalise(self, rows: Tensor) -> Tensor:
        """Return γ x̂ + β of rows (C, N), x̂ by the batch or by the averages."""
        if self.by_batch:
            y: Tensor
            y, mean, variance = _BatchNorm.apply(rows, self.weight, self.bias)
            self.move(mean, variance, rows.shape[1])
            return y
        inverse = (self.running_var + EPS).rsqrt()
        return self.affine((rows - self.running_mean[:, None]) * inverse[:, None])


class FrozenBatchNorm(FormulaBatchNorm):
    """Batch norm for its first `WARM_UP` steps, then by the plain averages of their statistics.

    Those never move again, in training and in eval mode alike, and no gradient flows through them.
    """

    num_batches_tracked: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    @property
    def by_batch(self) -> bool:
        """Whether the next batch is normalised by its own statistics."""
        return self.training and self.num_batches_tracked.item() < WARM_UP

    def move(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the averages by one step, so that they are plain ones over all steps so far."""
        self.num_batches_tracked += 1
        self.momentum = 1 / self.num_batches_tracked.item()
        super().move(mean, variance, count)


class ProbabilityIntegralTransform(_WithVariance):
    """Each value's place in its channel's distribution: √12 (F(x) − ½), of mean 0 and variance 1.

    It is uniform. F is the integral of a histogram of `BINS` equal bins, `REACH` standard
    deviations to either side of the mean. A value is shared linearly between the two edges nearest
    to it, and F is interpolated linearly, so that gradients flow through both, and the mean of F
    over a batch is exactly ½. In eval mode the averages of mean, variance and histogram give F. The
    transform itself is Rosenblatt's (1952) in one dimension; an exercise proposed it as a norm.
    """

    running_mass: Tensor
    below: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        edges = torch.linspace(-REACH, REACH, BINS + 1)
        normal = torch.exp(-edges.square() / 2)
        mass = (normal / normal.sum()).expand(channels, -1).clone()  # (C, E), E edges
        self.register_buffer("running_mass", mass)
        # (E, E): all edges to the left, and half of itself
        below = torch.tril(torch.ones(BINS + 1, BINS + 1), -1) + torch.eye(BINS + 1) / 2
        self.register_buffer("below", below, persistent=False)

    def normalise(self, rows: Tensor) -> Tensor:
        """Return γ √12 (F − ½) + β of rows (C, N)."""
        mean, variance = self.moments(rows)
        z = (rows - mean) * (variance + EPS).rsqrt()
        place = (z.clamp(-REACH, REACH) + REACH) * (BINS / (2 * REACH))  # (C, N) from 0 to BINS
        left = place.detach().floor().clamp(max=BINS - 1).long()
        part = place - left  # of the way to the next edge
        mass = self._mass(left, part) if self.training else self.running_mass  # (C, E)
        function = (mass[:, None, :] * self.below).sum(2)  # (C, E): F at the edges
        f = function.gather(1, left) * (1 - part) + function.gather(1, left + 1) * part  # (C, N)
        return self.affine((f - 0.5) * math.sqrt(12))

    def _mass(self, left: Tensor, part: Tensor) -> Tensor:
        """Return the batch's histogram (C, E), which also moves the average one."""
        counts = part.new_zeros(self.channels, BINS + 1)
        mass = counts.scatter_add(1, left, 1 - part).scatter_add(1, left + 1, part) / left.shape[1]
        with torch.no_grad():
            self.running_mass.lerp_(mass, self.momentum)
        return mass


class _InverseRoot(torch.autograd.Function):
    """S^(−1/2) of a symmetric positive definite S (C, C), differentiable at equal eigenvalues too.

    With S = U Λ Uᵀ, the derivative multiplies entry (i, j) of Uᵀ dS U by the divided difference of
    λ^(−1/2), which is −1 / (√λᵢ √λⱼ (√λᵢ + √λⱼ)) (Daleckii and Krein's theorem).
    """

    @staticmethod
    def forward(context: Any, matrix: Tensor) -> Tensor:
        if matrix.isfinite().all():
            values, vectors = torch.linalg.eigh(matrix)
        else:  # of a training that diverges; eigh would refuse it
            values, vectors = matrix.diagonal() * math.nan, matrix * math.nan
        roots = values.clamp(min=EPS).sqrt()  # (C,); only rounding takes one of Σ + ε below ε
        context.save_for_backward(roots, vectors)
        root: Tensor = (vectors / roots) @ vectors.T
        return root

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        roots, vectors = context.saved_tensors
        slopes = -1 / (roots[:, None] * roots * (roots[:, None] + roots))  # (C, C)
        inner = vectors.T @ ((gradients[0] + gradients[0].T) / 2) @ vectors
        gradient: Tensor = vectors @ (slopes * inner) @ vectors.T
        return gradient


class Whitening(Normalization):
    """Batch norm by the whole covariance: Σ^(−1/2) (x − μ), uncorrelated channels of variance 1.

    The symmetric root (ZCA) changes the channels least (Huang et al. 2018, Decorrelated batch
    normalization, section 3); of one channel it is batch norm. Where N values tell little of C
    channels the covariance is shrunk: it takes part with weight N, its diagonal alone with weight
    C. The moving average is of this covariance (Huang et al. average Σ^(−1/2) itself, whose mean a
    few odd batches decide).

    Raises:
        ValueError: More than `MOST_CHANNELS` channels.
    """

    running_covariance: Tensor

    def __init__(self, channels: int) -> None:
        if channels > MOST_CHANNELS:
            raise ValueError(
                f"norm: expected at most {MOST_CHANNELS} channels to whiten together, "
                f"got {channels}"
            )
        super().__init__(channels)
        self.register_buffer("running_covariance", torch.eye(channels))

    @property
    def running_var(self) -> Tensor:
        """The moving variances (C,), on the covariance's diagonal."""
        return self.running_covariance.diagonal()

    def normalise(self, rows: Tensor) -> Tensor:
        """Return γ Σ^(−1/2) (x − μ) + β of rows (C, N)."""
        mean, covariance = (
            self._moments(rows) if self.training else (self.running_mean, self.running_covariance)
        )
        noise = torch.diag_embed(torch.full_like(self.weight, EPS))
        root: Tensor = _InverseRoot.apply(covariance + noise)
        return self.affine(root @ (rows - mean[:, None]))

    def _moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the batch's mean (C,) and shrunk covariance (C, C), which move the averages."""
        count = rows.shape[1]
        mean = rows.mean(1)
        centred = rows - mean[:, None]
        full = centred @ centred.T / count
        trust = count / (count + self.channels)
        covariance = trust * full + (1 - trust) * full.diagonal().diag_embed()
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_covariance.lerp_(covariance * (count / (count - 1)), self.momentum)
        return mean, covariance
