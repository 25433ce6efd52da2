"""Policies at equal mean rates, on a network that trains in seconds: what a policy's shape adds.

A policy's mean rate is that of all its iterations. One that comes down early has a low mean between
the same bounds, so that bounds in common compare heights as well as shapes.
"""

from collections.abc import Mapping
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from book.learning_rate import policies
from book.learning_rate.bounds import rounded
from book.learning_rate.iterations import learning_rates
from book.report import comparisons, experiments, figures, tuning
from book.report.comparisons import Comparison
from book.report.experiments import Results, Variants, training_images
from book.report.methods import (
    CONSTANT_RATE,
    COSINE,
    EXP_RANGE,
    LONG_EXP_RANGE,
    LONG_TRIANGULAR,
    TRIANGULAR,
)
from models.specs import RunSpec

FACTORS = (1, 5, 25)  # times lr_max: upper bounds of the triangular policies

#: Results by the mean rate that all their variants have in common.
ByMean = Mapping[float, Results]


# The runs


def means(lr_min: float, lr_max: float) -> list[float]:
    """Return the mean rates: those of triangles between lr_min and 1, 5 and 25 times lr_max.

    >>> means(0.001, 0.1)
    [0.051, 0.25, 1.3]
    """
    return [rounded((lr_min + factor * lr_max) / 2, 2) for factor in FACTORS]


def variants(base: RunSpec, lr_min: float, mean: float) -> Variants:
    """Return the policies from `lr_min` on, a constant rate and half a cosine, all of one mean.

    Half a cycle is an epoch, for exp_range and triangular also two of them; half a cosine falls
    from the start on.
    """
    epoch = policies.iterations(base)
    short, long = (policies.cyclical(base, lr_min, 2 * mean, half) for half in (epoch, 2 * epoch))
    cycles = {**short, LONG_TRIANGULAR: long[TRIANGULAR], LONG_EXP_RANGE: long[EXP_RANGE]}
    return {
        CONSTANT_RATE: base.with_(lr=mean),
        COSINE: base.with_(schedule="cosine", lr=2 * mean),
        **{name: of_mean(spec, mean).with_(loss_every=None) for name, spec in cycles.items()},
    }


def of_mean(spec: RunSpec, mean: float) -> RunSpec:
    """Return a policy's run whose highest rate makes `mean` of its mean rate, to three digits.

    The mean is a straight line in the highest rate, since every iteration's rate is one.

    >>> spec = RunSpec(schedule="triangular", lr=0.1, max_lr=0.2, step_size_up=31)
    >>> of_mean(spec, 0.3).max_lr
    0.5
    """
    images = training_images(spec)
    ends = (2 * spec.lr, 3 * spec.lr)
    low, high = (fmean(learning_rates(spec.with_(max_lr=end), images)) for end in ends)
    return spec.with_(max_lr=rounded(ends[0] + (mean - low) / (high - low) * spec.lr, 3))


# What they gave


def compared(by_mean: ByMean, reference: str) -> dict[str, list[Comparison]]:
    """Compare each policy with one of them at the same mean, mean by mean, all as one family."""
    first = next(iter(by_mean.values()))
    names = [name for name in first if name != reference]
    family = comparisons.corrected(
        [
            comparisons.compare(results, name, reference)
            for name in names
            for results in by_mean.values()
        ]
    )
    count = len(by_mean)
    return {name: family[at * count : (at + 1) * count] for at, name in enumerate(names)}


def highest_rates(by_mean: ByMean, name: str) -> list[float]:
    """Return the highest rate of a policy at each mean."""
    specs = [results[name][0].spec for results in by_mean.values()]
    return [spec.max_lr or spec.lr for spec in specs]


def rows(by_mean: ByMean, reference: str) -> list[list[str]]:
    """Return a row a policy: its highest rates, and its comparisons with one of them.

    They are in percentage points, in bold where clear.
    """
    return [
        [name, ", ".join(f"{rate:.2g}" for rate in highest_rates(by_mean, name))]
        + [one.marked for one in pairs]
        for name, pairs in compared(by_mean, reference).items()
    ]


def rise(by_mean: ByMean, name: str) -> float:
    """Return what a policy gains from the lowest mean to the highest, in test accuracy, 0 to 1."""
    low, high = (
        experiments.mean(by_mean[mean][name], "test_accuracy").mean
        for mean in (min(by_mean), max(by_mean))
    )
    return high - low


def at_best(by_mean: ByMean) -> tuple[dict[str, float], Results]:
    """Return the mean rate at which each variant validates best, and its runs there."""
    names = list(next(iter(by_mean.values())))
    chosen = {
        name: tuning.best({mean: results[name] for mean, results in by_mean.items()})
        for name in names
    }
    return chosen, {name: by_mean[mean][name] for name, mean in chosen.items()}


def draw(by_mean: ByMean) -> Figure:
    """Draw test accuracy, per cent, against the mean rate: a line a variant, means over seeds."""
    figure, axes = figures.new(size=(6.4, 4.2))
    ax, places = axes[0][0], list(by_mean)
    names = list(next(iter(by_mean.values())))
    series = {
        name: [
            experiments.mean(results[name], "test_accuracy").affine(100)
            for results in by_mean.values()
        ]
        for name in names
    }
    ends = figures.sweep(ax, places, series, limits=figures.PER_CENT)
    ax.set(xscale="log", xlabel="mean learning rate", ylabel="test accuracy, %")
    ax.set_xticks(places, labels=[f"{mean:g}" for mean in places])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.margins(y=0.12)
    figures.label_ends(ax, ends)
    return figure
