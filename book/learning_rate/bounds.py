"""The bounds of a learning rate: a range test's sweep, and the rule that reads them off its curve.

Smith 2015 (Cyclical learning rates for training neural networks, section 3.3) lets the rate rise
during one run, and takes two rates off the curve by eye: the one "when the accuracy starts to
increase", and the one "when the accuracy slows, becomes ragged, or starts to fall". The rule here
says the same of the smoothed training loss, with a share of its whole drop for "starts" and
"slows": from `lr_min` on a tenth of the drop is done for good, at `lr_max` all but the last tenth
for the first time; both lie before the lowest loss. A share depends neither on the loss's scale nor
on the rate's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from book.learning_rate.iterations import kept_every, stretches
from models.records import Record
from models.specs import RunSpec

SHARE = 0.1  # of the whole drop: what counts as starting, and what is left when it slows
SMOOTHING = 0.1  # decades of learning rate, the standard deviation of the smoothing's bell curve
SCATTERS = 3  # a drop must be so many times the losses' standard deviation about their smooth curve
ROUNDING = 1e-9  # and more than this share of the first losses
LOST = 2  # a loss counts as at most so many times the first ones: a lost run's can be anything
LEAST = 4  # points of a curve that a rule can be applied to
POINTS = 250  # losses that a test keeps, about


class RangeTestError(ValueError):
    """A curve that no bounds can be read off; the message says what to change."""


@dataclass(frozen=True)
class Curve:
    """Training loss (nats) and accuracy (0 to 1) against rising learning rates.

    Both are not a number where the loss is none.
    """

    rates: Sequence[float]
    losses: Sequence[float]
    accuracies: Sequence[float]


@dataclass(frozen=True)
class Bounds:
    """Where the loss starts to fall and where it slows, and the rate of the lowest loss.

    `at_the_start`: lr_min is among the first tenth of the rates, from which the first loss is
    taken, so that it may lie lower; `at_the_end`: the loss was lowest at the highest rate, so that
    lr_max may lie higher.
    """

    lr_min: float
    lr_max: float
    lowest: float
    at_the_start: bool
    at_the_end: bool


# The sweep


def sweep(base: RunSpec, lowest: float, highest: float) -> RunSpec:
    """Return Smith's test on a logarithmic scale: the rate rises by one factor an iteration."""
    kept = kept_every(base, POINTS)
    return base.with_(schedule="range-test", lr=lowest, max_lr=highest, loss_every=kept)


def swept(record: Record) -> Curve:
    """Return the curve of a sweep: a point a stretch of iterations."""
    points = stretches(record)
    return Curve(
        [point.rate for point in points],
        [point.loss for point in points],
        [point.accuracy for point in points],
    )


# The rule


def read_bounds(curve: Curve, share: float = SHARE) -> Bounds:
    """Read the bounds of a cycle off a range test's curve: see the module's text.

    Raises:
        RangeTestError: the loss is no number from the start, or does not fall by more than its
            scatter and its rounding.
    """
    rates, losses = finite(curve)
    first = max(1, losses.size // 10)
    start = float(np.median(losses[:first]))
    clipped = np.minimum(losses, LOST * start)
    smoothed = smooth(rates, clipped)
    end = first + int(np.argmin(smoothed[first:])) + 1
    rates, smoothed, clipped = rates[:end], smoothed[:end], clipped[:end]
    drop = start - smoothed[-1]
    needed = max(SCATTERS * float(np.std(clipped - smoothed)), ROUNDING * abs(start))
    if start > LOST * losses[0] or drop <= needed:
        raise _no_drop(curve, start, drop)
    lr_min, lr_max = _crossings(rates, smoothed, start - share * drop, start - (1 - share) * drop)
    at_the_start, at_the_end = bool(lr_min <= rates[first]), end == len(curve.rates)
    return Bounds(lr_min, lr_max, float(rates[-1]), at_the_start, at_the_end)


def finite(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rates and losses before the first loss that is no number.

    Raises:
        RangeTestError: there are too few of them.
    """
    losses = np.asarray(curve.losses, dtype=float)
    count = int(np.argmin(np.append(np.isfinite(losses), False)))
    if count < LEAST:
        why = f"the loss is no number from rate {curve.rates[count]:.2g} on; begin lower"
        raise RangeTestError(
            f"expected a range test with at least {LEAST} finite losses, got {count}: "
            + (why if count < losses.size else "train longer or try more candidates")
        )
    return np.asarray(curve.rates, dtype=float)[:count], losses[:count]


def smooth(rates: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Average values (n,) over their neighbours on the logarithmic axis, by a bell curve."""
    places = np.log10(np.asarray(rates, dtype=float))
    weights = np.exp(-0.5 * ((places[:, None] - places) / SMOOTHING) ** 2)  # (n, n)
    return np.asarray(weights @ np.asarray(values, dtype=float) / weights.sum(axis=1))


def _no_drop(curve: Curve, start: float, drop: float) -> RangeTestError:
    """Return the error of a loss that does not fall, with what to change."""
    stays = curve.losses[-1] <= LOST * start  # false of a last loss that is no number
    lost = start > LOST * curve.losses[0] or not stays
    advice = "begin at a lower rate" if lost else "end at a higher rate, or train for more epochs"
    return RangeTestError(
        f"expected a loss that falls by more than {SCATTERS} times its scatter between the rates "
        f"{curve.rates[0]:.2g} and {curve.rates[-1]:.2g}, got a drop of {drop:.2g}: {advice}"
    )


def _crossings(
    rates: NDArray[np.float64], values: NDArray[np.float64], upper: float, lower: float
) -> tuple[float, float]:
    """Return the rates at which values fall below a level for good, and then reach a lower one.

    The last of the values is the lowest.
    """
    above = np.flatnonzero(values >= upper)
    left = int(above[-1]) if above.size else 0
    reached = left + 1 + int(np.argmax(values[left + 1 :] <= lower))
    return _between(rates, values, left, upper), _between(rates, values, reached - 1, lower)


def _between(
    rates: NDArray[np.float64], values: NDArray[np.float64], left: int, level: float
) -> float:
    """Return the rate at which a line through two neighbours has the level.

    The right one of them is lower.
    """
    pair = [left + 1, left]
    return float(10 ** np.interp(level, values[pair], np.log10(rates[pair])))


# Rates to train with


def typical(rates: Sequence[float], digits: int = 2) -> float:
    """Return the geometric mean of rates, in two digits: a rate to train with.

    >>> typical([0.01, 0.04])
    0.02
    """
    return rounded(float(np.exp(np.mean(np.log(rates)))), digits)


def rounded(number: float, digits: int) -> float:
    """Return a number in so many significant digits.

    >>> rounded(0.01234, 2)
    0.012
    """
    return float(f"{number:.{digits}g}")
