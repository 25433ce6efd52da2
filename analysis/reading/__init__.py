"""Read any torch module: the one place of `analysis` that imports torch, and only when asked.

>>> from analysis.reading import read
>>> from torch import nn
>>> reading = read(nn.Conv2d(3, 8, 3, padding=1), (3, 16, 16))
>>> reading.total.macs, reading.closed_form.total.macs
(55296, 216*B*H*W)
"""

from importlib import import_module
from typing import Any

from analysis.reading.summaries import Summary, summary

_LAZY = {
    "CONVENTIONS": "conventions",
    "Convention": "conventions",
    "Memory": "memory",
    "Reading": "reading",
    "convention": "conventions",
    "inference_memory": "memory",
    "largest_batch": "memory",
    "read": "reading",
    "rules_found": "memory",
    "training_formula": "memory",
    "training_memory": "memory",
}
"""Names whose module imports torch, and the module: imported when first asked for."""

__all__ = ["Summary", "summary", *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
