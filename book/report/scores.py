"""How runs end: accuracies and losses as rows of a table, and variants counted by how they compare."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from book.report.comparisons import compare
from book.report.experiments import Results, difference, mean
from book.report.intervals import Interval
from models.records import Record

VARIANT_HEADERS = ("variant", "train acc., %", "test acc., %", "difference, points", "in words")

SCORE_HEADERS = ("train acc., %", "train loss", "test acc., %", "test loss")

#: Columns of a table of scores: what, as a factor of, with so many digits.
SCORES: Sequence[tuple[str, float, int]] = (
    ("train_accuracy", 100, 2),
    ("train_loss", 1, 4),
    ("test_accuracy", 100, 2),
    ("test_loss", 1, 4),
)


def scores(records: Sequence[Record]) -> list[str]:
    """Accuracies (per cent) and losses (nats) at the end, on the training and the test set, in
    evaluation mode.

    A mean that a diverged run is part of is no number: it is said to have diverged.
    """
    return [_text(mean(records, name), digits, scale) for name, scale, digits in SCORES]


def score_differences(results: Results, first: str, second: str) -> list[str]:
    """The same columns: `first` − `second`, seed by seed."""
    gaps = [
        (difference(results, first, second, name), digits, scale) for name, scale, digits in SCORES
    ]
    return [_text(*gap, sign=True) for gap in gaps]


def _text(interval: Interval, digits: int, scale: float, *, sign: bool = False) -> str:
    return "diverged" if math.isnan(interval.mean) else interval.text(digits, scale, sign=sign)


def score_rows(results: Results, variants: Iterable[str] | None = None) -> list[list[str]]:
    """A row a variant, of all or of some: accuracies and losses at the end, as `SCORE_HEADERS`
    names them.
    """
    return [[name, *scores(results[name])] for name in variants or results]


def variant_rows(results: Results, reference: str) -> list[list[str]]:
    """A row a variant, as `VARIANT_HEADERS` names it; the differences in test accuracy are those
    from `reference`.
    """
    rows = []
    for name, records in results.items():
        accuracies = [
            mean(records, part).text(2, 100) for part in ("train_accuracy", "test_accuracy")
        ]
        compared = compare(results, name, reference)
        words = ["–", "the reference"] if name == reference else [compared.text, compared.words]
        rows.append([f"{name}{_diverged(records)}", *accuracies, *words])
    return rows


def _diverged(records: Sequence[Record]) -> str:
    count = sum(record.diverged for record in records)
    return f" ({count} of {len(records)} diverged)" if count else ""


@dataclass(frozen=True)
class Tally:
    """Variants by how their test accuracy compares with a reference's."""

    better: list[str]
    worse: list[str]
    undecided: list[str]

    @property
    def text(self) -> str:
        """The counts in words, such as `1 better, 9 worse, 5 not to be told apart`."""
        numbers = (len(self.better), len(self.worse), len(self.undecided))
        return ", ".join(
            f"{n} {words}"
            for n, words in zip(numbers, ("better", "worse", "not to be told apart"), strict=True)
        )


def tally(results: Results, reference: str) -> Tally:
    """All other variants, sorted by whether they are clearly better or worse than the reference."""
    compared = [compare(results, name, reference) for name in results if name != reference]
    undecided = [one.first for one in compared if not one.is_clear]
    better = [one.first for one in compared if one.is_clear and one.difference.mean > 0]
    worse = [one.first for one in compared if one.is_clear and one.difference.mean < 0]
    return Tally(better, worse, undecided)
