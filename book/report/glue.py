"""Numbers and texts for the prose: glued by a chapter, shown by ``{glue:text}`key:format` ``."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def glue(**values: Any) -> None:
    """Name values for the prose; `_` in a name becomes `-`.

    numpy's and sympy's numbers become Python's own, whose text is the number alone.
    """
    from myst_nb import glue as show

    for name, value in values.items():
        show(name.replace("_", "-"), plain(value), display=False)


def plain(value: Any) -> Any:
    """Return a number as Python's own int or float, and a text as it is.

    >>> plain(np.float64(0.91)), plain(np.int64(3))
    (0.91, 3)
    """
    if isinstance(value, np.generic):
        return value.item()
    if getattr(value, "is_Integer", False):
        return int(value)
    if getattr(value, "is_number", False):
        return float(value)
    return value


def listing(parts: Sequence[str]) -> str:
    """Return parts, one at least, as a sentence lists them.

    >>> listing(["0.1", "1", "3"])
    '0.1, 1 and 3'
    """
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last
