"""Which precision is the faster one on this processor.

A run's precision is its spec's and changes what comes of it; how fast it is, is the machine's. bf16
halves the bytes, but where the processor multiplies no faster in it, fp32 trains faster.
"""

from __future__ import annotations

import time
from functools import cache

import torch

SIDE = 384  # of the square matrices: as a wide network's products, and milliseconds of work
TRIES = 5


@cache
def rates() -> tuple[float, float]:
    """Return the FLOP/s of matrix products in fp32 and bf16 in this process, at their best.

    They take turns, some milliseconds in all, and draw no random numbers.
    """
    shortest = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    factors = {dtype: torch.ones(SIDE, SIDE, dtype=dtype) for dtype in shortest}
    for _ in range(TRIES):
        for dtype, X in factors.items():
            started = time.perf_counter()
            torch.matmul(X, X)
            shortest[dtype] = min(shortest[dtype], time.perf_counter() - started)
    fp32, bf16 = (2 * SIDE**3 / seconds for seconds in shortest.values())
    return fp32, bf16


def advice(precision: str, device: str) -> str | None:
    """Return what to say of a precision that is the slower one here; None where there is nothing.

    >>> advice("fp32", "cpu")
    """
    if precision != "bf16" or device != "cpu":
        return None
    fp32, bf16 = rates()
    return None if bf16 > fp32 else slower(fp32, bf16)


def news(precision: str, device: str) -> str | None:
    """Return `advice`, but to the first training of this process that it is for alone."""
    found = advice(precision, device)
    if found is None or found in _told:
        return None
    _told.add(found)
    return found


_told: set[str] = set()


def slower(fp32: float, bf16: float) -> str:
    """Return what is said where bf16 is no faster, from both rates in FLOP/s.

    >>> slower(271e9, 160e9)
    'bf16 multiplies no faster than fp32 here (160 and 271 GFLOP/s): precision fp32 trains faster'
    """
    return (
        "bf16 multiplies no faster than fp32 here "
        f"({bf16 / 1e9:.0f} and {fp32 / 1e9:.0f} GFLOP/s): precision fp32 trains faster"
    )
