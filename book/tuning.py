"""Choosing each variant's learning rate on a validation split, so that none is judged at another's rate.

The candidates are trained on five sixths of the training set and judged on the rest; the test set has no part in
the choice. One seed: the choice decides between rates a factor of three apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from book import experiments
from book.variants import Variants, training_size
from models.datasets import DATASETS
from models.records import Record
from models.specs import RunSpec

#: Candidate learning rates, a factor of about three apart.
RATES = (0.01, 0.03, 0.1, 0.3, 1.0)

#: One training image in so many is held out to judge the candidates.
HELD_OUT = 6


@dataclass(frozen=True)
class Tuned:
    """Variants with their learning rates, and the trials that chose them.

    `trials` has a record a candidate rate, by variant; it is empty where one rate was given for all.
    """

    variants: Variants
    trials: Mapping[str, Mapping[float, Record]]

    @property
    def rates(self) -> dict[str, float]:
        """Each variant's learning rate."""
        return {name: spec.lr for name, spec in self.variants.items()}

    @property
    def at_the_edge(self) -> list[str]:
        """Variants whose best candidate was the lowest or the highest: a rate beyond it may be better still."""
        return [name for name, trials in self.trials.items() if self.rates[name] in (min(trials), max(trials))]


def tune(
    variants: Mapping[str, RunSpec],
    *,
    epochs: int = 5,
    lr: float | None = None,
    rates: Sequence[float] = RATES,
) -> Tuned:
    """Every variant with the rate of the highest validation accuracy after `epochs`, or all with `lr` if it is given.

    A diverged trial loses to every other; of equals the lower rate is taken.
    """
    if lr is not None:
        return Tuned({name: spec.with_(lr=lr) for name, spec in variants.items()}, {})
    asked = candidates(variants, epochs, rates)
    names = {_label(name, rate): (name, rate) for name in variants for rate in rates}
    trials: dict[str, dict[float, Record]] = {name: {} for name in variants}
    for label, (record,) in experiments.ask(asked, seeds=1).items():
        name, rate = names[label]
        trials[name][rate] = record
    return Tuned({name: spec.with_(lr=best(trials[name])) for name, spec in variants.items()}, trials)


def candidates(variants: Mapping[str, RunSpec], epochs: int = 5, rates: Sequence[float] = RATES) -> Variants:
    """The trials: every variant at every rate, for `epochs`, a sixth of its training set held out to judge it."""
    return {
        _label(name, rate): spec.with_(lr=rate, epochs=epochs, validation_size=_validation_size(spec))
        for name, spec in variants.items()
        for rate in rates
    }


def best(trials: Mapping[float, Record]) -> float:
    """The rate of the highest validation accuracy; the lower one of equals.

    Raises
    ------
    ValueError
        There are no trials.
    """
    if not trials:
        raise ValueError("a rate is chosen among trials; got none")
    return max(sorted(trials), key=lambda rate: accuracy(trials[rate]))  # max takes the first of equals


def accuracy(trial: Record) -> float:
    """A trial's validation accuracy after its last epoch; less than any other's if it diverged."""
    final = trial.final.validation_accuracy
    return -math.inf if trial.diverged or final is None else final


def _validation_size(spec: RunSpec) -> int:
    return max(len(DATASETS[spec.dataset].classes), training_size(spec) // HELD_OUT)


def _label(name: str, rate: float) -> str:
    return f"{name} at {rate:g}"
