"""The precision that a network computes in: a run's, on whatever processor it is trained.

In bf16 the factors of products, and what comes of them, are rounded to 8 bits of precision. A
product of two such numbers has 16 bits, so it is exact in fp32, in which they are summed. Where a
processor has no instructions for that, torch's bf16 takes a multiple of fp32's time. There the same
is had from fp32's own products, of rounded factors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

PRODUCTS = (F.conv2d, F.linear)  # the only ones that the networks take under autocast


class RoundedProducts(TorchFunctionMode):
    """Has autocast's products in bf16 done in fp32: factors are rounded before, results after.

    So are the gradients on their way back. Sums are in fp32 and rounded once, as a processor with
    such products does it; torch's own bf16 elsewhere rounds some of them oftener. The factors that
    a product keeps for its gradients are in fp32, so they take twice the memory.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Do what torch is about to do, a product in its own way."""
        named = kwargs or {}
        if func not in PRODUCTS or not torch.is_autocast_enabled("cpu"):
            return func(*args, **named)
        with torch.autocast("cpu", enabled=False):
            factors = {name: _rounded(factor) for name, factor in named.items()}
            return func(*map(_rounded, args), **factors).bfloat16()


def _rounded(factor: Any) -> Any:
    return factor.bfloat16().float() if isinstance(factor, Tensor) else factor


def has_fast_products(processor: Mapping[str, Any]) -> bool:
    """Return whether a processor, as torch names it, is known to multiply faster in bf16.

    With AMX's tiles it does, and so does AMD's AVX512_BF16; of others it is not known.

    >>> has_fast_products({"avx512_bf16": True, "cpu_name": "AMD EPYC"})
    True
    >>> has_fast_products({"avx512_bf16": True, "cpu_name": "Intel Xeon"})
    False
    """
    by_amd = "AMD" in processor.get("cpu_name", "")
    return bool(processor.get("amx_bf16") or (processor.get("avx512_bf16") and by_amd))


@cache
def multiplies_fast(device: str) -> bool:
    """Return whether products in bf16 are left to torch on a device: on a GPU they are."""
    known: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return device != "cpu" or has_fast_products(known)


@contextmanager
def bf16(device: str) -> Iterator[None]:
    """Have forward passes computed in bf16 on a device; products, if need be, `RoundedProducts`."""
    products = nullcontext() if multiplies_fast(device) else RoundedProducts()
    with torch.autocast(device, torch.bfloat16), products:
        yield


def computing(precision: str, device: str) -> AbstractContextManager[None]:
    """Return what has a network compute in a run's precision: `bf16`, or nothing for fp32."""
    return bf16(device) if precision == "bf16" else nullcontext()
