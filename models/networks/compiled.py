"""LeNet's loops, compiled by numba: convolution; batch norm, tanh and pooling in one; dropout.

Arrays are float32 and lie with the batch last, (C, H, W·B): a row of pixels is one long vector, of
which the processor takes eight or sixteen numbers at a time, and a shift by a pixel is one by B.
Loops over such a vector are functions of their own, for only then does LLVM see that they may be
vectorised. Everything runs on the calling thread, so the bits are the same for any number of them.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.networks.loop_cache import drop_torn

Array = NDArray[np.float32]

KERNEL = 5  # the side of every convolution here, in pixels
PIECE = 1024  # numbers of a row that are worked on at once, and summed in float32
ONE, QUARTER, FAR = np.float32(1), np.float32(0.25), np.float32(9)

# sums may be reordered and a·b + c rounded once; but what is no number stays none
ROUNDING = {"contract", "reassoc", "nsz", "arcp"}
compiled = njit(cache=True, error_model="numpy", fastmath=ROUNDING)
# a function that is not inlined may be taken from elsewhere than the cache, and round otherwise
inlined = njit(error_model="numpy", fastmath=ROUNDING, forceinline=True)


@compiled
def convolve(x: Array, weight: Array, bias: Array, top: int, out: Array) -> None:
    """Write the cross-correlation of x with 5 × 5 kernels, plus the bias, to `out` (K, H', W'·B).

    x (C, H, (W' + 4)·B) is padded at its sides already, with `top` rows above it understood;
    weight (K, C, 5, 5), of an even K; bias (K,).
    """
    batch = (x.shape[2] - out.shape[2]) // (KERNEL - 1)
    for y in range(out.shape[1]):
        for start in range(0, out.shape[2], PIECE):
            stop = min(start + PIECE, out.shape[2])
            for k in range(0, out.shape[0], 2):
                first, second = out[k, y, start:stop], out[k + 1, y, start:stop]
                first[:], second[:] = bias[k], bias[k + 1]
                for c in range(x.shape[0]):
                    for i in range(max(0, top - y), min(KERNEL, x.shape[1] + top - y)):
                        row = x[c, y + i - top, start:]
                        _add_rows(row, weight[k : k + 2, c, i], batch, first, second)


@inlined
def _add_rows(x: Array, weight: Array, step: int, first: Array, second: Array) -> None:
    """Add to two rows the correlations of x with five weights each, weight (2, 5)."""
    v0, v1, v2, v3, v4 = weight[0, 0], weight[0, 1], weight[0, 2], weight[0, 3], weight[0, 4]
    w0, w1, w2, w3, w4 = weight[1, 0], weight[1, 1], weight[1, 2], weight[1, 3], weight[1, 4]
    x1, x2, x3, x4 = x[step:], x[2 * step :], x[3 * step :], x[4 * step :]
    for n in range(len(first)):
        first[n] += v0 * x[n] + v1 * x1[n] + v2 * x2[n] + v3 * x3[n] + v4 * x4[n]
        second[n] += w0 * x[n] + w1 * x1[n] + w2 * x2[n] + w3 * x3[n] + w4 * x4[n]


@compiled
def weight_gradient(x: Array, gradient: Array, top: int, out: Array) -> None:
    """Write the kernels' gradient to `out` (K, C, 5, 5): x as above, gradient (K, H', W'·B)."""
    batch = (x.shape[2] - gradient.shape[2]) // (KERNEL - 1)
    out[:] = 0
    for y in range(gradient.shape[1]):
        for start in range(0, gradient.shape[2], PIECE):
            stop = min(start + PIECE, gradient.shape[2])
            for k in range(0, gradient.shape[0], 2):
                first, second = gradient[k, y, start:stop], gradient[k + 1, y, start:stop]
                for c in range(x.shape[0]):
                    for i in range(max(0, top - y), min(KERNEL, x.shape[1] + top - y)):
                        row = x[c, y + i - top, start:]
                        _add_products(row, first, second, batch, out[k : k + 2, c, i])


@inlined
def _add_products(x: Array, first: Array, second: Array, step: int, out: Array) -> None:
    """Add to `out` (2, 5) the products of two rows with x, shifted five times."""
    x1, x2, x3, x4 = x[step:], x[2 * step :], x[3 * step :], x[4 * step :]
    s0 = s1 = s2 = s3 = s4 = t0 = t1 = t2 = t3 = t4 = np.float32(0)
    for n in range(len(first)):
        g, h = first[n], second[n]
        s0, t0 = s0 + g * x[n], t0 + h * x[n]
        s1, t1 = s1 + g * x1[n], t1 + h * x1[n]
        s2, t2 = s2 + g * x2[n], t2 + h * x2[n]
        s3, t3 = s3 + g * x3[n], t3 + h * x3[n]
        s4, t4 = s4 + g * x4[n], t4 + h * x4[n]
    for j, sums in enumerate(((s0, t0), (s1, t1), (s2, t2), (s3, t3), (s4, t4))):
        out[0, j] += sums[0]
        out[1, j] += sums[1]


@compiled
def moments(x: Array, mean: Array, variance: Array) -> None:
    """Write mean and biased variance (C,) of each channel of x (C, H, W·B)."""
    for c in range(x.shape[0]):
        row = x[c].reshape(-1)
        total = np.float64(0)
        for start in range(0, len(row), PIECE):
            total += _sum(row[start : start + PIECE])
        mean[c] = total / len(row)
        total = np.float64(0)
        for start in range(0, len(row), PIECE):
            total += _sum_of_squares(row[start : start + PIECE], mean[c])
        variance[c] = total / len(row)


@compiled
def move(average: Array, value: Array, share: float, factor: float) -> None:
    """Move averages (C,) by a share of the way to `factor` times the values."""
    for c in range(len(average)):
        average[c] += share * (factor * value[c] - average[c])


@inlined
def _sum(x: Array) -> np.float32:
    total = np.float32(0)
    for n in range(len(x)):
        total += x[n]
    return total


@inlined
def _sum_of_squares(x: Array, mean: np.float32) -> np.float32:
    total = np.float32(0)
    for n in range(len(x)):
        total += (x[n] - mean) * (x[n] - mean)
    return total


@compiled
def activate(
    x: Array, norm: tuple[Array, Array, Array, Array], activated: Array, pooled: Array, batch: int
) -> None:
    """Write tanh(γ (x − μ)/σ + β) and its means over 2 × 2 windows.

    x and `activated` (C, H, W·B); `pooled` (C, H/2, W/2·B) may have no rows; norm is μ, 1/σ, γ and
    β, each (C,).
    """
    mean, inverse, gamma, beta = norm
    for c in range(x.shape[0]):
        scale, y = inverse[c] * gamma[c], activated[c]
        _activate(x[c].reshape(-1), mean[c], scale, beta[c], y.reshape(-1))
        for i in range(pooled.shape[1]):
            for start in range(0, pooled.shape[2], batch):
                upper, lower = y[2 * i, 2 * start :], y[2 * i + 1, 2 * start :]
                _pool(upper, lower, batch, pooled[c, i, start : start + batch])


@inlined
def _activate(x: Array, mean: np.float32, scale: np.float32, beta: np.float32, y: Array) -> None:
    for n in range(len(x)):
        y[n] = _tanh((x[n] - mean) * scale + beta)


@inlined
def _tanh(x: np.float32) -> np.float32:
    """Return tanh x by a quotient of polynomials, Eigen's; absolute error: some 3e-7."""
    x = FAR if x > FAR else (-FAR if x < -FAR else x)
    s = x * x
    p = np.float32(-2.76076847742355e-16)
    p = p * s + np.float32(2.00018790482477e-13)
    p = p * s + np.float32(-8.60467152213735e-11)
    p = p * s + np.float32(5.12229709037114e-08)
    p = p * s + np.float32(1.48572235717979e-05)
    p = p * s + np.float32(6.37261928875436e-04)
    p = p * s + np.float32(4.89352455891786e-03)
    q = np.float32(1.19825839466702e-06)
    q = q * s + np.float32(1.18534705686654e-04)
    q = q * s + np.float32(2.26843463243900e-03)
    q = q * s + np.float32(4.89352518554385e-03)
    return x * p / q


@inlined
def _pool(upper: Array, lower: Array, batch: int, out: Array) -> None:
    """Write the means of two pixels of either row."""
    upper_right, lower_right = upper[batch:], lower[batch:]
    for n in range(len(out)):
        out[n] = (upper[n] + lower[n] + upper_right[n] + lower_right[n]) * QUARTER


@compiled
def tanh_gradient(gradient: Array, activated: Array, out: Array) -> None:
    """Write the loss's derivative by what enters the tanh; all three (C, H, W·B)."""
    _tanh_gradient(gradient.reshape(-1), activated.reshape(-1), ONE, out.reshape(-1))


@inlined
def _tanh_gradient(gradient: Array, activated: Array, factor: np.float32, out: Array) -> None:
    for n in range(len(out)):
        out[n] = gradient[n] * factor * (ONE - activated[n] * activated[n])


@compiled
def pool_gradient(gradient: Array, activated: Array, out: Array, batch: int) -> None:
    """Write the same where gradient (C, H/2, W/2·B) is the derivative by the pooled tanh."""
    rows, length = 2 * gradient.shape[1], 2 * gradient.shape[2]
    out[:, rows:], out[:, :, length:] = 0, 0  # an odd last row or column is in no window
    for c in range(out.shape[0]):
        for i in range(rows):
            g, y, d = gradient[c, i // 2], activated[c, i], out[c, i]
            for start in range(0, length, batch):
                left = start // (2 * batch) * batch
                part = slice(start, start + batch)
                _tanh_gradient(g[left : left + batch], y[part], QUARTER, d[part])


@compiled
def norm_gradient(
    x: Array, norm: tuple[Array, Array, Array, Array], d: Array, d_gamma: Array, d_beta: Array
) -> None:
    """Replace the derivative d by a norm's output by that by its input x; both (C, H, W·B).

    With ⟨·⟩ a mean over a channel and x̂ = (x − μ)/σ: dγ = Σ d x̂, dβ = Σ d and
    dx = γ/σ (d − ⟨d⟩ − x̂ ⟨d x̂⟩) (Ioffe and Szegedy 2015, section 3).
    """
    mean, inverse, gamma, _ = norm
    for c in range(x.shape[0]):
        row, g = x[c].reshape(-1), d[c].reshape(-1)
        plain = weighted = np.float64(0)
        for start in range(0, len(row), PIECE):
            part = slice(start, start + PIECE)
            sums = _norm_sums(g[part], row[part], mean[c])
            plain += sums[0]
            weighted += sums[1] * inverse[c]
        d_gamma[c], d_beta[c] = weighted, plain
        scale, slope = inverse[c] * gamma[c], inverse[c] * weighted / len(row)
        _centre(g, row, scale, np.float32(slope), np.float32(plain / len(row)), mean[c])


@inlined
def _norm_sums(d: Array, x: Array, mean: np.float32) -> tuple[np.float32, np.float32]:
    plain = weighted = np.float32(0)
    for n in range(len(x)):
        plain += d[n]
        weighted += d[n] * (x[n] - mean)
    return plain, weighted


@inlined
def _centre(
    d: Array, x: Array, scale: np.float32, slope: np.float32, shift: np.float32, mean: np.float32
) -> None:
    for n in range(len(x)):
        d[n] = scale * (d[n] - shift - slope * (x[n] - mean))


@compiled
def drop(x: Array, draws: NDArray[np.int16], threshold: int, factor: float, out: Array) -> None:
    """Write x (R, N) times `factor` to `out`, zeros where the draw is below the threshold.

    Of draws (Q, N) with a smaller Q, R/Q rows one after another share one.
    """
    share = x.shape[0] // draws.shape[0]
    for row in range(x.shape[0]):
        _drop(x[row], draws[row // share], np.int16(threshold), np.float32(factor), out[row])


@inlined
def _drop(
    x: Array, draws: NDArray[np.int16], threshold: np.int16, factor: np.float32, out: Array
) -> None:
    for n in range(len(x)):
        out[n] = x[n] * (factor if draws[n] >= threshold else np.float32(0))


drop_torn(drop.stats.cache_path)  # where numba keeps the loops of all modules beside this one
