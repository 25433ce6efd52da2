"""Numbers of a benchmark's rounds: their median and range, and whether it reaches a target."""

import statistics
from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from book.report.intervals import NBSP


class Stored(BaseModel):
    """Immutable, strict about its fields, and without NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Spread(Stored):
    """One number a round, with their median and range."""

    values: tuple[float, ...]
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], **more: Any) -> Self:
        """Return the spread of one value or more.

        >>> Spread.of([3.0, 1.0, 2.0]).median
        2.0
        """
        return cls(
            values=tuple(values),
            median=statistics.median(values),
            low=min(values),
            high=max(values),
            **more,
        )

    def text(self, digits: int = 1) -> str:
        """Write median and range.

        >>> Spread.of([2.0, 3.0, 2.5]).text().replace(NBSP, " ")
        '2.5 (2.0–3.0)'
        """
        low, high = (f"{value:,.{digits}f}" for value in (self.low, self.high))
        return f"{self.median_text(digits)}{NBSP}({low}–{high})"

    def median_text(self, digits: int) -> str:
        """Write the median with so many decimals."""
        return f"{self.median:,.{digits}f}"


class Judged(Spread):
    """A spread whose median was to reach a target, where there is one, or to stay below it."""

    target: float | None = None
    reached: bool | None = None
    below: bool = False

    @classmethod
    def against(
        cls, values: Sequence[float], target: float | None, *, below: bool = False
    ) -> "Judged":
        """Return the values with the verdict on their median.

        >>> Judged.against([2.4, 2.6, 2.7], 2.5).reached
        True
        >>> Judged.against([2.4, 2.6, 2.7], 2.5, below=True).reached
        False
        """
        if target is None:
            return cls.of(values)
        median = statistics.median(values)
        reached = median < target if below else median >= target
        return cls.of(values, target=target, reached=reached, below=below)

    def median_text(self, digits: int) -> str:
        """Write the median, with one more decimal where it would look like a target it misses.

        >>> Judged.against([2.998], 3.0).median_text(2), Judged.against([2.98], 3.0).median_text(2)
        ('2.998', '2.98')
        """
        looks_like_it = round(self.median, digits) == self.target and self.reached is False
        return super().median_text(digits + looks_like_it)
