"""What the chapter on batch size and depth compares: its runs, tables and figures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from book.report import figures
from book.report.colours import BLACK
from book.report.comparisons import by_setting, compare
from book.report.experiments import Groups, Results, Variants, final, learned_nothing, mean
from book.report.intervals import Interval, paired_difference
from book.report.methods import (
    BATCH_NORM,
    CONV_BATCH_NORM,
    GROUP_NORM,
    LAYER_NORM,
    NO_NORM,
    PLAIN,
    PLAIN_NORM,
    RESIDUAL,
    RESIDUAL_NORM,
)
from models.records import Record
from models.specs import RunSpec

# Batch size

#: The norms that are compared at every batch size, and a spec's name of each.
NORMS: Mapping[str, str] = {
    BATCH_NORM: "batch",
    GROUP_NORM: "group",
    LAYER_NORM: "layer",
    NO_NORM: "none",
}

SMALL = 8  # images: up to so many, batch norm is also tried in the convolutions alone
CONVOLUTIONS = ("conv1", "conv2")

BATCH_SIZES = tuple(str(2**power) for power in range(1, 11))

#: Validation error of ResNet-50 on ImageNet, per cent, with batch norm and with group norm, by the
#: images a worker (source: Wu and He 2018, table 2).
PAPER: Mapping[int, tuple[float, float]] = {
    32: (23.6, 24.1),
    16: (23.7, 24.2),
    8: (24.8, 24.0),
    4: (27.3, 24.2),
    2: (34.7, 24.1),
}

METHODS = (*NORMS, CONV_BATCH_NORM)
BATCH_HEADERS = ("batch", "rate", *METHODS)

#: What is compared at every batch size; what not all of them have stands last.
GAPS = (
    (BATCH_NORM, GROUP_NORM),
    (BATCH_NORM, NO_NORM),
    (GROUP_NORM, NO_NORM),
    (CONV_BATCH_NORM, GROUP_NORM),
)
GAP_HEADERS = ("batch", *(f"{first} − {second}" for first, second in GAPS))


def at_batches(base: RunSpec, batches: Iterable[int], seeds: int) -> Groups:
    """Return `base` with each norm at each batch size, by that size.

    The rate grows in proportion to the batch: `base` has the rate of its own.
    """
    return {str(batch): (_norms(_with_batch(base, batch)), seeds) for batch in batches}


def _with_batch(base: RunSpec, batch: int) -> RunSpec:
    return base.with_(batch_size=batch, lr=base.lr * batch / base.batch_size)


def _norms(spec: RunSpec) -> Variants:
    variants = {method: spec.with_(norm=norm) for method, norm in NORMS.items()}
    if spec.batch_size <= SMALL:
        variants[CONV_BATCH_NORM] = variants[BATCH_NORM].with_(norm_layers=CONVOLUTIONS)
    return variants


def batch_rows(results: Mapping[str, Results]) -> Iterator[list[object]]:
    """Return a row a batch size, as `BATCH_HEADERS` names it: test accuracies, per cent."""
    for batch, variants in results.items():
        rate = variants[BATCH_NORM][0].spec.lr
        texts = [score_text(variants[one]) if one in variants else None for one in METHODS]
        yield [int(batch), f"{rate:g}", *texts]


def gap_rows(results: Mapping[str, Results]) -> Iterator[list[object]]:
    """Return a row a batch size: the differences of `GAPS`, bold where clear of zero."""
    for batch, variants in results.items():
        compared = [compare(variants, *pair) for pair in GAPS if set(pair) <= set(variants)]
        texts = [one.marked for one in compared]
        yield [int(batch), *texts, *[None] * (len(GAPS) - len(texts))]


def draw_batches(results: Mapping[str, Results]) -> Figure:
    """Draw test accuracy against batch size, a line a norm."""
    figure, ((ax,),) = figures.new(size=(6.4, 3.4))
    small = {batch: one for batch, one in results.items() if CONV_BATCH_NORM in one}
    _sweep(ax, small, [CONV_BATCH_NORM])
    ends = _sweep(ax, results, NORMS)
    ax.set_xscale("log", base=2)
    ax.set_xticks([int(batch) for batch in results], list(results))
    ax.set(xlabel="batch size, images", ylabel="test accuracy, %")
    figures.label_ends(ax, ends)
    _label_last(ax, small)
    return figure


def _sweep(ax: Axes, results: Mapping[str, Results], methods: Iterable[str]) -> list[figures.End]:
    """Draw some methods' accuracies against the settings' numbers; a cross where one diverged."""
    settings, methods = list(map(float, results)), list(methods)
    if not settings:
        return []
    series = by_setting(results.values(), methods)
    for setting, variants in zip(settings, results.values(), strict=True):
        for method in methods:
            _cross(ax, setting, variants[method])
    return figures.sweep(ax, settings, series, limits=figures.PER_CENT)


def _cross(ax: Axes, position: float, records: Sequence[Record]) -> None:
    """Mark the mean of runs of which one has diverged."""
    if any(record.diverged for record in records):
        accuracy = 100 * mean(records, "test_accuracy").mean
        ax.plot(position, accuracy, "x", color=BLACK, ms=7, zorder=3)


def _label_last(ax: Axes, small: Mapping[str, Results]) -> None:
    """Write the name of the short line below its last point, where nothing else is."""
    for batch, variants in list(small.items())[-1:]:
        place = (float(batch), 100 * mean(variants[CONV_BATCH_NORM], "test_accuracy").mean)
        look: dict[str, Any] = {"color": CONV_BATCH_NORM.colour, "fontsize": 9}
        line = {"arrowstyle": "-", "color": CONV_BATCH_NORM.colour, "lw": 0.6}
        offset: dict[str, Any] = {"textcoords": "offset points", "arrowprops": line}
        ax.annotate(CONV_BATCH_NORM, place, (12, -44), **offset, **look)


# Depth

#: The networks of a depth: a spec's network but for its depth, and its norm.
KINDS: Mapping[str, tuple[str, str]] = {
    RESIDUAL_NORM: ("resnet", "batch"),
    PLAIN_NORM: ("plain", "batch"),
    RESIDUAL: ("resnet", "none"),
    PLAIN: ("plain", "none"),
}

#: The rates that are tried, by the norm; networks with one need none of the lowest.
RATES: Mapping[str, tuple[float, ...]] = {"batch": (0.1, 0.01), "none": (0.1, 0.01, 0.001)}
EVERY_RATE = RATES["none"]

DEPTHS = ("8", "14", "20")

#: What batch norm adds, with shortcuts and without, and what shortcuts add, with it and without.
PAIRS = (
    (RESIDUAL_NORM, RESIDUAL),
    (PLAIN_NORM, PLAIN),
    (RESIDUAL_NORM, PLAIN_NORM),
    (RESIDUAL, PLAIN),
)

DEPTH_HEADERS = ("depth", "network", *(f"rate {rate:g}" for rate in EVERY_RATE))
ADDED_HEADERS = ("depth", *(f"{first} − {second}" for first, second in PAIRS))


def at_depths(base: RunSpec, depths: Iterable[int], seeds: int) -> Groups:
    """Return `base` as each kind of network at each of its rates, by depth."""
    return {str(depth): (_at_rates(base, depth), seeds) for depth in depths}


def kinds(base: RunSpec, depth: int) -> Variants:
    """Return `base` as each kind of network of a depth."""
    return {
        kind: base.with_(network=f"{network}{depth}", norm=norm)
        for kind, (network, norm) in KINDS.items()
    }


def _at_rates(base: RunSpec, depth: int) -> Variants:
    return {
        at_rate(kind, rate): spec.with_(lr=rate)
        for kind, spec in kinds(base, depth).items()
        for rate in RATES[spec.norm]
    }


def at_rate(kind: str, rate: float) -> str:
    """Return what a kind of network at a rate is called.

    >>> at_rate(RESIDUAL, 0.01)
    'residual, no norm at 0.01'
    """
    return f"{kind} at {rate:g}"


def trials(results: Results, kind: str) -> dict[float, list[Record]]:
    """Return a kind's runs by their rate, from the highest on."""
    return {rate: results[at_rate(kind, rate)] for rate in RATES[KINDS[kind][1]]}


def best_rate(results: Results, kind: str) -> float:
    """Return the rate whose runs are the most accurate on held-out images; of equals the first."""
    tried = trials(results, kind)
    return max(tried, key=lambda rate: mean(tried[rate], "validation_accuracy").mean)


def at_best(results: Results) -> Results:
    """Return the runs of each kind at its best rate."""
    return {kind: trials(results, kind)[best_rate(results, kind)] for kind in KINDS}


def depth_rows(results: Mapping[str, Results]) -> Iterator[list[object]]:
    """Return a row a network, as `DEPTH_HEADERS` names it: test accuracies, the best in bold."""
    for depth, runs in results.items():
        for kind in KINDS:
            tried, best = trials(runs, kind), best_rate(runs, kind)
            texts = {rate: score_text(records) for rate, records in tried.items()}
            texts[best] = f"**{texts[best]}**"
            yield [int(depth), kind, *(texts.get(rate) for rate in EVERY_RATE)]


def score_text(records: Sequence[Record]) -> str:
    """Return runs' mean test accuracy, per cent, and how many of them diverged."""
    lost = sum(record.diverged for record in records)
    text = mean(records, "test_accuracy").text(1, 100)
    return f"{text} ({lost} of {len(records)} diverged)" if lost else text


def draw_depths(results: Mapping[str, Results]) -> Figure:
    """Draw test accuracy against depth at each kind's best rate, and of the deepest by its rate."""
    figure, ((left, right),) = figures.new(2, size=(6.4, 3.2), sharey=True)
    _sweep(left, {depth: at_best(runs) for depth, runs in results.items()}, KINDS)
    left.set_xticks([int(depth) for depth in results])
    left.set(xlabel="depth, layers (best rate)", ylabel="test accuracy, %")
    depth, deepest = list(results.items())[-1]
    figures.label_ends(right, [end for kind in KINDS for end in _by_rate(right, deepest, kind)])
    right.set(xscale="log", xlabel=f"rate ({depth} layers)")
    return figure


def _by_rate(ax: Axes, results: Results, kind: str) -> list[figures.End]:
    tried = dict(sorted(trials(results, kind).items()))
    return _sweep(ax, {str(rate): {kind: records} for rate, records in tried.items()}, [kind])


def at_chance(results: Mapping[str, Results], rate: float) -> tuple[int, int]:
    """Return how many runs without a norm at a rate learned nothing, and of how many."""
    runs = [
        record
        for found in results.values()
        for kind in (RESIDUAL, PLAIN)
        for record in found[at_rate(kind, rate)]
    ]
    return sum(map(learned_nothing, runs)), len(runs)


def deeper(results: Mapping[str, Results], kind: str) -> Interval:
    """Return by how much the deepest of a kind is more accurate than the shallowest, from 0 to 1.

    Each is at its best rate.
    """
    depths = list(results.values())
    shallowest, deepest = (
        final(at_best(runs)[kind], "test_accuracy") for runs in (depths[0], depths[-1])
    )
    return paired_difference(deepest, shallowest)
