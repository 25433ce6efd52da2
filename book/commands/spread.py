"""By how much two trainings of one run may differ: as two seeds of it do.

A difference of two draws has twice the variance of one, so it may be as large as Student's t times
the square root of 2 times the seeds' standard deviation. The record itself is left out of these:
what is wrong with it must not widen its own tolerance. Two other seeds know their standard
deviation badly, none not at all. So each variant's variance is moderated by those of its like: the
variants of the same network, data set and activation function, with or without a normalization as
itself, after as many epochs and in units that make them of a kind (`book.commands.outcomes.unit`).
By how much these vary beyond chance tells how many degrees of freedom a typical one is worth (Smyth
2004, Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments, sections 3 and 6.2). Where the like are too few or too equal for that, all of the
network and data set take their place, then all published ones, at last with their pooled variance.
Variants that guess to the end are nobody's like.
Where no variant has two seeds, an accuracy may still differ by its binomial standard errors, and a
loss is not judged.

Student's t is that of a bell curve. Where one seed in ten goes astray, as with batch norms whose
statistics are held still, that seed does not pass for the others: such variants are judged too
strictly.

Both trainings begin with the same weights and see the same examples in the same order, which can
only bring them closer than two seeds are: the tolerance errs on the side of agreement.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import digamma, ndtri, polygamma, stdtr, stdtrit

from book.commands.outcomes import measured, unit
from book.report.experiments import learned_nothing
from models.records import Record
from models.specs import RunSpec

LEAST = 3  # variances, whose own variance can be told


def _same_kind(one: RunSpec, other: RunSpec) -> bool:
    normalized = (one.norm == "none") == (other.norm == "none")
    return _same_task(one, other) and one.activation == other.activation and normalized


def _same_task(one: RunSpec, other: RunSpec) -> bool:
    return (one.network, one.dataset) == (other.network, other.dataset)


#: Whose spreads may stand beside a variant's, from the most alike on.
LIKE: tuple[Callable[[RunSpec, RunSpec], bool], ...] = (_same_kind, _same_task, lambda *_: True)


@dataclass(frozen=True)
class Spread:
    """The standard deviation of a measure between seeds, known with so many degrees of freedom."""

    deviation: float
    freedom: float

    def tolerance(self, level: float) -> float:
        """Return the difference that two seeds exceed with a chance of `level`."""
        return float(self._error * stdtrit(self.freedom, 1 - level / 2))

    def p(self, difference: float) -> float:
        """Return the chance that two seeds differ as much or more."""
        return float(2 * stdtr(self.freedom, -self._errors(difference)))

    def score(self, difference: float) -> float:
        """Return the difference as a standard normal variable that is as improbable."""
        tail = ndtri(stdtr(self.freedom, -self._errors(difference)))
        return float(math.copysign(tail, difference))

    @property
    def _error(self) -> float:
        return math.sqrt(2) * self.deviation

    def _errors(self, difference: float) -> float:
        if self.deviation:
            return abs(difference) / self._error
        return math.inf if difference else 0.0


@dataclass(frozen=True)
class Sample:
    """One variant's seeds: the unit, and in it their variance and its degrees of freedom."""

    unit: float
    variance: float
    freedom: int

    @classmethod
    def of(cls, spec: RunSpec, measure: str, values: Sequence[float]) -> Sample:
        """Return the sample of a variant's values, one a seed."""
        one = unit(spec, measure, float(np.mean(values)))
        variance = float(np.var(np.divide(values, one), ddof=1)) if len(values) > 1 else 0.0
        return cls(one, variance, len(values) - 1)


def moderated(own: Sample, known: Sequence[Sample]) -> Spread | None:
    """Return a variant's spread, moderated by those of its like, its own among them.

    None if these are too few to tell how alike they are.
    """
    prior = _prior([sample for sample in known if sample.variance])
    if prior is None:
        return None
    variance, freedom = prior
    total = freedom + own.freedom
    mean = (freedom * variance + own.freedom * own.variance) / total
    return Spread(own.unit * math.sqrt(mean), total)


def pooled(own: Sample, known: Sequence[Sample]) -> Spread | None:
    """Return the spread of a variant that has that of all known ones; None if none has any."""
    freedom = sum(sample.freedom for sample in known)
    if not freedom:
        return None
    variance = sum(sample.freedom * sample.variance for sample in known) / freedom
    return Spread(own.unit * math.sqrt(variance), freedom)


def _prior(known: Sequence[Sample]) -> tuple[float, float] | None:
    """Return a typical variance and the degrees of freedom that it is worth (Smyth, section 6.2).

    How much the variances vary is taken a standard error higher than it is estimated: a few that
    happen to be alike are no proof that all are. None if they are too few, or alike all the same.
    """
    if len(known) < LEAST:
        return None
    half = np.array([sample.freedom for sample in known]) / 2
    logs = np.log([sample.variance for sample in known]) - digamma(half) + np.log(half)
    highest = np.var(logs, ddof=1) * (1 + math.sqrt(2 / (len(known) - 1)))
    excess = float(highest - np.mean(polygamma(1, half)))
    if excess <= 0:
        return None
    freedom = 2 * inverse_trigamma(excess)
    log = np.mean(logs) + digamma(freedom / 2) - math.log(freedom / 2)
    return float(np.exp(log)), freedom


def inverse_trigamma(value: float) -> float:
    """Return the x of which the trigamma function is a positive value (Newton; Smyth's appendix).

    >>> round(inverse_trigamma(float(polygamma(1, 2.5))), 9)
    2.5
    """
    x, step = 0.5 + 1 / value, -1.0
    while -step / x > 1e-9:
        now = float(polygamma(1, x))
        step = now * (1 - now / value) / float(polygamma(2, x))
        x += step
    return x


class Spreads:
    """The spreads between seeds of published runs."""

    def __init__(self, published: Iterable[Record]) -> None:
        self._variants = defaultdict[str, list[Record]](list)
        for record in published:
            self._variants[variant(record.spec)].append(record)
        self._samples = cache(self._find_samples)

    def of(self, record: Record, measure: str, epoch: int, about: float) -> Spread | None:
        """Return the spread of a measure of a record's variant after so many epochs, if known.

        The record itself is left out: what is wrong with it must not widen its tolerance. `about`
        is a value where its variant has no other one.
        """
        spec, name = record.spec, variant(record.spec)
        others = [one for one in self._variants.get(name, ()) if one.key != record.key]
        own = _sample(spec, others, measure, epoch) or Sample(unit(spec, measure, about), 0.0, 0)
        samples = {**self._samples(measure, epoch), name: (spec, own)}.values()
        circles = [[one for other, one in samples if like(other, spec)] for like in LIKE]
        found = (moderated(own, known) for known in circles)
        spread = next(filter(None, found), None) or pooled(own, circles[-1])
        if spread is None and measure.endswith("accuracy"):
            return Spread(own.unit, math.inf)
        return spread

    def seeds(self, spec: RunSpec) -> int:
        """Return how many runs of a variant are published."""
        return len(self._variants.get(variant(spec), ()))

    def _find_samples(self, measure: str, epoch: int) -> dict[str, tuple[RunSpec, Sample]]:
        """Return the sample of each variant that has the measure after so many epochs.

        Those that guess to the end are left out: how alike these are tells nothing of the others.
        """
        variants = (
            (name, known[0].spec, known)
            for name, known in self._variants.items()
            if not all(map(learned_nothing, known))
        )
        samples = (
            (name, spec, _sample(spec, known, measure, epoch)) for name, spec, known in variants
        )
        return {name: (spec, sample) for name, spec, sample in samples if sample}


def _sample(spec: RunSpec, records: Sequence[Record], measure: str, epoch: int) -> Sample | None:
    """Return the sample of a variant's records after so many epochs; None where none has it."""
    long = (record for record in records if len(record.history) >= epoch)
    values = [measured(spec, record, epoch).get(measure) for record in long]
    known = [value for value in values if value is not None]
    if not known or unit(spec, measure, float(np.mean(known))) <= 0:
        return None
    return Sample.of(spec, measure, known)


def variant(spec: RunSpec) -> str:
    """Return the name of a run's variant: what all its seeds share."""
    return spec.model_copy(update={"seed": 0}).key
