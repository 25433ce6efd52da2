"""The learning-rate range test: its runs, and the bounds that are read off its curve by a rule.

Smith 2015 (Cyclical learning rates for training neural networks, section 3.3) lets the rate rise
during one run, and takes two rates off the curve by eye: the one "when the accuracy starts to
increase", and the one "when the accuracy slows, becomes ragged, or starts to fall". The rule here
says the same of the smoothed training loss, with a share of its whole drop for "starts" and
"slows": from `lr_min` on a tenth of the drop is done for good, at `lr_max` all but the last tenth
for the first time; both lie before the lowest loss. A share depends neither on the loss's scale nor
on the rate's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from book.learning_rate.iterations import Stretch, stretches
from book.report.experiments import training_size
from book.report.intervals import Interval, mean_interval
from models.records import Record
from models.specs import RunSpec

SHARE = 0.1  # of the whole drop: what counts as starting, and what is left when it slows
SMOOTHING = 0.1  # decades of learning rate, the standard deviation of the smoothing's bell curve
SCATTERS = 3  # a drop must be so many times the losses' standard deviation about their smooth curve
ROUNDING = 1e-9  # and more than this share of the first losses
LOST = 2  # a loss counts as at most so many times the first ones: a lost run's can be anything
LEAST = 4  # points of a curve that a rule can be applied to
SAME = 2  # bounds of one test on two machines may differ by so many times
POINTS = 250  # losses that a test keeps, about


class RangeTestError(ValueError):
    """A curve that no bounds can be read off; the message says what to change."""


@dataclass(frozen=True)
class Curve:
    """Training loss (nats) and accuracy (0 to 1) against rising learning rates; not a number where
    the loss is none.
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


# Runs


def sweep(base: RunSpec, lowest: float, highest: float) -> RunSpec:
    """Smith's test, on a logarithmic scale: one run whose rate rises by the same factor after every
    iteration.
    """
    return base.with_(
        schedule="range-test", lr=lowest, max_lr=highest, loss_every=kept_every(base, POINTS)
    )


def continued(base: RunSpec, lowest: float, highest: float, candidates: int) -> RunSpec:
    """The candidates one after the other in one run, each for an equal share of its iterations."""
    return sweep(base, lowest, highest).with_(candidates=candidates)


def fresh(base: RunSpec, lowest: float, highest: float, candidates: int) -> dict[float, RunSpec]:
    """A run of its own for each candidate, by its rate."""
    return {rate: base.with_(lr=rate) for rate in spaced(lowest, highest, candidates)}


def spaced(lowest: float, highest: float, count: int) -> list[float]:
    """Rates at equal factors, both ends included, in three digits (so that their runs have the same
    name everywhere).

    >>> spaced(1e-9, 10, 10)[:3]
    [1e-09, 1.29e-08, 1.67e-07]
    """
    return [rounded(rate, 3) for rate in np.geomspace(lowest, highest, count)]


def rounded(number: float, digits: int) -> float:
    """A number in so many significant digits.

    >>> rounded(0.01234, 2)
    0.012
    """
    return float(f"{number:.{digits}g}")


def kept_every(spec: RunSpec, points: int) -> int:
    """How many iterations share one kept loss, so that a run keeps about so many."""
    return max(1, round(spec.epochs * examples(spec) / spec.batch_size / points))


def examples(spec: RunSpec) -> int:
    """Images that a run trains on: without those held out."""
    return training_size(spec) - spec.validation_size


# Curves


def swept(record: Record) -> Curve:
    """The curve of a sweep: a point a stretch of iterations."""
    points = stretches(record)
    return Curve([p.rate for p in points], [p.loss for p in points], [p.accuracy for p in points])


def stairs(record: Record) -> Curve:
    """The curve of a continued run: a point a candidate, the mean over its iterations.

    Stretches in which the rate changed count for neither candidate.
    """
    assert record.spec.candidates is not None
    rates = np.geomspace(
        record.spec.lr, record.spec.max_lr or record.spec.lr, record.spec.candidates
    )
    points = stretches(record)
    pure = [point for point in points if np.isclose(point.rate, rates, rtol=1e-6, atol=0).any()]
    groups = [list(group) for _, group in groupby(pure, key=lambda point: rounded(point.rate, 6))]
    return Curve(*zip(*map(_mean, groups), strict=True))


def _mean(points: Sequence[Stretch]) -> list[float]:
    """Mean rate, loss and accuracy, weighted by iterations."""
    rows = [(point.rate, point.loss, point.accuracy) for point in points]
    means = np.average(rows, axis=0, weights=[point.end - point.first for point in points])
    return [float(mean) for mean in means]


def separate(records: Mapping[float, Record]) -> Curve:
    """The curve of fresh starts: the running loss and accuracy of each run's last epoch."""
    ends = [records[rate].final for rate in sorted(records)]
    losses = [np.nan if end.train_loss is None else end.train_loss for end in ends]
    return Curve(sorted(records), losses, [end.train_accuracy for end in ends])


def smooth(rates: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Values (n,) averaged over their neighbours on the logarithmic axis, weighted by a bell curve."""
    places = np.log10(np.asarray(rates, dtype=float))
    weights = np.exp(-0.5 * ((places[:, None] - places) / SMOOTHING) ** 2)  # (n, n)
    return np.asarray(weights @ np.asarray(values, dtype=float) / weights.sum(axis=1))


# The rule


def bounds(curve: Curve, share: float = SHARE) -> Bounds:
    """The bounds of a cycle, read off a range test's curve: see the module's text.

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
    lost = (
        start > LOST * losses[0] or not curve.losses[-1] <= LOST * start
    )  # the last may be no number
    needed = max(SCATTERS * float(np.std(clipped - smoothed)), ROUNDING * abs(start))
    if start > LOST * losses[0] or drop <= needed:
        raise _no_drop(curve, drop, lost=lost)
    lr_min, lr_max = _crossings(rates, smoothed, start - share * drop, start - (1 - share) * drop)
    return Bounds(
        lr_min, lr_max, float(rates[-1]), bool(lr_min <= rates[first]), end == len(curve.rates)
    )


def finite(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rates and losses before the first loss that is no number.

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


def _no_drop(curve: Curve, drop: float, *, lost: bool) -> RangeTestError:
    advice = "begin at a lower rate" if lost else "end at a higher rate, or train for more epochs"
    return RangeTestError(
        f"expected a loss that falls by more than {SCATTERS} times its scatter between the rates "
        f"{curve.rates[0]:.2g} and {curve.rates[-1]:.2g}, got a drop of {drop:.2g}: {advice}"
    )


def _crossings(
    rates: NDArray[np.float64], values: NDArray[np.float64], upper: float, lower: float
) -> tuple[float, float]:
    """Rates at which values, of which the last is lowest, fall below a level for good, and then
    reach a lower one.
    """
    above = np.flatnonzero(values >= upper)
    left = int(above[-1]) if above.size else 0
    reached = left + 1 + int(np.argmax(values[left + 1 :] <= lower))
    return _between(rates, values, left, upper), _between(rates, values, reached - 1, lower)


def _between(
    rates: NDArray[np.float64], values: NDArray[np.float64], left: int, level: float
) -> float:
    """The rate between two neighbours, the right one of which is lower, at which a line through
    them has the level.
    """
    pair = [left + 1, left]
    return float(10 ** np.interp(level, values[pair], np.log10(rates[pair])))


def attempt(curve: Curve, share: float = SHARE) -> Bounds | None:
    """The bounds, or None where the rule finds none."""
    try:
        return bounds(curve, share)
    except RangeTestError:
        return None


def rows(readings: Mapping[str, Sequence[Curve]], share: float = SHARE) -> list[list[str]]:
    """A row a reading: how many of its curves have bounds, and for each bound the typical rate and
    its spread.
    """
    found = {
        label: [one for curve in curves if (one := attempt(curve, share))]
        for label, curves in readings.items()
    }
    return [
        [
            label,
            f"{len(ones)} of {len(readings[label])}",
            *_texts(ones, "lr_min"),
            *_texts(ones, "lr_max"),
        ]
        for label, ones in found.items()
    ]


def _texts(found: Sequence[Bounds], name: str) -> list[str]:
    rates = [getattr(bounds, name) for bounds in found]
    return [f"{typical(rates):g}", spread(rates).text(2)] if rates else ["–", "–"]


def differences(recorded: Record, retrained: Record) -> list[str]:
    """How the bounds of one test, trained twice, differ by more than a factor of two, in words.

    A range test ends in chaos, where other rounding gives other losses: what it has to say are the
    bounds.
    """
    old, new = (
        attempt(stairs(record) if record.spec.candidates else swept(record))
        for record in (recorded, retrained)
    )
    if old is None or new is None:
        return [] if old is new else ["only one of the two range tests has bounds"]
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in ("lr_min", "lr_max")]
    return [
        f"{name}: recorded {first:.2g}, retrained {again:.2g}, tolerance a factor of {SAME}"
        for name, first, again in pairs
        if not 1 / SAME <= again / first <= SAME
    ]


def best(curve: Curve) -> float:
    """The rate of the lowest loss; not a number where no loss is one."""
    losses = np.where(np.isfinite(curve.losses), curve.losses, np.inf)
    return curve.rates[int(np.argmin(losses))] if np.isfinite(losses).any() else float("nan")


def best_text(curves: Sequence[Curve]) -> str:
    """The rates of the lowest loss of several seeds, each once, from the lowest on."""
    return " or ".join(f"{rate:.2g}" for rate in sorted({best(curve) for curve in curves}))


def spread(values: Sequence[float]) -> Interval:
    """Mean of rates over seeds with its interval, in decades: of their logarithms to the base 10."""
    return mean_interval([float(np.log10(value)) for value in values])


def caveats(found: Sequence[Bounds]) -> str:
    """What to know of the bounds of several seeds: whether some lie at an edge of what was tried."""
    low, high = sum(one.at_the_start for one in found), sum(one.at_the_end for one in found)
    told = [
        f"in {count} of {len(found)} sweeps {what}"
        for count, what in (
            (low, "the loss falls from the first rates on, so that the lower bound may lie lower"),
            (high, "the loss is lowest at the last rate, so that the upper bound may lie higher"),
        )
        if count
    ]
    return "; ".join(told) or "no bound lies at an edge of the rates that were tried"


def moved_text(found: Sequence[Bounds], other: Curve) -> str:
    """Where another test's bounds lie, as multiples of the typical ones of several seeds; a main
    clause.
    """
    moved = attempt(other)
    if moved is None:
        return "no bounds are found"
    low, high = (
        getattr(moved, name) / typical([getattr(one, name) for one in found])
        for name in ("lr_min", "lr_max")
    )
    return f"the bounds lie at {low:.2f} and {high:.2f} times those of the sweeps above"


def typical(values: Sequence[float], digits: int = 2) -> float:
    """The geometric mean of rates, in two digits: a rate to train with.

    >>> typical([0.01, 0.04])
    0.02
    """
    return rounded(float(np.exp(np.mean(np.log(values)))), digits)
