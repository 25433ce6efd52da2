"""Batch norm and dropout with few and with many training images: where each begins to cost."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from book.report import figures, tuning
from book.report.comparisons import Comparison, compare, corrected
from book.report.experiments import Results, Variants, available_images, final
from book.report.intervals import Interval, mean_interval
from book.report.methods import BATCH_NORM, BATCH_NORM_ONE_SEED, BOTH, DROPOUT, NEITHER
from models.records import Record
from models.specs import RunSpec

Value = TypeVar("Value")

#: Results by the number of different training images.
BySize = Mapping[int, Results]

#: Candidate rates with few images, beside the variants' own.
RATES = tuning.RATES[1:]

#: What is compared at every size: the first less the second.
PAIRS = (
    (BATCH_NORM, NEITHER),
    (DROPOUT, NEITHER),
    (BOTH, NEITHER),
    (BOTH, BATCH_NORM),
    (BOTH, DROPOUT),
)

#: What one seed's rate makes of batch norm, and how both compare with it.
AT_ONE_SEED_RATE = (
    (BATCH_NORM_ONE_SEED, NEITHER),
    (BATCH_NORM, BATCH_NORM_ONE_SEED),
    (BOTH, BATCH_NORM_ONE_SEED),
)

SMALLEST_ERROR = 0.01  # per cent: as far down as a bar reaches on a logarithmic axis
ROOM = 4  # times as many images have a number beside the last one's

HEADERS = (
    "images",
    "neither: test acc., %",
    *(f"{first} − {second}" for first, second in PAIRS),
)


def needing_another_rate(variants: Variants, tuned: tuning.Tuned) -> list[str]:
    """Return the variants whose own rate does not tie with the best, within a standard error."""
    return [
        name
        for name, trials in tuned.trials.items()
        if variants[name].lr not in tuning.tied(trials, tuned.rates[name])
    ]


def left_to_judge(base: RunSpec, few: Variants, most: int) -> int:
    """Return how many of a run's images judge those that train on few of them, `most` at most."""
    used = max(available_images(spec) for spec in few.values())
    return min(most, available_images(base) - used)


def with_one_seed_rate(rated: Mapping[str, Value], once: Mapping[str, Value]) -> dict[str, Value]:
    """Return variants, or what they gave, with batch norm at one seed's rate beside them."""
    return {BATCH_NORM_ONE_SEED: once[BATCH_NORM], **rated}


def compared(by_size: BySize, first: str, second: str) -> dict[int, Comparison]:
    """Compare two networks' test accuracy at every size, as a family (Holm 1979)."""
    pairs = [compare(results, first, second) for results in by_size.values()]
    return dict(zip(by_size, corrected(pairs), strict=True))


def turn(by_size: BySize, first: str, second: str) -> tuple[int, int] | None:
    """Return up to how many images the first network is better, and from how many it is worse.

    The largest and the smallest size at which the comparison is clear, as one of all sizes; None
    where it is clear on one side only, or where the two sides are mixed.
    """
    found = compared(by_size, first, second)
    better = [size for size, one in found.items() if one.is_better]
    worse = [size for size, one in found.items() if one.is_worse]
    return (max(better), min(worse)) if better and worse and max(better) < min(worse) else None


def falls(found: Iterable[Comparison]) -> bool:
    """Return whether mean differences fall from each to the next."""
    return all(one.difference.mean > two.difference.mean for one, two in pairwise(found))


def rows(by_size: BySize) -> list[list[object]]:
    """Return a row a size, as `HEADERS` names it; in bold where a difference is clear."""
    return [
        [
            size,
            _mean(final(results[NEITHER], "test_accuracy")),
            *marked,
        ]
        for (size, results), (_, *marked) in zip(
            by_size.items(), differences(by_size, PAIRS), strict=True
        )
    ]


def differences(by_size: BySize, pairs: Iterable[tuple[str, str]]) -> list[list[object]]:
    """Return a row a size: the first less the second; in bold where a difference is clear."""
    families = [compared(by_size, *pair) for pair in pairs]
    return [[size, *(family[size].marked for family in families)] for size in by_size]


def _mean(values: Sequence[float]) -> str:
    return mean_interval(values).text(2, 100)


def draw(by_size: BySize, variants: Sequence[str]) -> Figure:
    """Draw the test error against the number of images, and what the methods gain over neither."""
    sizes = list(by_size)
    figure, ((left, right),) = figures.new(2, size=(6.4, 3.0))
    errors = {name: [_error(results[name]) for results in by_size.values()] for name in variants}
    figures.sweep(left, sizes, errors, limits=(SMALLEST_ERROR, 100.0))
    left.set(ylabel="test error, %", yscale="log")
    left.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_locator(NullLocator())
    gains = {
        name: [compare(found, name, NEITHER).difference.affine(100) for found in by_size.values()]
        for name in variants
        if name != NEITHER
    }
    ends = figures.sweep(right, sizes, gains)
    right.axhline(0, color=NEITHER.colour, lw=1.5)
    right.set(ylabel="gain over neither, points")
    for ax in (left, right):
        _count_images(ax, sizes)
    figures.label_ends(right, [*ends, (0.0, NEITHER, NEITHER.colour)])
    return figure


def _error(records: Sequence[Record]) -> Interval:
    return mean_interval(final(records, "test_accuracy")).affine(-100, 100)


def _count_images(ax: Axes, sizes: Sequence[int]) -> None:
    """Give an axis of images a mark for each size, and a number where there is room for it."""
    ax.set(xlabel="training images", xscale="log")
    numbered = [sizes[0]]
    for size in sizes[1:]:
        if size >= ROOM * numbered[-1]:
            numbered.append(size)
    ax.set_xticks(numbered)
    ax.set_xticks([size for size in sizes if size not in numbered], minor=True)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_minor_formatter(NullFormatter())
