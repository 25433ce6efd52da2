"""Loops over bf16 rows, compiled by numba: batch norm and ReLU in one.

Rows are pixels, (N, C), and their bf16 numbers are read as 16-bit integers, for numba knows no
bf16. Sums are in fp32 within a few rows, then in fp64. The rows are parted in the same way whatever
the number of threads that share them, so the bits don't depend on it.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from models.networks.compiled import ROUNDING, inlined

Bits = NDArray[np.uint16]  # of bf16 numbers
Array = NDArray[np.float32]

PARTS = 32  # of a batch, for the threads to share
ROWS = 64  # that are summed in fp32
ZERO = np.float32(0)

in_threads = njit(cache=True, parallel=True, error_model="numpy", fastmath=ROUNDING)


@inlined
def widened(bits: np.uint16) -> np.float32:
    """Return a bf16 number, given as its bits."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


@inlined
def rounded(value: np.float32) -> np.uint16:
    """Return the bits of the nearest bf16 number, the even one of two; NaN stays NaN."""
    if value != value:
        return np.uint16(0x7FC0)
    bits = np.float32(value).view(np.uint32)
    odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


@in_threads
def moments(x: Bits, mean: Array, variance: Array) -> None:
    """Write mean and biased variance (C,) of rows x (N, C), from sums of x − x₀ and its square."""
    count, channels = x.shape
    sums = np.zeros((PARTS, 2, channels))
    for part in prange(PARTS):
        start, stop = part * count // PARTS, (part + 1) * count // PARTS
        for first in range(start, stop, ROWS):
            _add_moments(x[first : min(first + ROWS, stop)], x[0], sums[part])
    _fold(sums)
    for c in range(channels):
        shift, square = sums[0, 0, c] / count, sums[0, 1, c] / count
        mean[c] = shift + widened(x[0, c])
        variance[c] = max(square - shift * shift, 0.0)


@inlined
def _fold(sums: NDArray[np.float64]) -> None:
    """Add the sums of all parts to those of the first."""
    for part in range(1, PARTS):
        sums[0] += sums[part]


@inlined
def _add_moments(x: Bits, origin: Bits, sums: NDArray[np.float64]) -> None:
    plain, square = np.zeros(x.shape[1], np.float32), np.zeros(x.shape[1], np.float32)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = widened(x[n, c]) - widened(origin[c])
            plain[c] += value
            square[c] += value * value
    sums[0] += plain
    sums[1] += square


@in_threads
def rectify(x: Bits, scale: Array, shift: Array, y: Bits) -> None:
    """Write max(0, scale · x + shift) to y (N, C); scale and shift (C,)."""
    for part in prange(PARTS):
        start, stop = part * len(x) // PARTS, (part + 1) * len(x) // PARTS
        _rectify(x[start:stop], scale, shift, y[start:stop])


@inlined
def _rectify(x: Bits, scale: Array, shift: Array, y: Bits) -> None:
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = widened(x[n, c]) * scale[c] + shift[c]
            y[n, c] = rounded(ZERO if value < ZERO else value)


@in_threads
def gradient_sums(g: Bits, x: Bits, y: Bits, mean: Array, plain: Array, weighted: Array) -> None:
    """Write Σ d and Σ d (x − μ) (C,), where d is the gradient g (N, C) at those y above zero."""
    count, channels = x.shape
    sums = np.zeros((PARTS, 2, channels))
    for part in prange(PARTS):
        start, stop = part * count // PARTS, (part + 1) * count // PARTS
        for first in range(start, stop, ROWS):
            rows = slice(first, min(first + ROWS, stop))
            _add_gradient_sums(g[rows], x[rows], y[rows], mean, sums[part])
    _fold(sums)
    plain[:], weighted[:] = sums[0]


@inlined
def _add_gradient_sums(g: Bits, x: Bits, y: Bits, mean: Array, sums: NDArray[np.float64]) -> None:
    plain, weighted = np.zeros(x.shape[1], np.float32), np.zeros(x.shape[1], np.float32)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            d = widened(np.uint16(g[n, c] * np.uint16(y[n, c] != 0)))
            plain[c] += d
            weighted[c] += d * (widened(x[n, c]) - mean[c])
    sums[0] += plain
    sums[1] += weighted


@in_threads
def gradient(g: Bits, x: Bits, y: Bits, by_g: Array, by_x: Array, shift: Array, out: Bits) -> None:
    """Write by_g · d + by_x · x + shift to `out` (N, C), d as above; the factors (C,)."""
    for part in prange(PARTS):
        start, stop = part * len(x) // PARTS, (part + 1) * len(x) // PARTS
        rows = slice(start, stop)
        _gradient(g[rows], x[rows], y[rows], by_g, by_x, shift, out[rows])


@inlined
def _gradient(g: Bits, x: Bits, y: Bits, by_g: Array, by_x: Array, shift: Array, out: Bits) -> None:
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            d = widened(np.uint16(g[n, c] * np.uint16(y[n, c] != 0)))
            out[n, c] = rounded(by_g[c] * d + by_x[c] * widened(x[n, c]) + shift[c])
