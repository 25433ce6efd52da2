"""What two trainings of one run are compared by, after a number of epochs.

After an epoch: the running training loss, and loss and accuracy on what is held out (the validation
set where the run has one, else the test set). After the last one also what the finished network was
judged by. A range test ends in chaos by design: what it has to say are its bounds, and only these
are compared once it has ended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from book.learning_rate import range_test
from book.report.intervals import binomial_error
from models.data.datasets import DATASETS
from models.evidence import HELD_OUT_ACCURACY, HELD_OUT_LOSS, MEASURES, TRAINING_LOSS
from models.records import Epoch, Record
from models.specs import RunSpec

#: The measures of a finished network, by the diagnostics that hold them.
FINISHED = {
    "train_loss": "finished network's training loss",
    "test_loss": "finished network's test loss",
    "test_accuracy": "finished network's test accuracy",
}
#: Those of a range test, by the bound.
BOUNDS = {"lr_min": "lower bound, decades", "lr_max": "upper bound, decades"}
Measured = Mapping[str, float | None]


class Trained(Protocol):
    """A training, whole or begun."""

    @property
    def history(self) -> Sequence[Epoch]:
        """Its epochs."""


def measured(spec: RunSpec, run: Trained, epoch: int) -> Measured:
    """Return what a run gave after so many epochs, by measure; a loss that is no number is None.

    After its last epoch a record gives more: what its finished network was judged by, and of a
    range test its bounds. Where a run had ended before, all is None.
    """
    if len(run.history) < epoch:
        return dict.fromkeys(MEASURES)
    found = after(spec, run.history[epoch - 1])
    if not (isinstance(run, Record) and epoch == spec.epochs):
        return found
    finished = {name: run.diagnostics[of] for of, name in FINISHED.items() if of in run.diagnostics}
    return {**found, **finished, **_bounds(run)}


def after(spec: RunSpec, epoch: Epoch) -> Measured:
    """Return what an epoch gave, by measure."""
    held_out = "validation" if spec.validation_size else "test"
    return {
        TRAINING_LOSS: epoch.train_loss,
        HELD_OUT_LOSS: getattr(epoch, f"{held_out}_loss"),
        HELD_OUT_ACCURACY: getattr(epoch, f"{held_out}_accuracy"),
    }


def _bounds(record: Record) -> Measured:
    """Return the decimal logarithms of a range test's bounds; None where it has none."""
    if record.spec.schedule != "range-test" or not record.spec.loss_every:
        return {}
    found = range_test.bounds_of(record)
    return {
        name: None if found is None else math.log10(getattr(found, bound))
        for bound, name in BOUNDS.items()
    }


def compared(old: Measured, new: Measured) -> list[str]:
    """Return the measures that both have; of two ended range tests, the bounds alone."""
    both = [name for name in old if name in new]
    return [name for name in both if name in BOUNDS.values()] or both


def unit(spec: RunSpec, measure: str, mean: float) -> float:
    """Return the unit in which the spreads of different variants are of a kind.

    For a loss its mean, for an accuracy its binomial standard error, for a bound a decade.
    """
    if measure.endswith("loss"):
        return mean
    if measure.endswith("accuracy"):
        own = spec.validation_size if measure == HELD_OUT_ACCURACY else 0
        return binomial_error(mean, own or DATASETS[spec.dataset].test_size)
    return 1.0
