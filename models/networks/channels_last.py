"""Batch norm and ReLU on compiled loops (`models.networks.compiled_rows`), forward and backward.

They take bf16 with the channels last in memory. torch passes over such a batch four times forward
and five times backward; these pass twice each: once for the sums, once to use them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def norm_relu(x: Tensor, norm: Any) -> Tensor:
    """Return the ReLU of a batch norm of x (B, C, H, W), both bf16; moves the norm's averages.

    `norm` is an `nn.BatchNorm2d` that learns γ and β and keeps averages. In eval mode these take
    the place of the batch's moments, and stay.
    """
    import numba

    config: Any = numba.config
    numba.set_num_threads(min(torch.get_num_threads(), config.NUMBA_NUM_THREADS))
    mean, variance = _moments(x, norm)
    y: Tensor = _NormReLU.apply(x, norm.weight, norm.bias, mean, (variance + norm.eps).rsqrt())
    return y


@torch.no_grad()
def _moments(x: Tensor, norm: Any) -> tuple[Tensor, Tensor]:
    """Return mean and variance (C,) of the batch, which move the averages, or else the averages."""
    from models.networks import compiled_rows

    if not norm.training:
        return norm.running_mean, norm.running_var
    mean, variance = torch.empty_like(norm.running_mean), torch.empty_like(norm.running_var)
    compiled_rows.moments(_rows(x), _array(mean), _array(variance))
    count = x.numel() // x.shape[1]
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
    return mean, variance


class _NormReLU(torch.autograd.Function):
    """max(0, γ x̂ + β), x̂ = (x − μ)/σ, and its derivatives.

    With d the loss's derivative where the result is above zero, else 0, and ⟨·⟩ a mean over the N
    pixels of a channel: dγ = Σ d x̂, dβ = Σ d, dx = γ/σ · (d − ⟨d⟩ − x̂ ⟨d x̂⟩) (Ioffe and Szegedy
    2015, section 3).
    """

    @staticmethod
    def forward(
        context: Any, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, inverse: Tensor
    ) -> Tensor:
        from models.networks import compiled_rows

        y, scale = torch.empty_like(x), gamma * inverse
        compiled_rows.rectify(_rows(x), _array(scale), _array(beta - mean * scale), _rows(y))
        context.save_for_backward(x, y, gamma, mean, inverse)
        return y

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from models.networks import compiled_rows

        x, y, gamma, mean, inverse = context.saved_tensors
        g = gradients[0].contiguous(memory_format=torch.channels_last)
        d_beta, weighted, d_x = torch.empty_like(mean), torch.empty_like(mean), torch.empty_like(x)
        rows = _rows(g), _rows(x), _rows(y)
        compiled_rows.gradient_sums(*rows, _array(mean), _array(d_beta), _array(weighted))
        d_gamma, by_d = weighted * inverse, gamma * inverse
        by_x = by_d * inverse * d_gamma / -len(rows[0])
        rest = by_d * d_beta / -len(rows[0]) - by_x * mean
        compiled_rows.gradient(*rows, _array(by_d), _array(by_x), _array(rest), _rows(d_x))
        return d_x, d_gamma, d_beta, None, None


def _rows(x: Tensor) -> Any:
    """Return the bits of bf16 x (B, C, H, W), channels last, as numpy's (B·H·W, C)."""
    return x.detach().permute(0, 2, 3, 1).view(-1, x.shape[1]).view(torch.uint16).numpy()


def _array(x: Tensor) -> Any:
    return x.detach().numpy()
