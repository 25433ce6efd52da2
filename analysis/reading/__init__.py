"""Read any torch module: the one place of `analysis` that imports torch, and only when asked.

>>> from analysis.reading import read
>>> from torch import nn
>>> reading = read(nn.Conv2d(3, 8, 3, padding=1), (3, 16, 16))
>>> reading.total.macs, reading.closed_form.total.macs
(55296, 216*B*H*W)
"""

from typing import Any

__all__ = ["read"]


def read(*arguments: Any, **options: Any) -> Any:
    """`analysis.reading.reading.read`, imported when it is called."""
    from analysis.reading.reading import read as implementation

    return implementation(*arguments, **options)
