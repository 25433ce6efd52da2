"""Each variant's learning rate, chosen on a validation split: none is judged at another's rate.

The candidates are trained on five sixths of the training set and judged on the rest; the test set
has no part in the choice. One seed: the choice decides between rates a factor of three apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from book.report import experiments, tables
from book.report.experiments import Variants, available_images
from models.data.datasets import DATASETS
from models.records import Record
from models.specs import RunSpec

#: Candidate learning rates, a factor of about three apart.
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)

#: One training image in so many is held out to judge the candidates.
HELD_OUT = 6


@dataclass(frozen=True)
class Tuned:
    """Variants with their learning rates, and the trials that chose them.

    `trials` has a record a candidate rate, by variant; it is empty where one rate was given for
    all.
    """

    variants: Variants
    trials: Mapping[str, Mapping[float, Record]]

    @property
    def rates(self) -> dict[str, float]:
        """Each variant's learning rate."""
        return {name: spec.lr for name, spec in self.variants.items()}

    @property
    def at_the_edge(self) -> list[str]:
        """Variants whose best candidate was the lowest or the highest of all.

        A rate beyond it may be better still.
        """
        return [
            name
            for name, trials in self.trials.items()
            if self.rates[name] in (min(trials), max(trials))
        ]


def tune(
    variants: Mapping[str, RunSpec],
    *,
    epochs: int = 5,
    lr: float | None = None,
    rates: Sequence[float] = RATES,
) -> Tuned:
    """Give every variant the rate of the highest validation accuracy, or all `lr` if it is given.

    Trials take so many `epochs`. A diverged trial loses to every other; of equals the lower rate is
    taken. Variants that are `alike` share the rate that is best for them on average.
    """
    if lr is not None:
        return Tuned({name: spec.with_(lr=lr) for name, spec in variants.items()}, {})
    runs = candidates(variants, epochs, rates)
    names = {_label(name, rate): (name, rate) for name in variants for rate in rates}
    trials: dict[str, dict[float, Record]] = {name: {} for name in variants}
    for label, (record,) in experiments.ask(runs, seeds=1).items():
        name, rate = names[label]
        trials[name][rate] = record
    chosen = {name: best(*(trials[other] for other in alike(variants, name))) for name in variants}
    return Tuned({name: spec.with_(lr=chosen[name]) for name, spec in variants.items()}, trials)


def alike(variants: Mapping[str, RunSpec], name: str) -> list[str]:
    """Return the variants that differ from one in how their input is normalised alone.

    They share a rate, to be paired.
    """
    plain = {other: spec.with_(input_norm="standard").key for other, spec in variants.items()}
    return [other for other in variants if plain[other] == plain[name]]


def candidates(
    variants: Mapping[str, RunSpec], epochs: int = 5, rates: Sequence[float] = RATES
) -> Variants:
    """Return the trials: every variant at every rate, for so many epochs.

    A sixth of the training set is held out to judge them.
    """
    return {
        _label(name, rate): spec.with_(
            lr=rate, epochs=epochs, validation_size=_validation_size(spec)
        )
        for name, spec in variants.items()
        for rate in rates
    }


def best(*trials: Mapping[float, Record]) -> float:
    """Return the rate of the highest validation accuracy; of equals the lower one.

    Accuracies are averaged over the variants whose trials are given.

    Raises:
        ValueError: There are no trials.
    """
    if not all(trials) or not trials:
        raise ValueError("a rate is chosen among trials; got none")
    ascending = sorted(trials[0])  # max takes the first of equals
    return max(ascending, key=lambda rate: sum(accuracy(one[rate]) for one in trials))


def accuracy(trial: Record) -> float:
    """Return a trial's validation accuracy after its last epoch; −∞ if it diverged."""
    final = trial.final.validation_accuracy
    return -math.inf if trial.diverged or final is None else final


def tied(trials: Mapping[float, Record], chosen: float) -> list[float]:
    """Return the rates whose accuracy lies within a standard error of the chosen one's.

    The error is that of a difference between two accuracies, √2 times that of one.
    """
    limit, of_chosen = _difference_error(trials[chosen]), accuracy(trials[chosen])
    return [rate for rate in sorted(trials) if abs(accuracy(trials[rate]) - of_chosen) <= limit]


def ties_text(trials: Mapping[float, Record], chosen: float) -> str:
    """Tell which candidates one trial each can't tell from the chosen one, as a sentence."""
    rates = " and ".join(f"{rate:g}" for rate in tied(trials, chosen) if rate != chosen)
    limit = (
        f"a standard error of a difference, {100 * _difference_error(trials[chosen]):.2f} points"
    )
    if not rates:
        return f"Every other candidate is further from it than {limit}."
    return (
        f"The choice is a tie: at {rates} the accuracy is within {limit}, of that at {chosen:g} "
        "(of equals the lower rate is taken)."
    )


def _difference_error(trial: Record) -> float:
    return math.sqrt(2) * standard_error(trial)


def show(tuned: Tuned, *, name: str) -> None:
    """Display the trials as a table: a row a variant, a column a rate, the chosen one in bold."""
    if not tuned.trials:
        rows = [[variant, f"{rate:g}"] for variant, rate in tuned.rates.items()]
        caption = "One learning rate was given for all variants"
        tables.show(rows, ["variant", "rate"], name=name, caption=caption)
        return
    trials = next(iter(tuned.trials.values()))
    spec = next(iter(trials.values())).spec
    caption = (
        "Validation accuracy, per cent, at each learning rate: one seed, after the last of "
        f"{spec.epochs} epochs, judged on {spec.validation_size:,} held-out training images. "
        "Bold: the rate that the variant is trained with"
    )
    headers = ["variant", *(f"rate {rate:g}" for rate in trials)]
    tables.show(rate_rows(tuned), headers, name=name, caption=caption)


def rate_rows(tuned: Tuned) -> list[list[str]]:
    """Return a row a variant: the validation accuracy at each candidate rate, per cent."""
    return [
        [name, *(_cell(trial, chosen=rate == tuned.rates[name]) for rate, trial in trials.items())]
        for name, trials in tuned.trials.items()
    ]


def _cell(trial: Record, *, chosen: bool) -> str:
    text = "diverged" if trial.diverged else f"{100 * accuracy(trial):.2f}"
    return f"**{text}**" if chosen else text


def rates_text(tuned: Tuned) -> str:
    """Return the learning rates in prose, variants of one rate together.

    >>> rates_text(tune({"dropout": RunSpec(), "both": RunSpec()}, lr=0.3))
    '0.3 for “dropout” and “both”'
    """
    rates = sorted(set(tuned.rates.values()))
    sharing = {
        rate: [f"“{name}”" for name, own in tuned.rates.items() if own == rate] for rate in rates
    }
    return "; ".join(f"{rate:g} for {_listed(names)}" for rate, names in sharing.items())


def _listed(parts: Sequence[str]) -> str:
    """Return parts as a sentence lists them.

    >>> _listed(["0.1", "1", "3"])
    '0.1, 1 and 3'
    """
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def remarks(tuned: Tuned) -> str:
    """Tell in prose whether a chosen rate lies at an edge, and how exact a trial is."""
    if not tuned.trials:
        return "One rate was given for all, so none was chosen."
    chosen = [trials[tuned.rates[name]] for name, trials in tuned.trials.items()]
    error = 100 * max(standard_error(trial) for trial in chosen)
    exactness = f"The accuracies that chose them have standard errors of up to {error:.2f} points."
    return f"{_edge(tuned)} {exactness}{_ties(tuned)}"


def _edge(tuned: Tuned) -> str:
    names = [f"“{name}”" for name in tuned.at_the_edge]
    if not names:
        return "No chosen rate is the lowest or the highest candidate."
    return (
        f"The rate of {_listed(names)} is the lowest or the highest candidate; "
        "one beyond may be better still."
    )


def _ties(tuned: Tuned) -> str:
    """Name the variants whose rate one trial each can't tell from another candidate's."""
    ties = {name: tied(trials, tuned.rates[name]) for name, trials in tuned.trials.items()}
    texts = [
        f"{_listed([f'{rate:g}' for rate in rates])} for “{name}”"
        for name, rates in ties.items()
        if len(rates) > 1
    ]
    told = f" Some rates tie, within the standard error of a difference: {'; '.join(texts)}."
    return told if texts else ""


def standard_error(trial: Record) -> float:
    """Return the binomial standard error of a trial's validation accuracy.

    It is sqrt(p (1 − p) / n) with n held-out images.
    """
    share = max(accuracy(trial), 0.0)
    return math.sqrt(share * (1 - share) / trial.spec.validation_size)


def _validation_size(spec: RunSpec) -> int:
    return max(len(DATASETS[spec.dataset].classes), available_images(spec) // HELD_OUT)


def _label(name: str, rate: float) -> str:
    return f"{name} at {rate:g}"
