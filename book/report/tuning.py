"""Each variant's learning rate, chosen on a validation split: none is judged at another's rate.

The candidates are trained on five sixths of the training set and judged on the rest, or on further
images; the test set has no part in the choice, which decides between rates a factor of three apart.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from book.report import experiments, tables
from book.report.experiments import Variants, available_images
from book.report.glue import listing
from models.data.datasets import DATASETS
from models.records import Record
from models.specs import RunSpec

#: Candidate learning rates, a factor of about three apart.
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)

#: The same, and one beyond.
MORE_RATES = (*RATES, 10.0)

#: One training image in so many is held out to judge the candidates.
HELD_OUT = 6


#: The records at each candidate rate, one a seed.
Trials = Mapping[float, Sequence[Record]]


@dataclass(frozen=True)
class Tuned:
    """Variants with their learning rates, and the trials that chose them.

    `trials` has the candidate rates' records, one a seed, by variant; it is empty where one rate
    was given for all.
    """

    variants: Variants
    trials: Mapping[str, Trials]

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
    seeds: int = 1,
    lr: float | None = None,
    rates: Sequence[float] = RATES,
    further: int | None = None,
) -> Tuned:
    """Give every variant the rate of the highest validation accuracy, or all `lr` if it is given.

    Trials take so many `epochs`, `seeds` at each rate, and are judged as `candidates` says. A
    diverged trial loses to every other; of equals the lower rate is taken. Variants that are
    `alike` share the rate that is best for them on average.
    """
    if lr is not None:
        return Tuned({name: spec.with_(lr=lr) for name, spec in variants.items()}, {})
    runs = candidates(variants, epochs, rates, further)
    names = {_label(name, rate): (name, rate) for name in variants for rate in rates}
    trials: dict[str, dict[float, Sequence[Record]]] = {name: {} for name in variants}
    for label, records in experiments.ask(runs, seeds=seeds).items():
        name, rate = names[label]
        trials[name][rate] = records
    chosen = {name: best(*(trials[other] for other in alike(variants, name))) for name in variants}
    return Tuned({name: spec.with_(lr=chosen[name]) for name, spec in variants.items()}, trials)


def alike(variants: Mapping[str, RunSpec], name: str) -> list[str]:
    """Return the variants that differ from one in how their input is normalised alone.

    They share a rate, to be paired.
    """
    plain = {other: spec.with_(input_norm="standard").key for other, spec in variants.items()}
    return [other for other in variants if plain[other] == plain[name]]


def candidates(
    variants: Mapping[str, RunSpec],
    epochs: int = 5,
    rates: Sequence[float] = RATES,
    further: int | None = None,
) -> Variants:
    """Return the trials: every variant at every rate, for so many epochs.

    They are judged on so many `further` training images, beside those that the variant trains on;
    by default on a sixth of its own, which is held out.
    """
    return {
        _label(name, rate): spec.with_(lr=rate, epochs=epochs, **_split(spec, further))
        for name, spec in variants.items()
        for rate in rates
    }


def best(*trials: Trials) -> float:
    """Return the rate of the highest validation accuracy; of equals the lower one.

    Accuracies are averaged over the seeds, and over the variants whose trials are given.

    Raises:
        ValueError: There are no trials.
    """
    if not all(trials) or not trials:
        raise ValueError("a rate is chosen among trials; got none")
    ascending = sorted(trials[0])  # max takes the first of equals
    return max(ascending, key=lambda rate: sum(accuracy(one[rate]) for one in trials))


def accuracy(trials: Sequence[Record]) -> float:
    """Return a rate's validation accuracy after the last epoch, the mean over its seeds.

    It is −∞ if one of the trials diverged.
    """
    finals = [None if one.diverged else one.final.validation_accuracy for one in trials]
    known = [final for final in finals if final is not None]
    return statistics.fmean(known) if len(known) == len(finals) else -math.inf


def tied(trials: Trials, chosen: float) -> list[float]:
    """Return the rates whose accuracy lies within a standard error of the chosen one's.

    None where even the chosen one diverged.
    """
    if accuracy(trials[chosen]) == -math.inf:
        return []
    return [
        rate
        for rate in sorted(trials)
        if abs(accuracy(trials[chosen]) - accuracy(trials[rate]))
        <= difference_error(trials[chosen], trials[rate])
    ]


def tied_text(trials: Trials, chosen: float) -> str:
    """List the rates that tie, the chosen one among them."""
    return listing([f"{rate:g}" for rate in tied(trials, chosen)] or [f"{chosen:g}"])


def ties_text(trials: Trials, chosen: float) -> str:
    """Tell which candidates their trials can't tell from the chosen one, as a sentence."""
    others = [rate for rate in tied(trials, chosen) if rate != chosen]
    if accuracy(trials[chosen]) == -math.inf:
        return "At every rate a training diverged."
    if not others:
        return "Every other candidate is further from it than a standard error of the difference."
    limit = 100 * max(difference_error(trials[chosen], trials[rate]) for rate in others)
    return (
        f"The choice is a tie: at {listing([f'{rate:g}' for rate in others])} the accuracy is "
        f"within a standard error of the difference, {limit:.2f} points, of that at {chosen:g} "
        "(the error is that of the seeds, and of the held-out images as if each rate had its own; "
        "of equal means the lower rate's is taken)."
    )


def difference_error(some: Sequence[Record], others: Sequence[Record]) -> float:
    """Return the standard error of the difference between two rates' accuracies.

    It has two parts: the binomial one of the held-out images, as if each rate had images of its
    own, and that of the seeds, of which two are needed.
    """
    of_images = standard_error(some) ** 2 + standard_error(others) ** 2
    gaps = [accuracy([one]) - accuracy([two]) for one, two in zip(some, others, strict=True)]
    known = [gap for gap in gaps if math.isfinite(gap)]
    of_seeds = statistics.variance(known) / len(known) if len(known) > 1 else 0.0
    return math.sqrt(of_images + of_seeds)


def show(tuned: Tuned, *, name: str) -> None:
    """Display the trials as a table: a row a variant, a column a rate, the chosen one in bold."""
    if not tuned.trials:
        rows = [[variant, f"{rate:g}"] for variant, rate in tuned.rates.items()]
        caption = "One learning rate was given for all variants"
        tables.show(rows, ["variant", "rate"], name=name, caption=caption)
        return
    trials = next(iter(tuned.trials.values()))
    tried = next(iter(trials.values()))
    spec, seeds = tried[0].spec, len(tried)
    mean = f"the mean over {seeds} seeds" if seeds > 1 else "one seed"
    caption = (
        f"Validation accuracy, per cent, at each learning rate: {mean}, after the last of "
        f"{spec.epochs} epochs, judged on {spec.validation_size:,} held-out training images. "
        "Bold: the rate that they choose"
    )
    headers = ["variant", *(f"rate {rate:g}" for rate in trials)]
    tables.show(rate_rows(tuned), headers, name=name, caption=caption)


def rate_rows(tuned: Tuned) -> list[list[str]]:
    """Return a row a variant: the validation accuracy at each candidate rate, per cent."""
    return [
        [name, *(_cell(tried, chosen=rate == tuned.rates[name]) for rate, tried in trials.items())]
        for name, trials in tuned.trials.items()
    ]


def _cell(trials: Sequence[Record], *, chosen: bool) -> str:
    mean = accuracy(trials)
    text = _diverged(trials) if mean == -math.inf else f"{100 * mean:.2f}"
    return f"**{text}**" if chosen else text


def accuracy_text(trials: Sequence[Record]) -> str:
    """Write a rate's validation accuracy, or why it has none."""
    mean = accuracy(trials)
    return f"{100 * mean:.2f} %" if mean > -math.inf else f"none ({_diverged(trials)})"


def _diverged(trials: Sequence[Record]) -> str:
    count = sum(accuracy([one]) == -math.inf for one in trials)
    return f"{count} of {len(trials)} diverged" if len(trials) > 1 else "diverged"


def rates_text(tuned: Tuned) -> str:
    """Return the learning rates in prose, variants of one rate together.

    >>> rates_text(tune({"dropout": RunSpec(), "both": RunSpec()}, lr=0.3))
    '0.3 for “dropout” and “both”'
    """
    rates = sorted(set(tuned.rates.values()))
    sharing = {
        rate: [f"“{name}”" for name, own in tuned.rates.items() if own == rate] for rate in rates
    }
    return "; ".join(f"{rate:g} for {listing(names)}" for rate, names in sharing.items())


def remarks(tuned: Tuned) -> str:
    """Tell in prose whether a chosen rate lies at an edge, and how exact its accuracy is."""
    if not tuned.trials:
        return "One rate was given for all, so none was chosen."
    chosen = [trials[tuned.rates[name]] for name, trials in tuned.trials.items()]
    error = 100 * max(standard_error(trials) for trials in chosen)
    exactness = (
        "In the accuracies that chose them, the held-out images leave standard errors of up to "
        f"{error:.2f} points."
    )
    return f"{_edge(tuned)} {exactness}{_ties(tuned)}"


def _edge(tuned: Tuned) -> str:
    names = [f"“{name}”" for name in tuned.at_the_edge]
    if not names:
        return "No chosen rate is the lowest or the highest candidate."
    return (
        f"The rate of {listing(names)} is the lowest or the highest candidate; "
        "one beyond may be better still."
    )


def _ties(tuned: Tuned) -> str:
    """Name the variants whose rate the trials can't tell from another candidate's."""
    ties = {name: tied(trials, tuned.rates[name]) for name, trials in tuned.trials.items()}
    texts = [
        f"{listing([f'{rate:g}' for rate in rates])} for “{name}”"
        for name, rates in ties.items()
        if len(rates) > 1
    ]
    told = f" Some rates tie, within the standard error of a difference: {'; '.join(texts)}."
    return told if texts else ""


def standard_error(trials: Sequence[Record]) -> float:
    """Return what the held-out images leave open of a rate's accuracy, its binomial standard error.

    It is sqrt(p (1 − p) / n) with n images, which are the same for every seed.
    """
    share = max(accuracy(trials), 0.0)
    return math.sqrt(share * (1 - share) / trials[0].spec.validation_size)


def _split(spec: RunSpec, further: int | None) -> dict[str, int]:
    """Return the sizes of a trial's sets, as fields of its spec."""
    if further is not None:
        return {"train_size": available_images(spec) + further, "validation_size": further}
    sixth = available_images(spec) // HELD_OUT
    return {"validation_size": max(len(DATASETS[spec.dataset].classes), sixth)}


def _label(name: str, rate: float) -> str:
    return f"{name} at {rate:g}"
