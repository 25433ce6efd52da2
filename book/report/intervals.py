"""Means over seeds with their uncertainty, and which differences may be noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # scipy.stats takes half a second to import

IDENTICAL = "identical in every seed"  # what a difference of zero is called
STANDARD_ERRORS = 4  # by which two runs' accuracies may differ by chance
LEVEL = 0.95  # of a confidence interval
NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Interval:
    """A mean over `count` seeds, with the half width of its confidence interval.

    One or two seeds have no interval (`half_width` is None): two are shown as the `points` that
    they are.
    """

    mean: float
    half_width: float | None
    count: int
    points: tuple[float, ...] = ()

    @property
    def low(self) -> float:
        """The lower end; the mean where there is no interval."""
        return self.mean - (self.half_width or 0.0)

    @property
    def high(self) -> float:
        """The upper end; the mean where there is no interval."""
        return self.mean + (self.half_width or 0.0)

    @property
    def could_be_noise(self) -> bool:
        """Whether zero lies in the interval, or there is none to tell."""
        return self.half_width is None or self.low <= 0 <= self.high

    @property
    def is_identical(self) -> bool:
        """Whether, as a difference, it is zero in every one of three seeds or more.

        >>> mean_interval([0.0, 0.0, 0.0]).is_identical, mean_interval([0.0]).is_identical
        (True, False)
        """
        return self.half_width == self.mean == 0

    def affine(self, scale: float = 1.0, offset: float = 0.0) -> Interval:
        """Return the interval of `scale * value + offset`, seed by seed.

        >>> mean_interval([1.0, 2.0]).affine(-1).text(0)
        '−1 and −2'
        """
        half_width = None if self.half_width is None else abs(scale) * self.half_width
        points = tuple(scale * point + offset for point in self.points)
        return Interval(scale * self.mean + offset, half_width, self.count, points)

    def text(self, digits: int = 2, scale: float = 1.0, *, sign: bool = False) -> str:
        """Return the mean and the half width, such as `99.12 ± 0.05`, or each point.

        `scale` 100 gives per cent.

        >>> Interval(0.9912, 0.0005, 5).text(scale=100).replace(NBSP, " ")
        '99.12 ± 0.05'
        >>> mean_interval([0.9912, 0.9922]).text(scale=100)
        '99.12 and 99.22'
        """
        plus = "+" if sign else ""
        numbers = [f"{one * scale:{plus}.{digits}f}" for one in self.points or [self.mean]]
        text = " and ".join(numbers).replace("-", "−")
        if self.half_width is None:
            return text
        return f"{text}{NBSP}±{NBSP}{self.half_width * scale:.{digits}f}"


def mean_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the mean of independent `values`, one a seed, with its interval.

    From three values on it is Student's t interval. That of two would be 12.7 standard errors wide
    on either side, and hide that there are only two.

    Raises:
        ValueError: There are no values.
    """
    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        raise ValueError("an interval needs at least one value; got none")
    if sample.size < 3:
        return Interval(float(sample.mean()), None, sample.size, tuple(sample.tolist()))
    error = sample.std(ddof=1) / np.sqrt(sample.size)
    half_width = float(stdtrit(sample.size - 1, (1 + level) / 2) * error)
    return Interval(float(sample.mean()), half_width, sample.size)


def paired_difference(
    first: Sequence[float], second: Sequence[float], level: float = LEVEL
) -> Interval:
    """Return the mean of `first` − `second`, seed by seed.

    The same seed has the same initial weights and the same order of examples.

    Raises:
        ValueError: The two do not have the same number of seeds.
    """
    if len(first) != len(second):
        raise ValueError(
            f"pairs need as many values on both sides; got {len(first)} and {len(second)}"
        )
    return mean_interval(np.subtract(first, second).tolist(), level)


def slope(positions: Sequence[float], values: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the slope of the least-squares line through points, with its interval (Student's t).

    The points are what it generalises over: their number decides how wide it is. Not a number
    where there are fewer than three.

    >>> found = slope([0, 1, 2, 3], [0.0, 2.0, 4.0, 6.0])
    >>> round(found.mean, 6), round(found.half_width, 6), found.count
    (2.0, 0.0, 4)
    """
    x, y = (np.asarray(numbers, dtype=float) for numbers in (positions, values))
    if x.size < 3:
        return Interval(math.nan, None, x.size)
    off = x - x.mean()
    rise = float(off @ y / (off @ off))
    residual = y - y.mean() - rise * off
    error = math.sqrt(float(residual @ residual) / (x.size - 2) / float(off @ off))
    return Interval(rise, float(stdtrit(x.size - 2, (1 + level) / 2)) * error, x.size)


def p_value(difference: Interval) -> float:
    """Return how likely a mean as far from zero would be if the true one were zero.

    Two-sided, by Student's t; 1 where there is no interval.

    >>> round(p_value(mean_interval([0.01, 0.02, 0.03])), 3), p_value(mean_interval([0.01]))
    (0.074, 1.0)
    """
    if difference.half_width is None or math.isnan(difference.mean):
        return 1.0
    if not difference.half_width:
        return float(difference.mean == 0)
    freedom = difference.count - 1
    error = difference.half_width / stdtrit(freedom, (1 + LEVEL) / 2)
    return float(2 * stdtr(freedom, -abs(difference.mean) / error))


def spread_p_value(some: Sequence[float], others: Sequence[float]) -> float:
    """Return how likely spreads of paired values so far apart would be if the true ones were equal.

    Two-sided, by the test of Pitman (1939) and Morgan (1939): of equal variances, the sums and the
    differences of pairs are uncorrelated. 1 where there are fewer than three pairs, or where sums
    or differences do not scatter.

    >>> round(spread_p_value([1.0, 4.0, 2.0, 7.0], [1.2, 1.0, 1.1, 1.3]), 3)
    0.004
    """
    sums, differences = np.add(some, others), np.subtract(some, others)
    if sums.size < 3 or not np.ptp(sums) * np.ptp(differences) > 0:
        return 1.0
    correlation = float(np.corrcoef(sums, differences)[0, 1])
    freedom = sums.size - 2
    t = correlation * math.sqrt(freedom / max(1 - correlation**2, 1e-15))
    return float(2 * stdtr(freedom, -abs(t)))


def stdev(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample; 0 of a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values of a family of comparisons, each adjusted for how many there are.

    Where those below 0.05 are called clear, the chance of one false call among all of them is at
    most 5 % (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def too_few(interval: Interval) -> str:
    """Return the seeds that are too few for an interval, as a subject."""
    return "a single seed" if interval.count == 1 else "two seeds"


def verdict(difference: Interval, better: str, worse: str, *, higher_is_better: bool = True) -> str:
    """Return a difference in words.

    `better` and `worse` say what one in the right and one in the wrong direction mean.
    """
    if difference.half_width is None:
        return f"{too_few(difference)} can't tell a difference from noise"
    if difference.is_identical:
        return IDENTICAL
    if difference.could_be_noise:
        return f"the difference could be noise (its {LEVEL:.0%} interval contains zero)"
    return better if (difference.mean > 0) == higher_is_better else worse


def accuracy_limit(accuracy: float, examples: int) -> float:
    """Return by how much two accuracies around `accuracy` may differ by chance.

    Each is judged on so many `examples`; the limit is `STANDARD_ERRORS` binomial ones.

    >>> round(accuracy_limit(0.99, 10_000), 4)
    0.0056
    """
    return STANDARD_ERRORS * math.sqrt(2) * binomial_error(accuracy, examples)


def binomial_error(accuracy: float, examples: int) -> float:
    """Return the standard error of an accuracy that is judged on so many examples.

    >>> binomial_error(0.5, 100)
    0.05
    """
    one = 1 / examples  # even at 0 or 1, one example more or less is chance
    p = min(max(accuracy, one), 1 - one)
    return math.sqrt(p * (1 - p) / examples)
