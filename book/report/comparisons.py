"""Variants compared: paired differences of accuracies, with their uncertainty, and in words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from book.report.experiments import Results, after, difference, final, mean
from book.report.intervals import (
    IDENTICAL,
    LEVEL,
    Interval,
    holm,
    mean_interval,
    p_value,
    paired_difference,
    too_few,
    verdict,
)
from book.report.methods import spoken
from models.records import Record

WORDS = ("better", "worse")
PAIR_HEADERS = ("test accuracy", "difference, points", "in words")


@dataclass(frozen=True)
class Comparison:
    """The accuracy of `first` less that of `second`, seed by seed, from 0 to 1.

    `adjusted` is its p value as one of a family (`corrected`); None of one that stands alone.
    """

    first: str
    second: str
    difference: Interval
    adjusted: float | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the difference's interval excludes zero, and in a family would by Holm, too."""
        of_many = self.adjusted is not None and self.adjusted >= 1 - LEVEL
        return not self.difference.could_be_noise and not of_many

    @property
    def is_better(self) -> bool:
        """Whether `first` is clearly more accurate."""
        return self.is_clear and self.difference.mean > 0

    @property
    def is_worse(self) -> bool:
        """Whether `first` is clearly less accurate."""
        return self.is_clear and self.difference.mean < 0

    @property
    def points(self) -> float:
        """The size of the difference, in percentage points, whichever way it goes."""
        return 100 * abs(self.difference.mean)

    @property
    def size(self) -> str:
        """The same with its interval, such as `1.20 ± 0.20`."""
        return self.difference.affine(-1 if self.difference.mean < 0 else 1).text(2, 100)

    @property
    def text(self) -> str:
        """The difference in percentage points, such as `+0.12 ± 0.05`."""
        return self.difference.text(2, 100, sign=True)

    @property
    def marked(self) -> str:
        """The same in Markdown, in bold where the difference is clear."""
        return f"**{self.text}**" if self.is_clear else self.text

    @property
    def words(self) -> str:
        """What the difference says of `first`."""
        if self.difference.half_width is None:
            return f"{too_few(self.difference)} can't tell"
        if self.difference.is_identical:
            return IDENTICAL
        if self.is_clear:
            return verdict(self.difference, *WORDS)
        return f"could be noise{'' if self.difference.could_be_noise else ' among so many'}"

    @property
    def sentence(self) -> str:
        """The comparison as a sentence without its full stop, which begins with `first`."""
        first, second = spoken(self.first), spoken(self.second)
        if self.difference.is_identical:
            return f"{first} is as accurate as {second}: {IDENTICAL}"
        if self.is_clear:
            return f"{first} is {self.size} percentage points {self.words} than {second}"
        link = "and" if self.difference.half_width is None else "which"
        return (
            f"{first} differs from {second} by {self.text} percentage points, {link} {self.words}"
        )


def compare(results: Results, first: str, second: str, name: str = "test_accuracy") -> Comparison:
    """Compare two variants with the same seeds by an accuracy at the end of their runs."""
    return Comparison(first, second, difference(results, first, second, name))


def extra_gain(there: Results, here: Results, first: str, second: str) -> Interval:
    """Return by how much more `first` gains over `second` there than here, in test accuracy.

    From 0 to 1, seed by seed, of those that both have.
    """
    more, less = (
        np.subtract(final(results[first], "test_accuracy"), final(results[second], "test_accuracy"))
        for results in (there, here)
    )
    seeds = min(len(more), len(less))
    return mean_interval((more[:seeds] - less[:seeds]).tolist())


def corrected(family: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons of a family, each judged as one of so many (Holm 1979)."""
    adjusted = holm([p_value(one.difference) for one in family])
    return [replace(one, adjusted=p) for one, p in zip(family, adjusted, strict=True)]


def against(results: Results, reference: str) -> dict[str, Comparison]:
    """Compare all other variants with one, as a family, by their names."""
    others = [name for name in results if name != reference]
    family = corrected([compare(results, name, reference) for name in others])
    return dict(zip(others, family, strict=True))


def at_epoch(results: Results, first: str, second: str, epoch: int) -> Comparison:
    """Compare two variants with the same seeds by their test accuracy after so many epochs."""
    ours, theirs = (after(results[name], "test_accuracy", epoch) for name in (first, second))
    return Comparison(first, second, paired_difference(ours, theirs))


def sentences(comparisons: Iterable[Comparison]) -> str:
    """Tell comparisons in prose, each in a sentence of its own.

    >>> from book.report.intervals import NBSP
    >>> better = Comparison("both", "dropout", Interval(0.012, 0.002, 5))
    >>> sentences([better]).replace(NBSP, " ")
    'Their combination is 1.20 ± 0.20 percentage points better than dropout alone.'
    """
    return " ".join(f"{one.sentence[0].upper()}{one.sentence[1:]}." for one in comparisons)


def pair_rows(comparisons: Iterable[Comparison]) -> list[list[str]]:
    """Return a row a comparison, as `PAIR_HEADERS` names it."""
    return [[f"{one.first} − {one.second}", one.text, one.words] for one in comparisons]


def settings_rows(
    settings: Mapping[str, Results], pairs: Collection[tuple[str, str]]
) -> list[list[str]]:
    """Return a row a setting: each pair's difference, in bold where its interval excludes zero."""
    return [
        [setting, *(compare(results, *pair).marked for pair in pairs)]
        for setting, results in settings.items()
    ]


def intervals_in(settings: Mapping[str, Results], pairs: Collection[tuple[str, str]]) -> int:
    """Count how many of these differences have an interval: those of three seeds or more."""
    comparisons = [compare(results, *pair) for results in settings.values() for pair in pairs]
    return sum(one.difference.half_width is not None for one in comparisons)


def leader(results: Results, name: str = "test_accuracy") -> str:
    """Return the variant with the highest mean; of equals the first."""
    return max(results, key=lambda variant: mean(results[variant], name).mean)


def leader_sentence(results: Results, reference: str, called: str = "{}") -> str:
    """Tell which variant has the highest mean test accuracy, and how it differs from `reference`.

    `called` is how the sentence calls a variant, such as `the rate {}`.
    """
    best = leader(results)
    opening = f"The highest mean test accuracy belongs to {called.format(best)}"
    if best == reference:
        return f"{opening}."
    gap = compare(results, best, reference)
    other = called.format(reference)
    return f"{opening}; against {other} it changes by {gap.text} points: {gap.words}."


def series(results: Results, names: Mapping[str, str]) -> dict[str, list[Interval]]:
    """Return for each of some accuracies, by its label, all variants' means, per cent."""
    return {
        label: [mean_interval(final(records, name, scale=100)) for records in results.values()]
        for label, name in names.items()
    }


def by_setting(settings: Iterable[Results], variants: Iterable[str]) -> dict[str, list[Interval]]:
    """Return for each variant its mean test accuracy in each setting, per cent."""
    settings = list(settings)
    return {
        name: [
            mean_interval(final(results[name], "test_accuracy", scale=100)) for results in settings
        ]
        for name in variants
    }


def generalization_gap(records: Sequence[Record]) -> list[float]:
    """Return training less test accuracy at the end of each run, from 0 to 1.

    Both are judged in evaluation mode.
    """
    return [
        record.diagnostics["train_accuracy"] - record.diagnostics["test_accuracy"]
        for record in records
    ]
