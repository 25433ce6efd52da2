"""Verdicts on claims, from runs: which stand, which do not, and which these runs leave open."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from book.report.experiments import final, mean
from book.report.intervals import NBSP, Interval, accuracy_limit, paired_difference
from models.data.datasets import DATASETS
from models.records import Record

STANDS, FALLS = "stands", "does not stand"
TOO_FEW, NOISE, DIVERGED = "open (too few seeds)", "open (could be noise)", "open (a run diverged)"
NOT_BORNE_OUT = "These runs do not bear out that"


def judge(claimed: Interval, limit: float | None = None) -> str:
    """Return the verdict on a claim, from an interval that is positive where the claim is right.

    Three seeds and more decide when the interval is clear of zero, and also, against the claim,
    when all of it lies within half the `limit`. One or two decide beyond the `limit` alone.
    """
    if math.isnan(claimed.mean):
        return DIVERGED
    if claimed.half_width is None:
        if limit is None or abs(claimed.mean) <= limit:
            return TOO_FEW
    elif claimed.could_be_noise:
        return FALLS if _within(claimed, limit) else NOISE
    return STANDS if claimed.mean > 0 else FALLS


def judge_alike(difference: Interval, limit: float) -> str:
    """Return the verdict on the claim that two are alike.

    Three seeds and more bear it out when all of the interval lies within half the `limit`; one seed
    or two can only speak against it.
    """
    if math.isnan(difference.mean):
        return DIVERGED
    if difference.half_width is None:
        return FALLS if abs(difference.mean) > limit else TOO_FEW
    if _within(difference, limit):
        return STANDS
    return NOISE if difference.could_be_noise else FALLS


def _within(interval: Interval, limit: float | None) -> bool:
    return limit is not None and -limit / 2 < interval.low and interval.high < limit / 2


@dataclass(frozen=True)
class AccuracyDifference:
    """Test accuracy of one side minus the other's.

    Too few seeds must exceed the `limit` to count (`accuracy_limit`).
    """

    interval: Interval
    limit: float

    @property
    def points(self) -> str:
        """In percentage points, with its interval."""
        return f"{self.interval.text(2, 100, sign=True)}{NBSP}points"

    @property
    def flipped(self) -> "AccuracyDifference":
        """The second side minus the first."""
        return AccuracyDifference(self.interval.affine(-1), self.limit)

    @property
    def margin(self) -> str:
        """The most that two that are alike may differ by, in percentage points (`judge_alike`)."""
        return f"{50 * self.limit:.2f}{NBSP}points"

    @property
    def alike(self) -> str:
        """The verdict on the claim that both sides are as accurate."""
        return judge_alike(self.interval, self.limit)

    @property
    def positive(self) -> str:
        """The verdict on the claim that the first side is more accurate."""
        return judge(self.interval, self.limit)


def accuracy_difference(first: Sequence[Record], second: Sequence[Record]) -> AccuracyDifference:
    """Return first minus second in test accuracy, over the seeds that both have."""
    shared = min(len(first), len(second))
    interval = paired_difference(
        final(first[:shared], "test_accuracy"), final(second[:shared], "test_accuracy")
    )
    accuracy = (mean(first, "test_accuracy").mean + mean(second, "test_accuracy").mean) / 2
    limit = accuracy_limit(accuracy, DATASETS[first[0].spec.dataset].test_size)
    return AccuracyDifference(interval, limit)


# What a page says


def doubt(said: Mapping[str, bool]) -> str:
    """Return a sentence that names what a page says and its runs do not bear out; else nothing.

    `said` has each thing that its text says, as a clause, and whether these runs bear it out: text
    that was written by hand is right for the runs it was written for, and a rerun may turn it.

    >>> doubt({"dropout hurts": True})
    ''
    >>> doubt({"dropout hurts": False, "batch norm helps": True})
    'These runs do not bear out that dropout hurts.'
    """
    lost = "; nor that ".join(clause for clause, holds in said.items() if not holds)
    return f"{NOT_BORNE_OUT} {lost}." if lost else ""
