"""LeNet's layers on compiled loops (`models.networks.compiled`), forward and backward.

Tensors have the shapes that torch's layers have, but lie in memory with the batch last: (B, C, H,
W) as contiguous (C, H, W, B), and (B, C) as (C, B). Any other float32 tensor is copied so.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Moments = tuple[Tensor, Tensor]  # μ and 1/σ, each (C,)


def can_take(x: Tensor, dtype: torch.dtype = torch.float32) -> bool:
    """Return whether loops can take a tensor: such numbers in this machine's memory."""
    return (
        not torch.compiler.is_compiling()
        and x.dtype == dtype
        and x.device.type == "cpu"
        and type(x) is Tensor
        and not torch._C._get_tracing_state()
        and _can_compile()
    )


@cache
def _can_compile() -> bool:
    """Return whether numba is here, fits this numpy, and has a folder for what it compiles."""
    try:
        from models.networks import compiled  # noqa: F401 (whether it can be imported)
    except (ImportError, RuntimeError):
        return False
    return True


def lay(x: Tensor) -> Tensor:
    """Return x (B, C, …) as contiguous (C, …, B)."""
    return (x.t() if x.dim() == 2 else x.permute(1, 2, 3, 0)).contiguous()


def unlay(x: Tensor) -> Tensor:
    """Return (C, …, B) as (B, C, …), lying as it lies."""
    return x.t() if x.dim() == 2 else x.permute(3, 0, 1, 2)


def _array(x: Tensor) -> Any:
    """Return (C, H, W, B) as numpy's (C, H, W·B), and (C, B) as (C, 1, B)."""
    channels, *rows = x.shape
    height, width, batch = rows if len(rows) == 3 else (1, 1, *rows)
    return x.numpy().reshape(channels, height, width * batch)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
    """Return the 5 × 5 convolution of stride 1, (B, K, H', W'), of x (B, C, H, W).

    weight (K, C, 5, 5); bias (K,). K is even, and so is C where x has a gradient.
    """
    y: Tensor = _Convolution.apply(x, weight, bias, padding)
    return y


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int
    ) -> Tensor:
        padded = _pad(x.detach(), padding)
        context.save_for_backward(padded, weight)
        context.padding = padding
        return _convolve(padded, weight.detach().contiguous(), bias, padding)

    @staticmethod
    @once_differentiable
    def backward(
        context: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        from models.networks import compiled

        (x, weight), padding, d = context.saved_tensors, context.padding, lay(gradients[0])
        wants_x, _, wants_bias, _ = context.needs_input_grad
        d_weight = torch.empty(weight.shape)
        compiled.weight_gradient(_array(x), _array(d), padding, d_weight.numpy())
        d_x = _input_gradient(gradients[0], weight.detach(), padding) if wants_x else None
        return d_x, d_weight, d.sum((1, 2, 3)) if wants_bias else None, None


def _pad(x: Tensor, width: int) -> Tensor:
    """Return x (B, C, H, W) as (C, H, W + 2·width, B), with zeros at both sides."""
    if not width:
        return lay(x)
    batch, channels, height, inner = x.shape
    padded = torch.zeros(channels, height, inner + 2 * width, batch)
    padded[:, :, width : width + inner] = x.permute(1, 2, 3, 0)
    return padded


def _convolve(padded: Tensor, weight: Tensor, bias: Tensor | None, top: int) -> Tensor:
    """Return (B, K, H', W') of (C, H, W' + 4, B)."""
    from models.networks import compiled

    channels, (_, height, width, batch) = weight.shape[0], padded.shape
    out = torch.empty(channels, height + 2 * top - 4, width - 4, batch)
    shift = torch.zeros(channels) if bias is None else bias.detach()
    compiled.convolve(_array(padded), weight.numpy(), shift.numpy(), top, _array(out))
    return unlay(out)


def _input_gradient(d: Tensor, weight: Tensor, padding: int) -> Tensor:
    flipped = weight.flip(2, 3).transpose(0, 1).contiguous()  # (C, K, 5, 5)
    return _convolve(_pad(d, 4 - padding), flipped, None, 4 - padding)


def tanh_of_norm(x: Tensor, gamma: Tensor, beta: Tensor, moments: Moments, pooled: bool) -> Tensor:
    """Return tanh(γ (x − μ)/σ + β) of x (B, C, H, W) or (B, C).

    Where it is `pooled`, return its means over 2 × 2 windows. γ and β are (C,); where they learn,
    μ and σ must be those of x (`batch_moments`), for the gradient goes through them.
    """
    y: Tensor = _TanhOfNorm.apply(x, gamma, beta, moments, pooled)
    return y


class _TanhOfNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, x: Tensor, gamma: Tensor, beta: Tensor, moments: Moments, pooled: bool
    ) -> Tensor:
        from models.networks import compiled

        x = lay(x.detach())
        y, batch = torch.empty_like(x), x.shape[-1]
        rows, columns = (x.shape[1] // 2, x.shape[2] // 2) if pooled else (0, 0)
        out = torch.empty(x.shape[0], rows, columns, batch)
        source, tanh = _array(x), _array(y)
        mean, inverse, gamma, beta = (vector.detach() for vector in (*moments, gamma, beta))
        norm = (mean.numpy(), inverse.numpy(), gamma.numpy(), beta.numpy())
        compiled.activate(source, norm, tanh, _array(out), batch)
        context.arrays, context.pooled, context.batch = (source, norm, tanh), pooled, batch
        return unlay(out if pooled else y)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from models.networks import compiled

        source, norm, tanh = context.arrays
        g = lay(gradients[0])
        channels, height, length = source.shape
        shape = (height, length // context.batch, context.batch)[-g.dim() + 1 :]
        d = torch.empty(channels, *shape)
        arriving, out = _array(g), _array(d)
        if context.pooled:
            compiled.pool_gradient(arriving, tanh, out, context.batch)
        else:
            compiled.tanh_gradient(arriving, tanh, out)
        if not context.needs_input_grad[1]:
            return unlay(d), None, None, None, None
        d_gamma, d_beta = torch.empty(2, channels)
        compiled.norm_gradient(source, norm, out, d_gamma.numpy(), d_beta.numpy())
        return unlay(d), d_gamma, d_beta, None, None


def plain_norm(channels: int) -> tuple[Tensor, Tensor, Moments]:
    """Return the γ, β and moments that change nothing and learn nothing."""
    zeros, ones = torch.zeros(channels), torch.ones(channels)
    return ones, zeros, (zeros, ones)


def batch_moments(x: Tensor, norm: Any) -> Moments:
    """Return μ and 1/σ (C,) of x (B, C, …), and move a batch norm's averages by them."""
    from models.networks import compiled

    mean, variance = torch.empty(2, x.shape[1])
    source = _array(lay(x.detach()))
    compiled.moments(source, mean.numpy(), variance.numpy())
    unbiased = source[0].size / (source[0].size - 1)
    compiled.move(norm.running_mean.numpy(), mean.numpy(), norm.momentum, 1.0)
    compiled.move(norm.running_var.numpy(), variance.numpy(), norm.momentum, unbiased)
    norm.num_batches_tracked += 1
    return mean, (variance + norm.eps).rsqrt()


def drop(x: Tensor, draws: Tensor, threshold: int, factor: float) -> Tensor:
    """Return x (B, C, …) times `factor`, but zeros where a draw is below a threshold.

    Draws are int16 (B, C/n, …): the channels are n equal parts that share them.
    """
    y: Tensor = _Drop.apply(x, draws, threshold, factor)
    return y


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, draws: Tensor, threshold: int, factor: float) -> Tensor:
        context.is_batch_last = draws.shape == x.shape and x.stride(0) == 1
        draws = lay(draws).view(1, -1) if context.is_batch_last else draws.flatten(1)
        context.chosen = draws.numpy(), threshold, factor
        return _dropped(x.detach(), context)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        return _dropped(gradients[0], context), None, None, None


def _dropped(x: Tensor, context: Any) -> Tensor:
    from models.networks import compiled

    x = lay(x) if context.is_batch_last else x.contiguous()
    out, (draws, threshold, factor) = torch.empty_like(x), context.chosen
    source, result = (part.numpy().reshape(-1, draws.shape[1]) for part in (x, out))
    compiled.drop(source, draws, threshold, factor, result)
    return unlay(out) if context.is_batch_last else out
