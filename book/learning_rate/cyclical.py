"""What cyclical learning rates did: how accuracy swings with the rate, how soon it is reached."""

from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np
from matplotlib.figure import Figure

from book.learning_rate.iterations import Stretch
from book.report import figures
from book.report.colours import GREY
from book.report.experiments import Results, epochs_until, final, histories, mean, or_nan
from book.report.intervals import Interval, mean_interval, paired_difference, verdict
from book.report.methods import EXP_RANGE, TRIANGULAR, TRIANGULAR2, named
from book.report.point_labels import label_points
from book.report.tuning import Trials, tied
from models.records import Record

#: Policies whose rate goes up and down between two bounds.
TRIANGLES = (EXP_RANGE, TRIANGULAR, TRIANGULAR2)


# How the accuracy swings


def phases(record: Record) -> list[float]:
    """Return where the rate stood at each epoch's end: 0 at the lower bound, 1 at the upper one."""
    low, high = record.spec.lr, record.spec.max_lr or record.spec.lr
    return [(rate - low) / (high - low) if high > low else 0.0 for rate in record.curve("lr")]


def swing(values: Sequence[float], places: Sequence[float]) -> float:
    """Return how much higher a value is with the rate at the top than with it at the bottom.

    Its trend is taken out: each epoch is compared with the mean of the two beside it, which a
    steady rise leaves alone; the differences of the values are regressed on those of the rate's
    `places`. Not a number where no rate differs, or an epoch has no value.

    >>> swing([1.0, 1.5, 3.0, 3.5, 5.0], [1, 0, 1, 0, 1])
    0.5
    """
    bends, turns = (np.convolve(series, (-0.5, 1, -0.5), "valid") for series in (values, places))
    spread = float(turns @ turns) if len(values) >= 3 else 0.0
    return float(bends @ turns) / spread if spread > 1e-9 else float("nan")


def mean_swing(records: Sequence[Record], name: str, scale: float = 1.0) -> Interval:
    """Return the swing of a column of the history, such as `validation_accuracy`, over seeds."""
    return mean_interval(
        [
            swing([scale * or_nan(value) for value in record.curve(name)], phases(record))
            for record in records
        ]
    )


def where(accuracy: Interval) -> str:
    """Tell at which rates the accuracy is the higher one."""
    if isnan(accuracy.mean):
        return "not to be told: at the epochs' ends the rate is always the same"
    return verdict(accuracy, "higher where the rate is high", "higher where the rate is low")


def swing_rows(results: Results) -> list[list[str]]:
    """Return a row a policy: the swings of validation loss and accuracy, and what they say.

    They are in nats and in percentage points.
    """
    rows = []
    for name, records in results.items():
        loss = mean_swing(records, "validation_loss")
        accuracy = mean_swing(records, "validation_accuracy", 100)
        texts = (_swing_text(loss, 3), _swing_text(accuracy, 2), where(accuracy))
        rows.append([name, *texts])
    return rows


def _swing_text(change: Interval, digits: int) -> str:
    return "–" if isnan(change.mean) else change.text(digits, sign=True)


# How soon an accuracy is reached


def epochs_needed(values: Sequence[float], target: float) -> float | None:
    """Return the epochs until the values at their ends reach a target; None if they never do.

    Between two epochs' ends a straight line is assumed.

    >>> epochs_needed([0.5, 0.7, 0.8], 0.75), epochs_needed([0.5, 0.7], 0.75)
    (2.5, None)
    """
    epoch = epochs_until(values, target)
    if epoch is None:
        return None
    value, before = values[epoch - 1], values[max(0, epoch - 2)]
    return epoch - (value - target) / (value - before) if before < value else float(epoch)


def epochs_to_match(results: Results, reference: str) -> dict[str, list[float | None]]:
    """Return the epochs that each policy needs for the accuracy at which `reference` ends.

    It is the validation accuracy, seed by seed.
    """
    curves = histories(results, "validation_accuracy")
    targets = [values[-1] for values in curves[reference]]
    return {
        name: [epochs_needed(values, target) for values, target in zip(seeds, targets, strict=True)]
        for name, seeds in curves.items()
    }


def epochs_text(needed: Sequence[float | None]) -> str:
    """Return the epochs needed, mean over the seeds that got there, and how many did not.

    Of two seeds that got there, each is shown.

    >>> epochs_text([4.0, 6.0, None]), epochs_text([4.0, 6.0]), epochs_text([None])
    ('5.0 (1 of 3 never)', '4.0 and 6.0', 'never')
    """
    return "".join(_reached(needed)) or "never"


def when_text(needed: Sequence[float | None]) -> str:
    """Tell when the target was reached, as the end of a sentence.

    >>> when_text([4.0, 6.0, None]), when_text([4.0, 6.0]), when_text([None])
    ('after 5.0 epochs (1 of 3 never)', 'after 4.0 and 6.0 epochs', 'in no run')
    """
    epochs, missing = _reached(needed)
    return f"after {epochs} epochs{missing}" if epochs else "in no run"


def _reached(needed: Sequence[float | None]) -> tuple[str, str]:
    """Return the epochs of the runs that got there, and how many did not; neither if none did."""
    reached = [epochs for epochs in needed if epochs is not None]
    if not reached:
        return "", ""
    if len(reached) == len(needed) == 2:
        return mean_interval(reached).text(1), ""
    missing = len(needed) - len(reached)
    return f"{np.mean(reached):.1f}", f" ({missing} of {len(needed)} never)" if missing else ""


def saving(needed: Sequence[float | None], reference: Sequence[float | None]) -> Interval | None:
    """Return how many epochs fewer than the reference; None where a run never gets there."""
    ours = [epochs for epochs in needed if epochs is not None]
    theirs = [epochs for epochs in reference if epochs is not None]
    if len(ours) < len(needed) or len(theirs) < len(reference):
        return None
    return paired_difference(theirs, ours)


def saving_words(
    needed: Sequence[float | None], reference: Sequence[float | None]
) -> tuple[str, str]:
    """Return the epochs saved, and what that says of the policy.

    >>> saving_words([4.0, None], [5.0, 6.0]), saving_words([4.0], [5.0])[0]
    (('–', 'not in every run'), '+1.0')
    """
    saved = saving(needed, reference)
    if saved is None:
        return "–", "never" if all(epochs is None for epochs in needed) else "not in every run"
    return saved.text(1, sign=True), verdict(saved, "sooner", "later")


def saving_text(needed: Sequence[float | None], reference: Sequence[float | None]) -> str:
    """Tell what is saved, as the end of a sentence.

    >>> saving_text([None], [5.0]), saving_text([4.0, None], [5.0, 6.0])
    ('nothing', 'unclear (not every run gets there)')
    """
    saved, words = saving_words(needed, reference)
    without = {"never": "nothing", "not in every run": "unclear (not every run gets there)"}
    return without.get(words) or f"{saved} epochs ({words})"


def match_rows(results: Results, reference: str) -> list[list[str]]:
    """Return a row a policy: its final validation accuracy (per cent), epochs needed and saved."""
    needed = epochs_to_match(results, reference)
    rows = []
    for name, records in results.items():
        accuracy = mean(records, "validation_accuracy").text(2, 100)
        words = ("–", "–") if name == reference else saving_words(needed[name], needed[reference])
        rows.append([name, accuracy, epochs_text(needed[name]), *words])
    return rows


# Figures


def draw_schedules(rates: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the learning rate of each policy, iteration by iteration, in panels that share axes."""
    figure, axes = figures.new(len(rates), size=(6.4, 1.9), sharey=True)
    for ax, (policy, values) in zip(axes[0], rates.items(), strict=True):
        ax.plot(values, color=named(policy).colour, lw=1)
        ax.set_xlabel(policy, color=named(policy).colour, fontsize=8)
        ax.tick_params(labelsize=7)
    axes[0][0].set(ylabel="learning rate", ylim=(0, None))
    return figure


def draw_within(runs: Mapping[str, Sequence[Sequence[Stretch]]]) -> Figure:
    """Draw the training loss inside the epochs, mean over seeds, above the rate there."""
    figure, axes = figures.new(1, rows=2, size=(6.4, 3.6), sharex=True, height_ratios=(3, 1))
    loss_ax, rate_ax = axes[0][0], axes[1][0]
    ends = []
    for policy, seeds in runs.items():
        length, colour = min(map(len, seeds)), named(policy).colour  # one that diverged has fewer
        middles = [(stretch.first + stretch.end) / 2 for stretch in seeds[0][:length]]
        losses = [[stretch.loss for stretch in stretches[:length]] for stretches in seeds]
        means = np.mean(losses, axis=0)
        loss_ax.plot(middles, means, color=colour, lw=1)
        rate_ax.plot(middles, [one.rate for one in seeds[0][:length]], color=colour, lw=1)
        ends.append((float(means[-1]), policy, colour))
    loss_ax.set(ylabel="training loss, nats")
    rate_ax.set(xlabel="iteration", ylabel="learning rate", ylim=(0, None))
    figures.label_ends(loss_ax, ends)
    return figure


def apart(records: Sequence[Record], name: str) -> float:
    """Return how far apart the seeds of a variant end in what a run is judged by at its end."""
    ends = final(records, name)
    return max(ends) - min(ends)


def tie_text(rate: float, tuned: float, trials: Trials) -> str:
    """Tell what the trials of constant rates say of one beside the tuned one, to be added to it."""
    if rate == tuned:
        return ", the tuned one"
    if rate in tied(trials, tuned):
        return f", which the trials can't tell from the tuned {tuned:g}"
    return f", though the trials do better at {tuned:g}"


def draw_by_mean_rate(
    policies: Mapping[str, tuple[float, Interval]], constants: Mapping[float, Interval]
) -> Figure:
    """Draw validation accuracy, per cent, against the mean learning rate of a training.

    It is a mean over seeds, with its interval, of each of the `policies` and of the other
    `constants` that were tried, which are hollow.
    """
    figure, axes = figures.new(size=(6.4, 3.4))
    ax = axes[0][0]
    others = {f"constant {rate:g}": (rate, mean) for rate, mean in constants.items()}
    points = {**policies, **others}
    for name, (rate, accuracy) in points.items():
        bar = np.transpose([figures.bar(accuracy, figures.PER_CENT)])
        own = {"color": named(name).colour} if name in policies else {"color": GREY, "mfc": "none"}
        ax.errorbar(rate, accuracy.mean, bar, fmt="o", ms=5, capsize=3, **own)
    ax.set(xscale="log", xlabel="mean learning rate", ylabel="validation accuracy, %")
    ax.margins(0.15)
    label_points(figure, ax, {name: (rate, mean.mean) for name, (rate, mean) in points.items()})
    return figure
