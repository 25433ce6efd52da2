"""The worked solution's conclusions, judged by our runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from book.report.claims import AccuracyDifference, accuracy_difference, judge
from book.report.experiments import Results, epochs_until, final, mean, or_nan
from book.report.intervals import Interval, mean_interval, paired_difference
from book.report.methods import BATCH_NORM, BATCH_NORM_INPUT, BOTH, DROPOUT, NEITHER
from models.records import Record

GOAL = 0.96  # the test accuracy that training is timed to


@dataclass(frozen=True)
class Conclusion:
    """One of the source's conclusions, what our runs have to say, and whether it stands."""

    claim: str
    evidence: str
    verdict: str

    @property
    def row(self) -> list[str]:
        """As a table shows it."""
        return [self.claim, self.evidence, self.verdict]


def conclusions(
    results: Results, after: Sequence[Record], before: Sequence[Record]
) -> dict[str, Conclusion]:
    """Judge the source's conclusions, each by a short name.

    `after` and `before` are runs with batch norm after and before tanh.
    """
    placement = accuracy_difference(after, before)
    return {
        **accuracy_conclusions(results),
        "placement": _more("batch norm after the activation works better than before", placement),
        **training_conclusions(results),
    }


def accuracy_conclusions(results: Results) -> dict[str, Conclusion]:
    """Judge those that compare test accuracies."""

    def over(first: str, second: str) -> AccuracyDifference:
        return accuracy_difference(results[first], results[second])

    inputs = over(BATCH_NORM_INPUT, BATCH_NORM)
    norm, dropout = over(BATCH_NORM_INPUT, NEITHER), over(DROPOUT, NEITHER)
    return {
        "input": Conclusion(
            "batch norm on the input and standardising it perform alike",
            inputs.points,
            inputs.alike,
        ),
        "dropout": _less(
            "dropout alone drops the accuracy significantly", over(BATCH_NORM, DROPOUT)
        ),
        "both-dropout": _more("both are better than dropout alone", over(BOTH, DROPOUT)),
        "both-norm": _less("both are worse than batch norm alone", over(BATCH_NORM_INPUT, BOTH)),
        "norm-dropout": Conclusion(
            "batch norm is worth more than dropout",
            f"over neither: batch norm {norm.points}, dropout {dropout.points}",
            over(BATCH_NORM_INPUT, DROPOUT).positive,
        ),
    }


def _more(claim: str, difference: AccuracyDifference) -> Conclusion:
    """Judge a claim that the first side is more accurate."""
    return Conclusion(claim, difference.points, difference.positive)


def _less(claim: str, difference: AccuracyDifference) -> Conclusion:
    """Judge the same, shown as what the second side loses."""
    return Conclusion(claim, difference.flipped.points, difference.positive)


def training_conclusions(results: Results) -> dict[str, Conclusion]:
    """Judge those that say what happens in training."""
    neither, norm, both = (results[name] for name in (NEITHER, BATCH_NORM_INPUT, BOTH))
    return {
        "longer": _longer(norm, both),
        "overfitting": _less_overfitting(norm, both),
        "optimization": _optimization_first(neither),
    }


def _longer(norm: Sequence[Record], both: Sequence[Record]) -> Conclusion:
    epochs = race(both, norm)
    with_it, without = epochs.first.text(1), epochs.second.text(1)
    return Conclusion(
        "dropout lengthens training",
        f"epochs to {GOAL:.0%} on the test set: {with_it} with it, {without} without",
        judge(epochs.difference),
    )


def _less_overfitting(norm: Sequence[Record], both: Sequence[Record]) -> Conclusion:
    with_it, without = (mean_interval(gaps(runs)).text(4, sign=True) for runs in (both, norm))
    return Conclusion(
        "dropout avoids overfitting",
        f"test loss − training loss: {with_it} with it, {without} without",
        judge(paired_difference(gaps(norm), gaps(both))),
    )


def _optimization_first(neither: Sequence[Record]) -> Conclusion:
    train, gap = mean(neither, "train_loss"), mean_interval(gaps(neither))
    return Conclusion(
        "optimization matters more than regularization",
        f"neither: a training loss of {train.text(4)}, "
        f"and {gap.text(4, sign=True)} more on the test set",
        judge(paired_difference(final(neither, "train_loss"), gaps(neither))),
    )


def listed(conclusions: Mapping[str, Conclusion], verdict: str) -> str:
    """Return the claims with a verdict that begins so, in one line; `none` where there are none."""
    claims = [one.claim for one in conclusions.values() if one.verdict.startswith(verdict)]
    return "; ".join(claims) or "none"


# What training took


def gaps(records: Sequence[Record]) -> list[float]:
    """Return test loss minus training loss of each finished network, in nats.

    Both are judged in evaluation mode.
    """
    losses = zip(final(records, "test_loss"), final(records, "train_loss"), strict=True)
    return [test - train for test, train in losses]


def overfitting_row(records: Sequence[Record]) -> list[str]:
    """Return training loss, test loss, their gap, and what the test loss has risen by (all nats).

    The rise is that since the epoch of the lowest test loss.
    """
    curves = [[or_nan(loss) for loss in record.curve("test_loss")] for record in records]
    rises = [losses[-1] - min(losses) for losses in curves]
    losses = [mean(records, name) for name in ("train_loss", "test_loss")]
    intervals = (*losses, mean_interval(gaps(records)), mean_interval(rises))
    return [interval.text(4) for interval in intervals]


def epochs_to(record: Record, accuracy: float) -> int:
    """Return the first epoch after which the test accuracy was at least `accuracy`.

    Raises:
        ValueError: There is none.
    """
    epoch = epochs_until(record.curve("test_accuracy"), accuracy)
    if epoch is None:
        count = len(record.history)
        raise ValueError(
            f"expected a test accuracy of {accuracy} in one of {count} epochs, got none"
        )
    return epoch


@dataclass(frozen=True)
class Race:
    """Epochs that two sides need for the same test accuracy, seed by seed."""

    first: Interval
    second: Interval
    difference: Interval


def race(first: Sequence[Record], second: Sequence[Record]) -> Race:
    """Race two sides to `GOAL`, or to the lower final accuracy of a pair that doesn't reach it.

    A final accuracy alone would be no goal: the side that ends lower gets there when it ends.
    """
    pairs = list(zip(first, second, strict=False))
    goals = [min(GOAL, *final(pair, "test_accuracy")) for pair in pairs]
    ours, theirs = (
        [float(epochs_to(pair[side], goal)) for pair, goal in zip(pairs, goals, strict=True)]
        for side in (0, 1)
    )
    return Race(mean_interval(ours), mean_interval(theirs), paired_difference(ours, theirs))
