"""The range of a setting, such as the learning rate, in which a network still learns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from book.report import figures
from book.report.experiments import mean
from book.report.figures import BLACK, METHOD_COLOURS
from book.report.intervals import Interval
from models.data.datasets import DATASETS
from models.records import Record

SHARE = 0.9  # of the way from guessing to the best
LEARNT = 2.0  # a network below so many times the accuracy of guessing has learnt nothing


@dataclass(frozen=True)
class Trial:
    """One value of the setting: the mean test accuracy of its runs, and how many of them diverged."""

    value: float
    accuracy: Interval
    diverged: int


@dataclass(frozen=True)
class Range:
    """Trials in the order of their values; `chance` is the accuracy of guessing.

    A value is usable when none of its runs diverged, and their mean accuracy is at least `SHARE` of
    the way from guessing to the best of all trials and at least `LEARNT` times that of guessing.
    """

    trials: tuple[Trial, ...]
    chance: float

    @property
    def best(self) -> float:
        """The highest mean accuracy of any value without a diverged run; that of guessing where
        there is none.
        """
        return max(
            (trial.accuracy.mean for trial in self.trials if not trial.diverged),
            default=self.chance,
        )

    @property
    def usable(self) -> list[float]:
        """The usable values."""
        needed = max(self.chance + SHARE * (self.best - self.chance), LEARNT * self.chance)
        return [
            trial.value
            for trial in self.trials
            if not trial.diverged and trial.accuracy.mean >= needed
        ]

    @property
    def largest(self) -> float:
        """The largest usable value; not a number where none is."""
        return max(self.usable, default=float("nan"))

    @property
    def diverging(self) -> list[float]:
        """Values at which at least one run diverged."""
        return [trial.value for trial in self.trials if trial.diverged]

    @property
    def largest_text(self) -> str:
        """The largest usable value in words; at the end of the trials, a larger one may be usable,
        too.
        """
        if not self.usable:
            return "none"
        at_the_end = self.largest == self.trials[-1].value
        return f"{'at least ' if at_the_end else ''}{self.largest:g}"


def usable_range(results: Mapping[str, Sequence[Record]]) -> Range:
    """The range of a setting from runs named by its values, such as `{"0.1": records, "1":
    records}`.

    Raises:
        ValueError: there are no runs, or a name is no number.
    """
    if not results:
        raise ValueError("a range needs at least one value of the setting; got none")
    trials = [
        Trial(
            float(name), mean(records, "test_accuracy"), sum(record.diverged for record in records)
        )
        for name, records in results.items()
    ]
    dataset = next(iter(results.values()))[0].spec.dataset
    return Range(
        tuple(sorted(trials, key=lambda trial: trial.value)), 1 / len(DATASETS[dataset].classes)
    )


def ranges(panels: Mapping[str, Mapping[str, Range]], *, xlabel: str) -> Figure:
    """Test accuracy against a setting on a logarithmic axis: a panel an activation, a line a
    method.

    A cross stands where a run diverged, a dotted line at each method's largest usable value.
    """
    figure, axes = figures.new(len(panels), size=(6.4, 2.9), sharey=True)
    for ax, (activation, found) in zip(axes[0], panels.items(), strict=True):
        ends = _lines(ax, found)
        ax.set(xscale="log", xlabel=f"{xlabel} ({activation})", ylim=(0, 100))
    figures.label_ends(axes[0][-1], ends)
    axes[0][0].set_ylabel("test accuracy, %")
    return figure


def _lines(ax: Axes, found: Mapping[str, Range]) -> list[tuple[float, str, str]]:
    values = [trial.value for trial in next(iter(found.values())).trials]
    ends = figures.sweep(
        ax,
        values,
        {
            method: [trial.accuracy.affine(100) for trial in one.trials]
            for method, one in found.items()
        },
    )
    for method, one in found.items():
        lost = [(trial.value, 100 * trial.accuracy.mean) for trial in one.trials if trial.diverged]
        for point in lost:
            ax.plot(*point, "x", color=BLACK, ms=7, zorder=3)
        if one.usable:
            ax.axvline(one.largest, color=METHOD_COLOURS.get(method), ls=":", lw=1)
    return ends
