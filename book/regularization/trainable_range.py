"""The range of a setting, such as the learning rate, in which a network still learns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from book.report import figures
from book.report.colours import BLACK
from book.report.experiments import mean
from book.report.intervals import Interval
from book.report.methods import named
from models.data.datasets import DATASETS
from models.records import Record

SHARE = 0.9  # of the way from guessing to the best
LEARNT = 2.0  # a network below so many times the accuracy of guessing has learnt nothing


@dataclass(frozen=True)
class Trial:
    """One value of the setting: its runs' mean test accuracy, and how many of them diverged."""

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
        """The highest mean accuracy of a value without diverged runs, or else that of guessing."""
        means = (trial.accuracy.mean for trial in self.trials if not trial.diverged)
        return max(means, default=self.chance)

    @property
    def needed(self) -> float:
        """The accuracy from which on a value is usable."""
        return max(self.chance + SHARE * (self.best - self.chance), LEARNT * self.chance)

    @property
    def usable(self) -> list[float]:
        """The usable values."""
        return self._values(lambda accuracy: accuracy.mean)

    @property
    def surely(self) -> list[float]:
        """The usable values whose interval lies above what is needed."""
        return self._values(lambda accuracy: accuracy.low)

    @property
    def maybe(self) -> list[float]:
        """The values that are usable or whose interval contains what is needed."""
        return self._values(lambda accuracy: accuracy.high)

    def _values(self, judged: Callable[[Interval], float]) -> list[float]:
        return [
            trial.value
            for trial in self.trials
            if not trial.diverged and judged(trial.accuracy) >= self.needed
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
        """The largest usable value in words; beyond the end of the trials a larger one may be."""
        if not self.usable:
            return "none"
        at_the_end = self.largest == self.trials[-1].value
        return f"{'at least ' if at_the_end else ''}{self.largest:g}"


def usable_range(results: Mapping[str, Sequence[Record]]) -> Range:
    """Return the range of a setting from runs named by its values, such as `{"0.1": records}`.

    Raises:
        ValueError: There are no runs, or a name is no number.
    """
    if not results:
        raise ValueError("a range needs at least one value of the setting; got none")
    trials = [_trial(float(name), records) for name, records in results.items()]
    dataset = next(iter(results.values()))[0].spec.dataset
    ascending = sorted(trials, key=lambda trial: trial.value)
    return Range(tuple(ascending), 1 / len(DATASETS[dataset].classes))


def _trial(value: float, records: Sequence[Record]) -> Trial:
    diverged = sum(record.diverged for record in records)
    return Trial(value, mean(records, "test_accuracy"), diverged)


def ranges(panels: Mapping[str, Mapping[str, Range]], *, xlabel: str) -> Figure:
    """Draw test accuracy against a setting, a panel an activation, a line a method.

    The setting's axis is logarithmic. A cross stands where a run diverged, a dotted line at each
    method's largest usable value.
    """
    figure, axes = figures.new(len(panels), size=(6.4, 2.9), sharey=True)
    for ax, (activation, methods) in zip(axes[0], panels.items(), strict=True):
        ends = _lines(ax, methods)
        ax.set(xscale="log", xlabel=f"{xlabel} ({activation})", ylim=(0, 100))
    figures.label_ends(axes[0][-1], ends)
    axes[0][0].set_ylabel("test accuracy, %")
    return figure


def _lines(ax: Axes, methods: Mapping[str, Range]) -> list[figures.End]:
    values = [trial.value for trial in next(iter(methods.values())).trials]
    accuracies = {
        method: [trial.accuracy.affine(100) for trial in one.trials]
        for method, one in methods.items()
    }
    ends = figures.sweep(ax, values, accuracies, limits=figures.PER_CENT)
    for method, one in methods.items():
        for trial in one.trials:
            if trial.diverged:
                ax.plot(trial.value, 100 * trial.accuracy.mean, "x", color=BLACK, ms=7, zorder=3)
        if one.usable:
            ax.axvline(one.largest, color=named(method).colour, ls=":", lw=1)
    return ends
