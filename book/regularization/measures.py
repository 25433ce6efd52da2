"""Measures of a run, each a function of its record, compared between variants seed by seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from book.report.experiments import Results
from book.report.intervals import Interval, mean_interval, paired_difference, verdict
from book.report.parameters import ParameterError
from models.records import Record


@dataclass(frozen=True)
class Measure:
    """A number of one record, and how a table shows it: its label, its digits, times what scale."""

    label: str
    of: Callable[[Record], float]
    digits: int = 2
    scale: float = 1.0

    def mean(self, records: Sequence[Record]) -> Interval:
        """Return the mean over seeds."""
        return mean_interval([self.of(record) for record in records])

    def difference(self, results: Results, first: str, second: str) -> Interval:
        """Return the mean of `first` − `second`, seed by seed."""
        ours, theirs = ([self.of(record) for record in results[name]] for name in (first, second))
        return paired_difference(ours, theirs)

    def text(self, interval: Interval, *, sign: bool = False) -> str:
        """Return an interval of this measure as tables and sentences show it."""
        return interval.text(self.digits, self.scale, sign=sign)


@dataclass(frozen=True)
class Contrast:
    """A measure of two variants, and what `more` and `less` of it in `first` than `second` mean."""

    measure: Measure
    first: str
    second: str
    more: str
    less: str

    def difference(self, results: Results) -> Interval:
        """Return the mean of `first` − `second`, seed by seed."""
        return self.measure.difference(results, self.first, self.second)

    def text(self, results: Results) -> str:
        """Return the difference with its interval."""
        return self.measure.text(self.difference(results), sign=True)

    def words(self, results: Results) -> str:
        """Return the verdict."""
        return verdict(self.difference(results), self.more, self.less)

    def row(self, results: Results) -> list[str]:
        """Return what was compared, the difference, and the verdict."""
        compared = f"{self.measure.label}: {self.first} − {self.second}"
        return [compared, self.text(results), self.words(results)]


def require_finished(results: Results) -> None:
    """Refuse runs that diverged: of a network that has lost its way there is nothing to measure.

    Raises:
        ParameterError: Names the variants.
    """
    lost = [name for name, records in results.items() if any(record.diverged for record in records)]
    if lost:
        lr = results[lost[0]][0].spec.lr
        raise ParameterError(
            f"lr must be a rate at which every variant trains; at {lr:g} {', '.join(lost)} diverged"
        )


def mean_rows(
    results: Results, variants: Sequence[str], measures: Sequence[Measure]
) -> list[list[str]]:
    """Return a row a variant: its mean of each measure with its interval."""
    return [[name, *(one.text(one.mean(results[name])) for one in measures)] for name in variants]


def difference_rows(
    results: Results, pairs: Sequence[tuple[str, str]], measures: Sequence[Measure]
) -> list[list[str]]:
    """Return a row a pair of variants: the difference in each measure, bold where it is clear.

    It is clear where its interval excludes zero.
    """
    return [
        [f"{a} − {b}", *(_marked(one, one.difference(results, a, b)) for one in measures)]
        for a, b in pairs
    ]


def _marked(measure: Measure, difference: Interval) -> str:
    text = measure.text(difference, sign=True)
    return text if difference.could_be_noise else f"**{text}**"


def place_rows(
    results: Results, variants: Sequence[str], measures: Mapping[str, Measure]
) -> list[list[str]]:
    """Return a row a measure, such as one a layer: its name, then each variant's mean."""
    return [
        [name, *(one.text(one.mean(results[variant])) for variant in variants)]
        for name, one in measures.items()
    ]
