"""What the exercises' runs say: speed, what is usable, and the paper's claims."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from book.regularization.exercises import COMPARED
from book.regularization.trainable_range import Range
from book.report.comparisons import Comparison, compare, corrected, leader
from book.report.experiments import Results, epochs_until, final
from book.report.intervals import Interval, mean_interval, paired_difference
from book.report.methods import BATCH_NORM, BOTH, DROPOUT, NEITHER
from models.records import Record

#: Of each activation: the ranges, or the runs, of each method.
Ranges = Mapping[str, Mapping[str, Range]]
Runs = Mapping[str, Results]


# Speed


def speed_up(slow: Sequence[Record], fast: Sequence[Record]) -> Interval:
    """Return how many times fewer steps `fast` needs to the test accuracy that `slow` ends with.

    Taken seed by seed and judged after each epoch, so it is at most the number of epochs; not a
    number where a run of `fast` never gets there.
    """
    return mean_interval([_times_fewer(one, other) for one, other in zip(slow, fast, strict=True)])


def _times_fewer(slow: Record, fast: Record) -> float:
    epoch = epochs_until(fast.curve("test_accuracy"), slow.final.test_accuracy or 0.0)
    if epoch is None:
        return math.nan
    return float(sum(slow.curve("iterations")) / sum(fast.curve("iterations")[:epoch]))


def speed_up_text(interval: Interval) -> str:
    """Return a speed-up in words."""
    if math.isnan(interval.mean):
        return "not every run with batch norm gets there"
    return f"{interval.text(1)} times fewer steps"


def relative_speed(results: Results, name: str, reference: str) -> float:
    """Return a variant's training images a second over the reference's, by their runs' medians."""
    ours, theirs = (
        float(np.median([record.provenance.examples_per_second for record in results[one]]))
        for one in (name, reference)
    )
    return ours / theirs


def behind_the_activation(orders: Results) -> Interval:
    """Return what dropout right behind the activation changes in accuracy, from 0 to 1, by seed.

    It is the mean of the orders that have it there, less the mean of the others.
    """
    there, elsewhere = (
        [
            final(records, "test_accuracy")
            for order, records in orders.items()
            if ("activation-dropout" in order) == right_behind
        ]
        for right_behind in (True, False)
    )
    return paired_difference(np.mean(there, axis=0).tolist(), np.mean(elsewhere, axis=0).tolist())


def running_accuracy(records: Sequence[Record]) -> Interval:
    """Return the last epoch's training accuracy, in training mode, while the weights changed."""
    return mean_interval([record.final.train_accuracy for record in records])


# What is usable


def gain_text(without: Range, with_norm: Range) -> str:
    """Return how the largest usable value changes with batch norm, in words."""
    words = f"{without.largest_text} without and {with_norm.largest_text} with batch norm"
    times, least = with_norm.largest / without.largest, gain(without, with_norm)
    if math.isnan(times):
        return words
    sure = "" if least >= times else f" (at least {least:.3g} times, as far as seeds can tell)"
    return f"{words}, {times:.3g} times{sure}"


def gain(without: Range, with_norm: Range) -> float:
    """Return the largest value that is surely usable with batch norm, over the one without.

    There, one counts that may be usable: its interval contains what is needed. Not a number where
    there is none.
    """
    sure, possible = max(with_norm.surely, default=math.nan), max(without.maybe, default=math.nan)
    return sure / possible


def best_gain(without: Results, with_norm: Results) -> Interval:
    """Return what batch norm adds to the test accuracy, from 0 to 1, each at the value best for it.

    Both are a little too high: the test set that judges them has chosen them.
    """
    ours, theirs = (final(found[leader(found)], "test_accuracy") for found in (with_norm, without))
    return paired_difference(ours, theirs)


# The paper's claims


@dataclass(frozen=True)
class Claim:
    """A claim of Ioffe and Szegedy (2015), what the runs show of it, and whether it can be seen."""

    name: str
    claim: str
    evidence: str
    verdict: str


def claims(rates: Ranges, scales: Ranges, regularized: Runs, textbooks: Runs) -> list[Claim]:
    """Judge the paper's claims by the exercises' runs."""
    return [
        _higher_rates(rates),
        _any_start(scales),
        _no_dropout(regularized),
        _fewer_steps(textbooks),
        _saturation(textbooks),
    ]


def seen_in(seen: Mapping[str, bool]) -> str:
    """Return whether a claim can be seen: everywhere, nowhere, or with which activations.

    >>> seen_in({"sigmoid": True, "tanh": False})
    'seen with sigmoid only'
    """
    where = [name for name, is_seen in seen.items() if is_seen]
    if len(where) == len(seen):
        return "seen"
    return f"seen with {', '.join(where)} only" if where else "not seen"


def _higher_rates(rates: Ranges) -> Claim:
    pairs = {name: (ranges[NEITHER], ranges[BATCH_NORM]) for name, ranges in rates.items()}
    largest = [
        f"{name}: {one.largest_text} → {other.largest_text}" for name, (one, other) in pairs.items()
    ]
    return Claim(
        name="higher rates",
        claim="much higher learning rates",
        evidence=f"largest usable, {'; '.join(largest)}",
        verdict=seen_in({name: gain(*pair) > 1 for name, pair in pairs.items()}),
    )


def _any_start(scales: Ranges) -> Claim:
    counts = {
        name: [len(ranges[method].usable) for method in COMPARED] for name, ranges in scales.items()
    }
    sure = {
        name: len(ranges[BATCH_NORM].surely) > len(ranges[NEITHER].maybe)
        for name, ranges in scales.items()
    }
    total = len(next(iter(next(iter(scales.values())).values())).trials)
    usable = [f"{name}: {one} → {other}" for name, (one, other) in counts.items()]
    return Claim(
        name="initialization",
        claim="less careful about initialization",
        evidence=f"usable factors of {total}, {'; '.join(usable)}",
        verdict=seen_in(sure),
    )


def dropout_comparisons(results: Results) -> list[Comparison]:
    """Compare dropout with neither, batch norm with dropout, and both with batch norm.

    The three are judged as a family.
    """
    pairs = ((DROPOUT, NEITHER), (BATCH_NORM, DROPOUT), (BOTH, BATCH_NORM))
    return corrected([compare(results, *pair) for pair in pairs])


def _no_dropout(regularized: Runs) -> Claim:
    """Judge whether batch norm does without dropout: only to be told where dropout is of use."""
    evidence, useful, seen = [], {}, {}
    for name, results in regularized.items():
        alone, instead, beside = dropout_comparisons(results)
        evidence.append(
            f"{name}: dropout alone {alone.text}, instead of it {instead.text}, "
            f"beside it {beside.text}"
        )
        useful[name] = _is_better(alone)
        seen[name] = useful[name] and not _is_worse(instead) and not _is_better(beside)
    nothing_to_replace = "no telling: dropout is of no use here"
    return Claim(
        name="dropout",
        claim="sometimes no need of dropout",
        evidence=f"points, {'; '.join(evidence)}",
        verdict=seen_in(seen) if any(useful.values()) else nothing_to_replace,
    )


def _is_better(comparison: Comparison) -> bool:
    return comparison.is_clear and comparison.difference.mean > 0


def _is_worse(comparison: Comparison) -> bool:
    return comparison.is_clear and comparison.difference.mean < 0


def _fewer_steps(textbooks: Runs) -> Claim:
    evidence, seen = [], {}
    for name, results in textbooks.items():
        factor = speed_up(results[without_norm(results)], results[BATCH_NORM])
        evidence.append(f"{name}: {speed_up_text(factor)}")
        seen[name] = (factor.mean if factor.half_width is None else factor.low) > 1
    return Claim(
        name="fewer steps",
        claim="fewer steps to the same accuracy (14 times fewer, in the paper)",
        evidence="; ".join(evidence),
        verdict=seen_in(seen),
    )


def without_norm(results: Results) -> str:
    """Return the more accurate of the textbook's two networks without batch norm."""
    return leader({name: records for name, records in results.items() if name != BATCH_NORM})


def _saturation(textbooks: Runs) -> Claim:
    """Judge how far the sigmoid is behind tanh, and what batch norm takes away of that."""
    without = _tanh_ahead([results[without_norm(results)] for results in textbooks.values()])
    with_norm = _tanh_ahead([results[BATCH_NORM] for results in textbooks.values()])
    behind = mean_interval(without)
    change = paired_difference(with_norm, without)
    shown = f"{behind.text(1, 100)} → {mean_interval(with_norm).text(1, 100)}"
    seen = behind.mean > 0 > change.mean and not change.could_be_noise
    return Claim(
        name="saturation",
        claim="saturating nonlinearities usable",
        evidence=f"points that sigmoid is behind tanh: {shown} "
        f"({change.text(1, 100, sign=True)} by batch norm)",
        verdict="seen" if seen else "not seen",
    )


def _tanh_ahead(runs: Sequence[Sequence[Record]]) -> list[float]:
    """Return by how much tanh is more accurate on the test set than the sigmoid, seed by seed."""
    sigmoid, tanh = (final(records, "test_accuracy") for records in runs)
    return [ahead - behind for behind, ahead in zip(sigmoid, tanh, strict=True)]
