"""What cyclical learning rates did: how accuracy swings with the rate, and how soon an accuracy is
reached.
"""

from collections.abc import Sequence
from math import isnan

import numpy as np

from book.report.experiments import Results, histories, mean
from book.report.intervals import Interval, mean_interval, paired_difference, verdict
from models.records import Record

#: Policies whose rate goes up and down between two bounds.
TRIANGLES = ("exp_range", "triangular", "triangular2")


def phases(record: Record) -> list[float]:
    """Where the rate stood at each epoch's end: 0 at the lower bound, 1 at the upper one."""
    low, high = record.spec.lr, record.spec.max_lr or record.spec.lr
    return [(rate - low) / (high - low) if high > low else 0.0 for rate in record.curve("lr")]


def swing(values: Sequence[float], places: Sequence[float]) -> float:
    """How much a value differs when the rate is at the top rather than at the bottom, its trend
    taken out.

    Each epoch is compared with the mean of the two beside it, which a steady rise leaves alone; the
    differences of the values are regressed on those of the rate's `places`. Not a number where no
    rate differs, or an epoch has no value.

    >>> swing([1.0, 1.5, 3.0, 3.5, 5.0], [1, 0, 1, 0, 1])
    0.5
    """
    bends, turns = (np.convolve(series, (-0.5, 1, -0.5), "valid") for series in (values, places))
    spread = float(turns @ turns) if len(values) >= 3 else 0.0
    return float(bends @ turns) / spread if spread > 1e-9 else float("nan")


def mean_swing(records: Sequence[Record], name: str, scale: float = 1.0) -> Interval:
    """The swing of a column of the history, such as `validation_accuracy`, mean over seeds."""
    columns = [
        [np.nan if value is None else scale * value for value in record.curve(name)]
        for record in records
    ]
    return mean_interval(
        [swing(values, phases(record)) for values, record in zip(columns, records, strict=True)]
    )


def where(accuracy: Interval) -> str:
    """In words, at which rates the accuracy is the higher one."""
    if isnan(accuracy.mean):
        return "not to be told: at the epochs' ends the rate is always the same"
    return verdict(accuracy, "higher where the rate is high", "higher where the rate is low")


def swing_rows(results: Results) -> list[list[str]]:
    """A row a policy: the swings of validation loss (nats) and accuracy (percentage points), and
    what they say.
    """
    rows = []
    for name, records in results.items():
        loss = mean_swing(records, "validation_loss")
        accuracy = mean_swing(records, "validation_accuracy", 100)
        rows.append([name, _text(loss, 3), _text(accuracy, 2), where(accuracy)])
    return rows


def _text(change: Interval, digits: int) -> str:
    return "–" if isnan(change.mean) else change.text(digits, sign=True)


def epochs_needed(values: Sequence[float], target: float) -> float | None:
    """Epochs until the values at the epochs' ends reach a target, on a line between two of them;
    None if never.

    >>> epochs_needed([0.5, 0.7, 0.8], 0.75), epochs_needed([0.5, 0.7], 0.75)
    (2.5, None)
    """
    for epoch, value in enumerate(values, start=1):
        if value >= target:
            before = values[epoch - 2] if epoch > 1 else value
            return epoch - (value - target) / (value - before) if before < value else float(epoch)
    return None


def race(results: Results, reference: str) -> dict[str, list[float | None]]:
    """Epochs that each policy needs for the validation accuracy at which `reference` ends, seed by
    seed.
    """
    curves = histories(results, "validation_accuracy")
    targets = [values[-1] for values in curves[reference]]
    return {
        name: [epochs_needed(values, target) for values, target in zip(seeds, targets, strict=True)]
        for name, seeds in curves.items()
    }


def epochs_text(needed: Sequence[float | None]) -> str:
    """Epochs needed, mean over the seeds that got there, and how many did not; of two seeds, each.

    >>> epochs_text([4.0, 6.0, None]), epochs_text([4.0, 6.0]), epochs_text([None])
    ('5.0 (1 of 3 never)', '4.0 and 6.0', 'never')
    """
    return "".join(_reached(needed)) or "never"


def when_text(needed: Sequence[float | None]) -> str:
    """When the target was reached, as the end of a sentence.

    >>> when_text([4.0, 6.0, None]), when_text([4.0, 6.0]), when_text([None])
    ('after 5.0 epochs (1 of 3 never)', 'after 4.0 and 6.0 epochs', 'in no run')
    """
    epochs, missing = _reached(needed)
    return f"after {epochs} epochs{missing}" if epochs else "in no run"


def _reached(needed: Sequence[float | None]) -> tuple[str, str]:
    """The epochs of the runs that got there, and how many did not; neither where none did."""
    reached = [epochs for epochs in needed if epochs is not None]
    if not reached:
        return "", ""
    if len(reached) == len(needed) == 2:
        return mean_interval(reached).text(1), ""
    missing = len(needed) - len(reached)
    return f"{np.mean(reached):.1f}", f" ({missing} of {len(needed)} never)" if missing else ""


def saving(needed: Sequence[float | None], reference: Sequence[float | None]) -> Interval | None:
    """How many epochs fewer than the reference, seed by seed; None where a run never gets there."""
    reached = [epochs for epochs in needed if epochs is not None]
    expected = [epochs for epochs in reference if epochs is not None]
    if len(reached) < len(needed) or len(expected) < len(reference):
        return None
    return paired_difference(expected, reached)


def saving_words(
    needed: Sequence[float | None], reference: Sequence[float | None]
) -> tuple[str, str]:
    """Epochs saved, and what that says of the policy.

    >>> saving_words([4.0, None], [5.0, 6.0]), saving_words([4.0], [5.0])[0]
    (('–', 'not in every run'), '+1.0')
    """
    saved = saving(needed, reference)
    if saved is None:
        return "–", "never" if all(epochs is None for epochs in needed) else "not in every run"
    return saved.text(1, sign=True), verdict(saved, "sooner", "later")


def saving_text(needed: Sequence[float | None], reference: Sequence[float | None]) -> str:
    """What is saved, as the end of a sentence.

    >>> saving_text([None], [5.0]), saving_text([4.0, None], [5.0, 6.0])
    ('nothing', 'unclear (not every run gets there)')
    """
    saved, words = saving_words(needed, reference)
    untold = {"never": "nothing", "not in every run": "unclear (not every run gets there)"}
    return untold.get(words) or f"{saved} epochs ({words})"


def race_rows(results: Results, reference: str) -> list[list[str]]:
    """A row a policy: its final validation accuracy (per cent), the epochs that it needs, and those
    that it saves.
    """
    needed = race(results, reference)
    rows = []
    for name, records in results.items():
        accuracy = mean(records, "validation_accuracy").text(2, 100)
        words = ("–", "–") if name == reference else saving_words(needed[name], needed[reference])
        rows.append([name, accuracy, epochs_text(needed[name]), *words])
    return rows
