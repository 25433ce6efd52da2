"""What the chapter on the range test compares: ways to try rates, their curves and bounds."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from book.learning_rate.bounds import (
    SHARE,
    Bounds,
    Curve,
    RangeTestError,
    read_bounds,
    rounded,
    smooth,
    sweep,
    swept,
    typical,
)
from book.learning_rate.iterations import Stretch, stretches
from book.report import figures
from book.report.colours import BLACK, BLUE, GREEN, GREY, ORANGE
from book.report.experiments import or_nan
from book.report.intervals import Interval, mean_interval, paired_difference
from models.records import Record
from models.specs import RunSpec

COLOURS = (BLUE, GREEN, ORANGE)  # of the readings that are compared
HEADROOM = 1.3  # a loss axis ends at so many times the first loss: a lost run's can be anything


# Runs beside the sweep


def continued(base: RunSpec, lowest: float, highest: float, candidates: int) -> RunSpec:
    """Return the candidates one after the other in one run, each for a share of its iterations."""
    return sweep(base, lowest, highest).with_(candidates=candidates)


def fresh(base: RunSpec, lowest: float, highest: float, candidates: int) -> dict[float, RunSpec]:
    """Return a run of its own for each candidate, by its rate."""
    return {rate: base.with_(lr=rate) for rate in spaced(lowest, highest, candidates)}


def spaced(lowest: float, highest: float, count: int) -> list[float]:
    """Return rates at equal factors, both ends included.

    They have three digits, so that their runs have the same key everywhere.

    >>> spaced(1e-9, 10, 10)[:3]
    [1e-09, 1.29e-08, 1.67e-07]
    """
    return [rounded(rate, 3) for rate in np.geomspace(lowest, highest, count)]


# Their curves


def stairs(record: Record) -> Curve:
    """Return the curve of a continued run: a point a candidate, the mean over its iterations.

    Stretches in which the rate changed count for neither candidate.
    """
    spec = record.spec
    assert spec.candidates is not None
    rates = np.geomspace(spec.lr, spec.max_lr or spec.lr, spec.candidates)
    points = stretches(record)
    pure = [point for point in points if np.isclose(point.rate, rates, rtol=1e-6, atol=0).any()]
    groups = [list(group) for _, group in groupby(pure, key=lambda point: rounded(point.rate, 6))]
    return Curve(*zip(*map(_mean, groups), strict=True))


def _mean(points: Sequence[Stretch]) -> list[float]:
    """Return mean rate, loss and accuracy, weighted by iterations."""
    rows = [(point.rate, point.loss, point.accuracy) for point in points]
    means = np.average(rows, axis=0, weights=[point.end - point.first for point in points])
    return [float(mean) for mean in means]


def separate(records: Mapping[float, Record]) -> Curve:
    """Return the curve of fresh starts: running loss and accuracy of each run's last epoch."""
    ends = [records[rate].final for rate in sorted(records)]
    losses = [or_nan(end.train_loss) for end in ends]
    return Curve(sorted(records), losses, [end.train_accuracy for end in ends])


def nearest(curve: Curve) -> list[float]:
    """Return the rate of the lowest loss and those beside it; none where no loss is a number."""
    if math.isnan(lowest := best(curve)):
        return []
    place = list(curve.rates).index(lowest)
    return list(curve.rates[max(0, place - 1) : place + 2])


def seed_by_seed(first: Curve, again: Mapping[float, Sequence[Record]]) -> list[Curve]:
    """Return the curves of fresh starts: the first seed's, and of each further one what it has."""
    seeds = min(map(len, again.values()), default=1)
    further = ({rate: records[seed] for rate, records in again.items()} for seed in range(1, seeds))
    return [first, *map(separate, further)]


def above_the_lowest(again: Mapping[float, Sequence[Record]]) -> dict[float, Interval]:
    """Return by how much each rate's last training loss is above the lowest mean one, in nats.

    Seed by seed, the lowest first; a rate with a loss that is no number is left out.
    """
    losses = {rate: _last_losses(records) for rate, records in again.items()}
    told = {rate: found for rate, found in losses.items() if np.isfinite(found).all()}
    ordered = sorted(told, key=lambda rate: np.mean(told[rate]))
    return {rate: paired_difference(told[rate], told[ordered[0]]) for rate in ordered}


def near_rows(again: Mapping[float, Sequence[Record]]) -> list[list[str]]:
    """Return a row a rate: its last training loss, and by how much it is above the lowest one."""
    above = above_the_lowest(again)
    lowest = next(iter(above), None)
    return [
        [
            f"{rate:g}",
            mean_interval(_last_losses(records)).text(3) if rate in above else "no number",
            above[rate].text(3, sign=True) if rate in above and rate != lowest else "–",
        ]
        for rate, records in again.items()
    ]


def _last_losses(records: Sequence[Record]) -> list[float]:
    return [or_nan(record.final.train_loss) for record in records]


# Their bounds


def attempt(curve: Curve, share: float = SHARE) -> Bounds | None:
    """Return the bounds, or None where the rule finds none."""
    try:
        return read_bounds(curve, share)
    except RangeTestError:
        return None


def bounds_of(record: Record) -> Bounds | None:
    """Return the bounds of one range test that keeps its losses; None where the rule finds none."""
    return attempt(stairs(record) if record.spec.candidates else swept(record))


def rows(readings: Mapping[str, Sequence[Curve]], share: float = SHARE) -> list[list[str]]:
    """Return a row a reading: how many of its curves have bounds, and where these lie.

    Of each bound stands the typical rate, and the spread of its logarithm.
    """
    table = []
    for label, curves in readings.items():
        bounds = [one for curve in curves if (one := attempt(curve, share))]
        texts = (*_texts(bounds, "lr_min"), *_texts(bounds, "lr_max"))
        table.append([label, f"{len(bounds)} of {len(curves)}", *texts])
    return table


def _texts(bounds: Sequence[Bounds], name: str) -> list[str]:
    rates = [getattr(one, name) for one in bounds]
    return [f"{typical(rates):g}", spread(rates).text(2)] if rates else ["–", "–"]


def spread(rates: Sequence[float]) -> Interval:
    """Return the mean of rates over seeds with its interval, in decades: of log₁₀ of each."""
    return mean_interval([float(np.log10(rate)) for rate in rates])


def best(curve: Curve) -> float:
    """Return the rate of the lowest loss; not a number where no loss is one."""
    losses = np.where(np.isfinite(curve.losses), curve.losses, np.inf)
    return curve.rates[int(np.argmin(losses))] if np.isfinite(losses).any() else float("nan")


def best_text(curves: Sequence[Curve]) -> str:
    """Return the rates of the lowest loss of several seeds, each once, from the lowest on."""
    return " or ".join(f"{rate:.2g}" for rate in sorted({best(curve) for curve in curves}))


def caveats(bounds: Sequence[Bounds]) -> str:
    """Tell whether some of several seeds' bounds lie at an edge of what was tried."""
    low, high = sum(one.at_the_start for one in bounds), sum(one.at_the_end for one in bounds)
    remarks = (
        (low, "the loss falls from the first rates on, so that the lower bound may lie lower."),
        (high, "the loss is lowest at the last rate, so that the upper bound may lie higher."),
    )
    texts = [f"In {count} of {len(bounds)} sweeps {remark}" for count, remark in remarks if count]
    return " ".join(texts) or "No bound lies at an edge of the rates that were tried."


def moved_text(bounds: Sequence[Bounds], other: Curve) -> str:
    """Tell where another test's bounds lie, in multiples of several seeds' typical ones.

    The text is a main clause.
    """
    moved = attempt(other)
    if moved is None:
        return "no bounds are found"
    low, high = (
        getattr(moved, name) / typical([getattr(one, name) for one in bounds])
        for name in ("lr_min", "lr_max")
    )
    return f"the bounds lie at {low:.2f} and {high:.2f} times those of the sweeps above"


# Figures


def draw_sweeps(curves: Sequence[Curve], bounds: Sequence[Bounds]) -> Figure:
    """Draw loss and accuracy of each seed against the rate, as measured and smoothed.

    The bounds of each seed are dashed lines.
    """
    figure, axes = figures.new(2, size=(6.4, 3.0))
    loss_ax, accuracy_ax = axes[0]
    for curve in curves:
        losses = np.asarray(curve.losses, dtype=float)
        _draw_sweep(loss_ax, curve.rates, losses, limit=2 * HEADROOM * losses[0])
        _draw_sweep(accuracy_ax, curve.rates, 100 * np.asarray(curve.accuracies, dtype=float))
    for ax in axes[0]:
        for one in bounds:
            ax.axvline(one.lr_min, color=GREY, lw=0.8, ls="--")
            ax.axvline(one.lr_max, color=BLACK, lw=0.8, ls="--")
        ax.set(xscale="log", xlabel="learning rate")
    loss_ax.set(ylabel="training loss, nats", ylim=(0, _loss_limit(curves)))
    accuracy_ax.set(ylabel="training accuracy, %", ylim=(0, 100))
    _label_bounds(loss_ax, bounds)
    return figure


def _draw_sweep(
    ax: Axes, rates: Sequence[float], values: np.ndarray, limit: float = np.inf
) -> None:
    """Draw values as dots, and smoothed as a line, for which they count as at most the limit."""
    kept = np.isfinite(values)
    rates, values = np.asarray(rates)[kept], values[kept]
    ax.plot(rates, values, ".", color=BLUE, ms=4, alpha=0.35, mew=0)
    ax.plot(rates, smooth(rates, np.minimum(values, limit)), color=BLUE, lw=1.2)


def _loss_limit(curves: Sequence[Curve]) -> float:
    return HEADROOM * max(curve.losses[0] for curve in curves)


def _label_bounds(ax: Axes, bounds: Sequence[Bounds]) -> None:
    places = (
        (min(one.lr_min for one in bounds), "lr_min", GREY, "right"),
        (max(one.lr_max for one in bounds), "lr_max", BLACK, "left"),
    )
    at = ax.get_xaxis_transform()
    for rate, label, colour, side in places:
        text = f" {label} "
        ax.text(rate, 0.03, text, transform=at, ha=side, va="bottom", color=colour, fontsize=8)


def draw_candidates(readings: Mapping[str, Sequence[Curve]]) -> Figure:
    """Draw loss and accuracy at each candidate rate, a line a seed.

    What is off the axis is a triangle at its edge.
    """
    figure, axes = figures.new(2, size=(6.4, 3.0))
    loss_ax, accuracy_ax = axes[0]
    top = _loss_limit([curve for curves in readings.values() for curve in curves])
    for curves, colour in zip(readings.values(), COLOURS, strict=True):
        for curve in curves:
            _draw_points(loss_ax, curve.rates, np.asarray(curve.losses), top, colour)
            accuracies = 100 * np.asarray(curve.accuracies)
            _draw_points(accuracy_ax, curve.rates, accuracies, 100.0, colour)
    for ax, limit in ((loss_ax, top), (accuracy_ax, 100.0)):
        ax.set(xscale="log", xlabel="learning rate", ylim=(0, limit * 1.02))
    loss_ax.set_ylabel("training loss, nats")
    accuracy_ax.set_ylabel("training accuracy, %")
    at = {"transform": accuracy_ax.transAxes, "va": "top", "fontsize": 9}
    for row, (label, colour) in enumerate(zip(readings, COLOURS, strict=True)):
        accuracy_ax.text(0.03, 0.97 - 0.08 * row, label, color=colour, **at)
    return figure


def _draw_points(
    ax: Axes, rates: Sequence[float], values: np.ndarray, limit: float, colour: str
) -> None:
    off = ~(values <= limit)  # what is no number, too
    ax.plot(rates, np.where(off, np.nan, values), ".-", color=colour, lw=1)
    ax.plot(np.asarray(rates)[off], np.full(off.sum(), limit), "^", color=colour, ms=5)
