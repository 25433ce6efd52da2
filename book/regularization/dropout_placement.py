"""Dropout behind all hidden layers, behind the convolutions or behind the dense layers alone."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from book.regularization.variants import dropout_rates
from book.report import figures
from book.report.colours import BLUE, GREEN, ORANGE
from book.report.comparisons import Comparison, against, series
from book.report.experiments import Results, Variants, mean
from models.specs import RunSpec

#: The layers of LeNet-5 behind which dropout stands, by what they are called; None is all.
PLACES: dict[str, tuple[str, ...] | None] = {
    "all hidden layers": None,
    "convolutions": ("conv1", "conv2"),
    "dense layers": ("fc1", "fc2"),
}

COLOURS = dict(zip(PLACES, (ORANGE, BLUE, GREEN), strict=True))

#: What is drawn of each run, by the axis's label.
DRAWN = {"training accuracy, %": "train_accuracy", "test accuracy, %": "test_accuracy"}


def sweeps(spec: RunSpec) -> dict[str, Variants]:
    """Return a run with each dropout rate in each place; the input has no dropout."""
    return {place: dropout_rates(spec, layers=layers) for place, layers in PLACES.items()}


def draw(swept: Mapping[str, Results]) -> Figure:
    """Draw accuracy in evaluation mode against the dropout rate: a line a place."""
    figure, axes = figures.new(2, size=(6.4, 3.0))
    for ax, (label, name) in zip(axes[0], DRAWN.items(), strict=True):
        lines = {place: series(found, {"": name})[""] for place, found in swept.items()}
        rates = [float(rate) for rate in next(iter(swept.values()))]
        ends = figures.sweep(ax, rates, lines, COLOURS, figures.PER_CENT)
        ax.set(xlabel="dropout rate", ylabel=label)
    figures.label_ends(axes[0][-1], ends)
    return figure


def best(swept: Mapping[str, Results]) -> dict[str, tuple[str, Comparison]]:
    """Return for each place the rate above 0 with the highest mean test accuracy.

    And how it compares with no dropout, as one of all rates there (Holm 1979).
    """
    found = {}
    for place, results in swept.items():
        compared = against(results, "0")
        rate = max(compared, key=lambda one: mean(results[one], "test_accuracy").mean)
        found[place] = (rate, compared[rate])
    return found
