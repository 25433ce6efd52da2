"""What the exercises' runs say: every variant beside a reference, layer by layer, and the paper's
claims.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib.figure import Figure

from book.regularization.exercises import METHODS
from book.regularization.trainable_range import Range
from book.report import figures
from book.report.comparisons import compare
from book.report.experiments import Results, final, mean
from book.report.figures import BLACK, METHOD_COLOURS
from book.report.intervals import Interval, mean_interval, paired_difference
from models.networks.architectures import layer_names
from models.records import Record

#: Of each activation: the ranges, or the runs, of each method.
Ranges = Mapping[str, Mapping[str, Range]]
Runs = Mapping[str, Results]


def layer_effects(results: Results, network: str = "lenet5") -> dict[str, Interval]:
    """What a batch norm in one layer adds to the test accuracy, averaged over all subsets of the
    other layers.

    `results` are those of `exercises.subsets`; an interval is over seeds.
    """
    layers = layer_names(network)
    accuracies = {
        _named(name): np.asarray(final(records, "test_accuracy"))
        for name, records in results.items()
    }
    effects = {}
    for layer in layers:
        others = [one for one in layers if one != layer]
        rests = [
            frozenset(rest) for size in range(len(layers)) for rest in combinations(others, size)
        ]
        gains = [accuracies[rest | {layer}] - accuracies[rest] for rest in rests]  # (seeds,) each
        effects[layer] = mean_interval(np.mean(gains, axis=0).tolist())
    return effects


def _named(subset: str) -> frozenset[str]:
    return frozenset() if subset == "none" else frozenset(subset.split(" + "))


def speed_up(slow: Sequence[Record], fast: Sequence[Record]) -> Interval:
    """How many times fewer steps `fast` needs to the test accuracy that `slow` ends with, seed by
    seed.

    Judged after each epoch, so it is at most the number of epochs; not a number where a run of
    `fast` never gets there.
    """
    return mean_interval([_times_fewer(one, other) for one, other in zip(slow, fast, strict=True)])


def _times_fewer(slow: Record, fast: Record) -> float:
    goal = slow.final.test_accuracy or 0.0
    steps = 0
    for epoch in fast.history:
        steps += epoch.iterations
        if (epoch.test_accuracy or 0.0) >= goal:
            return sum(one.iterations for one in slow.history) / steps
    return math.nan


def speed_up_text(interval: Interval) -> str:
    """A speed-up in words."""
    if math.isnan(interval.mean):
        return "not every run with batch norm gets there"
    return f"{interval.text(1)} times fewer steps"


def gain_text(without: Range, with_norm: Range) -> str:
    """How the largest usable value changes with batch norm, in words."""
    words = f"{without.largest_text} without and {with_norm.largest_text} with batch norm"
    return (
        words
        if math.isnan(gain(without, with_norm))
        else f"{words}, {gain(without, with_norm):.3g} times"
    )


def gain(without: Range, with_norm: Range) -> float:
    """The largest usable value with batch norm over the one without; not a number where there is
    none.
    """
    return with_norm.largest / without.largest


def seen_in(found: Mapping[str, bool]) -> str:
    """Whether a claim can be seen: everywhere, nowhere, or with which activations.

    >>> seen_in({"sigmoid": True, "tanh": False})
    'seen with sigmoid only'
    """
    where = [name for name, seen in found.items() if seen]
    if len(where) == len(found):
        return "seen"
    return f"seen with {', '.join(where)} only" if where else "not seen"


def running_accuracy(records: Sequence[Record]) -> Interval:
    """The training accuracy over the last epoch, in training mode, while the weights changed."""
    return mean_interval([record.final.train_accuracy for record in records])


def relative_speed(results: Results, name: str, reference: str) -> float:
    """Training images a second of a variant over those of the reference, by the medians of their
    runs.
    """
    speeds = [
        float(np.median([record.provenance.examples_per_second for record in results[one]]))
        for one in (name, reference)
    ]
    return speeds[0] / speeds[1]


@dataclass(frozen=True)
class Claim:
    """A claim of Ioffe and Szegedy (2015), what the runs show of it, and whether it can be seen."""

    name: str
    claim: str
    evidence: str
    verdict: str


def claims(rates: Ranges, scales: Ranges, regularized: Runs, textbooks: Runs) -> list[Claim]:
    """The paper's claims judged by the exercises' runs."""
    return [
        _higher_rates(rates),
        _any_start(scales),
        _no_dropout(regularized),
        _fewer_steps(textbooks),
        _saturation(textbooks),
    ]


def _higher_rates(rates: Ranges) -> Claim:
    pairs = {name: (found["neither"], found["batch norm"]) for name, found in rates.items()}
    told = [
        f"{name}: {one.largest_text} → {other.largest_text}" for name, (one, other) in pairs.items()
    ]
    seen = {name: gain(*pair) > 1 for name, pair in pairs.items()}
    return Claim(
        "higher rates",
        "much higher learning rates",
        f"largest usable, {'; '.join(told)}",
        seen_in(seen),
    )


def _any_start(scales: Ranges) -> Claim:
    counts = {
        name: [len(found[method].usable) for method in METHODS] for name, found in scales.items()
    }
    total = len(next(iter(next(iter(scales.values())).values())).trials)
    told = [f"{name}: {one} → {other}" for name, (one, other) in counts.items()]
    evidence = f"usable factors of {total}, {'; '.join(told)}"
    seen = {name: other > one for name, (one, other) in counts.items()}
    return Claim("initialization", "less careful about initialization", evidence, seen_in(seen))


def _no_dropout(regularized: Runs) -> Claim:
    """Whether batch norm does without dropout, which can only be told where dropout is of use."""
    told, helps, seen = [], {}, {}
    for name, results in regularized.items():
        alone, instead, beside = (
            compare(results, *pair)
            for pair in (("dropout", "neither"), ("batch norm", "dropout"), ("both", "batch norm"))
        )
        told.append(
            f"{name}: dropout alone {alone.text}, instead of it {instead.text}, beside it {beside.text}"
        )
        helps[name] = alone.is_clear and alone.difference.mean > 0
        worse_instead = instead.is_clear and instead.difference.mean < 0
        seen[name] = (
            helps[name]
            and not worse_instead
            and not (beside.is_clear and beside.difference.mean > 0)
        )
    words = seen_in(seen) if any(helps.values()) else "no telling: dropout is of no use here"
    return Claim("dropout", "sometimes no need of dropout", f"points, {'; '.join(told)}", words)


def _fewer_steps(textbooks: Runs) -> Claim:
    told, seen = [], {}
    for name, results in textbooks.items():
        factor = speed_up(results[without_norm(results)], results["batch norm"])
        told.append(f"{name}: {speed_up_text(factor)}")
        seen[name] = (factor.mean if factor.half_width is None else factor.low) > 1
    return Claim(
        "fewer steps",
        "fewer steps to the same accuracy (14 times fewer, in the paper)",
        "; ".join(told),
        seen_in(seen),
    )


def without_norm(results: Results) -> str:
    """The more accurate of the textbook's two networks without batch norm."""
    others = [name for name in results if name != "batch norm"]
    return max(others, key=lambda name: mean(results[name], "test_accuracy").mean)


def _saturation(textbooks: Runs) -> Claim:
    """How far the sigmoid is behind tanh, without and with batch norm, and what that takes away,
    seed by seed.
    """
    behind = {}
    for method in METHODS:
        names = [
            without_norm(found) if method == "neither" else method for found in textbooks.values()
        ]
        ends = [
            final(found[name], "test_accuracy")
            for found, name in zip(textbooks.values(), names, strict=True)
        ]
        behind[method] = [tanh - sigmoid for sigmoid, tanh in zip(*ends, strict=True)]
    told = " → ".join(mean_interval(points).text(1, 100) for points in behind.values())
    change = paired_difference(behind["batch norm"], behind["neither"])
    evidence = f"points that sigmoid is behind tanh: {told} ({change.text(1, 100, sign=True)} by batch norm)"
    seen = mean_interval(behind["neither"]).mean > 0 > change.mean and not change.could_be_noise
    return Claim(
        "saturation", "saturating nonlinearities usable", evidence, "seen" if seen else "not seen"
    )


def effects(panels: Mapping[str, Mapping[str, Interval]]) -> Figure:
    """What a batch norm in each layer adds to the test accuracy, in percentage points: a panel an
    activation.
    """
    figure, axes = figures.new(len(panels), size=(6.4, 2.2), sharey=True)
    for ax, (activation, layers) in zip(axes[0], panels.items(), strict=True):
        for row, interval in enumerate(effect.affine(100) for effect in layers.values()):
            colour = METHOD_COLOURS["batch norm"]
            ax.errorbar(
                interval.mean, row, xerr=interval.half_width, fmt="o", color=colour, ms=5, capsize=3
            )
        ax.axvline(0, color=BLACK, lw=0.8, ls=":")
        ax.set_yticks(range(len(layers)), list(layers))
        ax.set_xlabel(f"percentage points ({activation})")
    axes[0][0].invert_yaxis()
    return figure
