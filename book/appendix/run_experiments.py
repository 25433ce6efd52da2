"""Every experiment: what a page compares, with how many seeds, and what these can tell apart."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # scipy.stats takes half a second to import

from book.appendix.run_records import Run, page_name
from book.report.intervals import LEVEL

HEADERS = (
    "page",
    "network, data",
    "images",
    "epochs",
    "runs",
    "minutes",
    "spread in points",
    "tells apart from",
)
RANGE_TEST = "range-test"  # a schedule under which a run is meant to fail
FEWEST = 3  # seeds of an interval: see `book.report.intervals.mean_interval`


@dataclass(frozen=True)
class Experiment:
    """The runs of a page on as many images for as long, each variant with as many seeds.

    `variants` holds the runs of each variant, one a seed.
    """

    page: str
    variants: tuple[tuple[Run, ...], ...]

    @property
    def runs(self) -> list[Run]:
        """All of its runs."""
        return [run for variant in self.variants for run in variant]

    @property
    def seeds(self) -> int:
        """How many seeds each variant has."""
        return len(self.variants[0])

    @property
    def minutes(self) -> float:
        """How long its trainings took together."""
        return sum(run.minutes for run in self.runs)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the test accuracy over seeds, points, pooled over the variants.

        None where no variant has two seeds to compare.
        """
        kept = [variant for variant in self.variants if all(map(is_comparable, variant))]
        return pooled_deviation([[run.accuracy for run in variant] for variant in kept])

    def smallest_difference(self, level: float = LEVEL) -> float | None:
        """Return the smallest difference of two variants that is told from noise, points.

        None where there are too few seeds for an interval.
        """
        if self.spread is None or self.seeds < FEWEST:
            return None
        return half_width(self.spread, self.seeds, level)


def is_comparable(run: Run) -> bool:
    """Whether a run was trained to be accurate, and was: no range test, and not diverged."""
    return run.record.spec.schedule != RANGE_TEST and not run.record.diverged


def pooled_deviation(groups: Iterable[Sequence[float]]) -> float | None:
    """Return the standard deviation within groups, their variances weighted by what they know.

    None without a group of two values.

    >>> pooled_deviation([[1.0, 3.0], [5.0, 7.0]]) == math.sqrt(2)
    True
    """
    kept = [group for group in groups if len(group) > 1]
    if not kept:
        return None
    squares = sum(np.var(group, ddof=1) * (len(group) - 1) for group in kept)
    return math.sqrt(squares / sum(len(group) - 1 for group in kept))


def half_width(spread: float, seeds: int, level: float = LEVEL) -> float:
    """Return the half width of the interval of a difference of two means over so many seeds.

    It is the book's own interval of paired differences (`book.report.intervals`), each of which has
    √2 times the `spread` of one run, as if two variants had nothing in common but their seed.

    >>> round(half_width(0.1, seeds=5), 3)
    0.176
    """
    quantile = float(stdtrit(seeds - 1, (1 + level) / 2))
    return quantile * math.sqrt(2) * spread / math.sqrt(seeds)


def experiments(runs: Sequence[Run], pages: Iterable[str]) -> list[Experiment]:
    """Group the runs by the pages that use them, and by what a page compares."""
    return [
        Experiment(page, variants)
        for page in pages
        for variants in _compared([run for run in runs if page in run.pages])
    ]


def _compared(runs: Iterable[Run]) -> list[tuple[tuple[Run, ...], ...]]:
    """Group the runs of a page by their setting, and by how many seeds their variant has."""
    variants: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        variants.setdefault((*_setting(run), run.variant), []).append(run)
    groups: dict[tuple[object, ...], list[tuple[Run, ...]]] = {}
    for (*setting, _), seeded in variants.items():
        groups.setdefault((*setting, len(seeded)), []).append(tuple(seeded))
    return [tuple(groups[setting]) for setting in sorted(groups)]


def _setting(run: Run) -> tuple[object, ...]:
    spec = run.record.spec
    is_range_test = spec.schedule == RANGE_TEST
    return spec.network, spec.dataset, run.images, spec.epochs, is_range_test


def rows(found: Iterable[Experiment], level: float = LEVEL) -> list[list[object]]:
    """Return a row an experiment, as `HEADERS` names it; one of dashes where there is none."""
    return [_row(one, level) for one in found] or [["none", *[None] * (len(HEADERS) - 1)]]


def _row(one: Experiment, level: float) -> list[object]:
    run = one.runs[0]
    spec = run.record.spec
    return [
        f"{{doc}}`{page_name(one.page)} </{one.page}>`",
        f"{spec.network}, {spec.dataset}",
        run.images,
        spec.epochs,
        f"{len(one.variants)} × {one.seeds}",
        f"{one.minutes:.0f}",
        _points(one.spread),
        _points(one.smallest_difference(level)),
    ]


def _points(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def range_text(found: Iterable[Experiment], level: float = LEVEL) -> str:
    """Tell the finest and the coarsest of the experiments that tell anything, in a sentence."""
    limits = [(one.smallest_difference(level), one) for one in found]
    told = [(limit, one) for limit, one in limits if limit is not None]
    if not told:
        return "No experiment here has the seeds to tell a difference from noise."
    finest, coarsest = (choose(told, key=lambda pair: pair[0]) for choose in (min, max))
    return (
        f"The finest experiment can tell a difference of {_told(*finest)}; "
        f"the coarsest, only one of {_told(*coarsest)}."
    )


def _told(limit: float, one: Experiment) -> str:
    spec = one.runs[0].record.spec
    return (
        f"{limit:.2f} points ({spec.network} on {one.runs[0].images:,} images of {spec.dataset} "
        f"with {one.seeds} seeds, on the page “{page_name(one.page)}”)"
    )
