"""Batch norm in which layers: every subset's accuracy, and what each layer adds."""

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np
from matplotlib.figure import Figure

from book.report import figures
from book.report.colours import BLACK
from book.report.comparisons import Comparison, against
from book.report.experiments import Results, final, mean
from book.report.intervals import Interval, mean_interval, paired_difference
from book.report.methods import BATCH_NORM
from models.networks.architectures import layer_names
from models.records import Record


def layer_effects(results: Results, network: str = "lenet5") -> dict[str, Interval]:
    """Return what a batch norm in one layer adds to the test accuracy, by layer.

    It is averaged over all subsets of the other layers. `results` are those of `exercises.subsets`;
    an interval is over seeds.
    """
    layers = layer_names(network)
    accuracies = {
        _layers_of(subset): np.asarray(final(records, "test_accuracy"))
        for subset, records in results.items()
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


def added_by_count(results: Results) -> list[Interval]:
    """Return what the first batch norm adds to the test accuracy, what the second, and so on.

    Averaged over all subsets of as many layers; an interval is over seeds.
    """
    by_count: dict[int, list[list[float]]] = {}
    for subset, records in results.items():
        accuracies = final(records, "test_accuracy")
        by_count.setdefault(len(_layers_of(subset)), []).append(accuracies)
    means = [np.mean(by_count[count], axis=0).tolist() for count in sorted(by_count)]
    return [paired_difference(more, fewer) for fewer, more in pairwise(means)]


def one_dense(results: Results, reference: str) -> Comparison:
    """Return the subset with one of the two dense layers that ends farthest behind a reference."""
    found = [
        one
        for one in against(results, reference).values()
        if ("fc1" in one.first) != ("fc2" in one.first)
    ]
    return min(found, key=lambda one: one.difference.mean)


def subset_rows(subsets: Mapping[str, Results], reference: str) -> list[list[str]]:
    """Return a row a subset: its test accuracy (per cent) with each activation.

    It is in bold where it differs clearly from the reference's, as one of a family.
    """
    families = {name: against(results, reference) for name, results in subsets.items()}
    return [
        [
            subset,
            *(
                _accuracy_text(results[subset], families[name].get(subset))
                for name, results in subsets.items()
            ),
        ]
        for subset in next(iter(subsets.values()))
    ]


def _accuracy_text(records: Sequence[Record], gap: Comparison | None) -> str:
    text = mean(records, "test_accuracy").text(2, 100)
    return f"**{text}**" if gap and gap.is_clear else text


def _layers_of(subset: str) -> frozenset[str]:
    return frozenset() if subset == "none" else frozenset(subset.split(" + "))


def effects(panels: Mapping[str, Mapping[str, Interval]]) -> Figure:
    """Draw what a batch norm in each layer adds to the test accuracy, a panel an activation.

    The effects are in percentage points.
    """
    figure, axes = figures.new(len(panels), size=(6.4, 2.2), sharey=True)
    for ax, (activation, layers) in zip(axes[0], panels.items(), strict=True):
        for row, effect in enumerate(layers.values()):
            figures.mean_dot(ax, row, effect.affine(100), BATCH_NORM.colour)
        ax.axvline(0, color=BLACK, lw=0.8, ls=":")
        ax.set_yticks(range(len(layers)), list(layers))
        ax.set_xlabel(f"percentage points ({activation})")
    axes[0][0].invert_yaxis()
    return figure
