"""How runs end: accuracies and losses as rows of tables, variants sorted by how they compare."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from book.report.comparisons import against
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
    """Return accuracies (per cent) and losses (nats) at the end, of training and test set.

    They are judged in evaluation mode. A mean that a diverged run is part of is no number: it is
    said to have diverged.
    """
    return [_score_text(mean(records, name), digits, scale) for name, scale, digits in SCORES]


def score_differences(results: Results, first: str, second: str) -> list[str]:
    """Return the same columns of `first` − `second`, seed by seed."""
    gaps = [
        (difference(results, first, second, name), digits, scale) for name, scale, digits in SCORES
    ]
    return [_score_text(*gap, sign=True) for gap in gaps]


def _score_text(interval: Interval, digits: int, scale: float, *, sign: bool = False) -> str:
    return "diverged" if math.isnan(interval.mean) else interval.text(digits, scale, sign=sign)


def score_rows(results: Results, variants: Iterable[str] | None = None) -> list[list[str]]:
    """Return a row a variant, of all or of some: its `scores`, as `SCORE_HEADERS` names them."""
    return [[name, *scores(results[name])] for name in variants or results]


def variant_rows(results: Results, reference: str) -> list[list[str]]:
    """Return a row a variant, as `VARIANT_HEADERS` names it.

    The differences in test accuracy are those from `reference`, judged as a family.
    """
    rows = []
    family = against(results, reference)
    for name, records in results.items():
        accuracies = [
            mean(records, part).text(2, 100) for part in ("train_accuracy", "test_accuracy")
        ]
        gap = family.get(name)
        words = [gap.text, gap.words] if gap else ["–", "the reference"]
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
        words = ("better", "worse", "not to be told apart")
        return ", ".join(f"{n} {word}" for n, word in zip(numbers, words, strict=True))


def tally(results: Results, reference: str) -> Tally:
    """Sort all others, as a family, by whether they are clearly better or worse than one."""
    comparisons = list(against(results, reference).values())
    clear = [one for one in comparisons if one.is_clear]
    return Tally(
        better=[one.first for one in clear if one.difference.mean > 0],
        worse=[one.first for one in clear if one.difference.mean < 0],
        undecided=[one.first for one in comparisons if not one.is_clear],
    )
