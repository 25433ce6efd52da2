"""Means over seeds with their uncertainty, and differences that may be noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95
NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Interval:
    """A mean over `count` seeds, with the half width of its confidence interval (None for a single seed)."""

    mean: float
    half_width: float | None
    count: int

    @property
    def low(self) -> float:
        return self.mean - (self.half_width or 0.0)

    @property
    def high(self) -> float:
        return self.mean + (self.half_width or 0.0)

    @property
    def could_be_noise(self) -> bool:
        """Whether zero lies in the interval, or there is none to tell."""
        return self.half_width is None or self.low <= 0 <= self.high

    def text(self, digits: int = 2, scale: float = 1.0, *, sign: bool = False) -> str:
        """The mean and the half width, such as ``99.12 ± 0.05``; `scale` 100 gives per cent.

        >>> Interval(0.9912, 0.0005, 5).text(scale=100).replace(NBSP, " ")
        '99.12 ± 0.05'
        """
        mean = f"{self.mean * scale:{'+' if sign else ''}.{digits}f}".replace("-", "−")
        return mean if self.half_width is None else f"{mean}{NBSP}±{NBSP}{self.half_width * scale:.{digits}f}"


def mean_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Mean of independent `values`, one a seed, with Student's t interval.

    Raises
    ------
    ValueError
        There are no values.
    """
    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        raise ValueError("an interval needs at least one value; got none")
    if sample.size == 1:
        return Interval(float(sample[0]), None, 1)
    error = sample.std(ddof=1) / np.sqrt(sample.size)
    return Interval(float(sample.mean()), float(stats.t.ppf((1 + level) / 2, sample.size - 1) * error), sample.size)


def paired_difference(first: Sequence[float], second: Sequence[float], level: float = LEVEL) -> Interval:
    """Mean of `first` − `second`, seed by seed: the same seed has the same weights and the same order of examples.

    Raises
    ------
    ValueError
        The two do not have the same number of seeds.
    """
    if len(first) != len(second):
        raise ValueError(f"pairs need as many values on both sides; got {len(first)} and {len(second)}")
    return mean_interval(np.subtract(first, second).tolist(), level)


def verdict(difference: Interval, better: str, worse: str, *, higher_is_better: bool = True) -> str:
    """A difference in words; `better` and `worse` say what a positive and a negative one mean to the reader."""
    if difference.half_width is None:
        return "a single seed can't tell a difference from noise"
    if difference.could_be_noise:
        return f"the difference could be noise (its {LEVEL:.0%} interval contains zero)"
    return better if (difference.mean > 0) == higher_is_better else worse
