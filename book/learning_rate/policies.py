"""The runs of the chapters on learning rate and batch size: a common base, and what varies.

Each function takes specs and gives specs; only `rate_bounds` asks for runs, those of the range
test.
"""

from collections.abc import Collection, Mapping
from typing import get_args

from book.learning_rate.bounds import read_bounds, rounded, sweep, swept, typical
from book.learning_rate.iterations import kept_every, per_epoch
from book.report import experiments
from book.report.experiments import Variants, training_images
from book.report.methods import (
    BOTH_FIXED,
    EXP_RANGE,
    GROWING_BATCH,
    ONE_CYCLE,
    SHRINKING_RATE,
    TRIANGULAR,
    TRIANGULAR2,
)
from book.report.parameters import RATE, SIZE, Kind, ParameterError, number, one_of, or_none, whole
from models.networks.spec import NetworkName
from models.specs import RunSpec

SWEEP = (1e-5, 10.0)  # where Smith's sweep begins and ends
LEFT = 0.1  # share of exp_range's amplitude that is left at the end
POINTS = 100  # losses that a run keeps, about
FACTORS = (1 / 10, 1 / 3, 1, 3)  # of lr_max, to find a constant rate

#: What the three chapters' own parameters accept.
KINDS: Mapping[str, Kind] = {
    "network": one_of(get_args(NetworkName)),
    "small_network": one_of(get_args(NetworkName)),
    "small_epochs": SIZE,
    "batch_size": whole(2),
    "held_out": whole(2),
    "base_lr": or_none(RATE),
    "max_lr": or_none(RATE),
    "sweep_from": RATE,
    "candidates": whole(2),
    "subset": whole(20),
    "range_epochs": SIZE,
    "range_seeds": SIZE,
    "full_size": or_none(whole(10)),
    "full_held_out": whole(2),
    "full_seeds": SIZE,
    "full_lr": or_none(RATE),
    "step_size_up": or_none(SIZE),
    "gamma": or_none(number(0, below=1, inclusive=False)),
    "growth_step": or_none(SIZE),
    "max_batch_size": whole(2),
    "micro_batch": whole(2),
    "compared_batch": whole(2),
}


def seeds_text(seeds: int) -> str:
    """Tell how often each run was trained, and what that says of its uncertainty.

    >>> seeds_text(1), seeds_text(3)
    ('once, with seed 0, so that there are no intervals', '3 times, with seeds 0 to 2')
    >>> seeds_text(2)
    'twice, with seeds 0 and 1, which are shown one by one and have no interval'
    """
    if seeds > 2:
        return f"{seeds} times, with seeds 0 to {seeds - 1}"
    if seeds == 2:
        return "twice, with seeds 0 and 1, which are shown one by one and have no interval"
    return "once, with seed 0, so that there are no intervals"


def origin_text(base_lr: float | None, max_lr: float | None) -> str:
    """Tell where the bounds come from, as the end of a sentence.

    >>> origin_text(None, 0.1)
    'the upper one given, the other from the range test'
    """
    given = [name for name, value in (("lower", base_lr), ("upper", max_lr)) if value is not None]
    if len(given) == 1:
        return f"the {given[0]} one given, the other from the range test"
    return "both given" if given else "both from the range test's sweep"


def edge_text(rate: float, rates: Collection[float]) -> str:
    """Return what to add when the best of some rates is the lowest or the highest, or nothing.

    >>> edge_text(0.1, [0.1, 0.03])
    ' (the highest: one beyond it may be better still)'
    """
    if rate not in (min(rates), max(rates)):
        return ""
    edge = "highest" if rate == max(rates) else "lowest"
    return f" (the {edge}: one beyond it may be better still)"


def growth_text(growth_step: int | None) -> str:
    """Tell when the batch doubles.

    >>> growth_text(100)
    'after every 100 iterations'
    """
    return f"after every {growth_step:,} iterations" if growth_step else "after every epoch"


def check_order(
    lower: float | None,
    upper: float | None,
    names: str = "base_lr and max_lr",
    *,
    factor: float = 1.0,
) -> None:
    """Refuse a range of learning rates that does not rise by more than a factor.

    Where one of them is yet to be measured, nothing is known.

    Raises:
        ParameterError: The upper one is not more than `factor` times the lower one.
    """
    if lower is not None and upper is not None and factor * lower >= upper:
        more = f" by more than a factor of {factor:g}" if factor > 1 else ""
        raise ParameterError(f"{names} must rise{more}; got {lower:g} and {upper:g}")


def base(
    network: str,
    dataset: str,
    train_size: int | None,
    held_out: int,
    *,
    batch_size: int,
    epochs: int,
) -> RunSpec:
    """Return what all runs share: batch norm, dropout 0.5, momentum 0.9, bf16.

    One training image in `held_out` validates.
    """
    spec = RunSpec(
        network=network,
        dataset=dataset,
        train_size=train_size,
        norm="batch",
        dropout=0.5,
        momentum=0.9,
        precision="bf16",
        batch_size=batch_size,
        epochs=epochs,
    )
    return spec.with_(validation_size=training_images(spec) // held_out)


def rate_bounds(
    spec: RunSpec, base_lr: float | None, max_lr: float | None, *, epochs: int, seeds: int
) -> tuple[float, float]:
    """Return the learning rate's lower and upper bound: those given, or as the range test has them.

    The test is the sweep of chapter `range_test`, over as many `epochs` and `seeds`; over seeds the
    geometric mean is taken, in two digits.

    Raises:
        ParameterError: One is given, and lies on the wrong side of the other.
        RangeTestError: The range test shows no bounds.
    """
    if base_lr is not None and max_lr is not None:
        return base_lr, max_lr
    test = sweep(spec.with_(epochs=epochs), *SWEEP)
    (records,) = experiments.ask({"range test": test}, seeds).values()
    bounds = [read_bounds(swept(record)) for record in records]
    low = base_lr or typical([one.lr_min for one in bounds])
    high = max_lr or typical([one.lr_max for one in bounds])
    check_order(low, high, "base_lr and max_lr, one of them from the range test,")
    return low, high


def cyclical(
    spec: RunSpec,
    lr_min: float,
    lr_max: float,
    step_size_up: int | None = None,
    gamma: float | None = None,
) -> Variants:
    """Return the policies between two rates: exp_range, triangular, triangular2 and one-cycle.

    `step_size_up` is half a cycle in iterations, one epoch by default; `gamma` the amplitude's
    factor an iteration, by default such that a tenth of it is left at the end.
    """
    step = step_size_up or iterations(spec)
    limits = {"lr": lr_min, "max_lr": lr_max, "loss_every": kept_every(spec, POINTS)}
    cycle = spec.with_(schedule="triangular", step_size_up=step, **limits)
    return {
        EXP_RANGE: cycle.with_(schedule="exp_range", gamma=gamma or decay(spec)),
        TRIANGULAR: cycle,
        TRIANGULAR2: cycle.with_(schedule="triangular2"),
        ONE_CYCLE: spec.with_(schedule="one-cycle", **limits),
    }


def iterations(spec: RunSpec) -> int:
    """Return the iterations of an epoch as training makes them: a small rest joins the last batch.

    >>> iterations(RunSpec(train_size=1300, batch_size=128))
    10
    """
    return per_epoch(spec, training_images(spec))


def decay(spec: RunSpec, left: float = LEFT) -> float:
    """Return the factor an iteration that leaves a share of the amplitude at the run's end.

    It has six digits.

    >>> decay(RunSpec(train_size=1280, epochs=10, batch_size=128))
    0.977237
    """
    return rounded(left ** (1 / (spec.epochs * iterations(spec))), 6)


def constants(spec: RunSpec, lr_max: float) -> dict[float, RunSpec]:
    """Return runs at constant rates, by their rate: lr_max, two below it and one above."""
    kept = spec.with_(loss_every=kept_every(spec, POINTS))
    return {
        rate: kept.with_(lr=rate) for rate in (rounded(factor * lr_max, 2) for factor in FACTORS)
    }


def batches(
    spec: RunSpec, lr: float, largest: int, growth_step: int | None, micro_batch: int
) -> Variants:
    """Return a batch that grows at a fixed rate, a rate that shrinks instead, and both fixed.

    The batch starts from the spec's. It doubles up to `largest` or to what the training set holds,
    whichever is less; gradients of more than `micro_batch` images are accumulated. The rate halves
    where the batch doubles, counted in images.
    """
    end = doubled(spec.batch_size, min(largest, training_images(spec)))
    growth = {"growth_step": growth_step, "max_batch_size": end}
    fixed = spec.with_(lr=lr)
    return {
        GROWING_BATCH: fixed.with_(schedule="growing-batch", micro_batch=micro_batch, **growth),
        SHRINKING_RATE: fixed.with_(schedule="shrinking-rate", **growth),
        BOTH_FIXED: fixed,
    }


def doubled(size: int, limit: int) -> int:
    """Return the largest size that doubling reaches within a limit; `size` where there is no room.

    >>> doubled(32, 2500), doubled(32, 20)
    (2048, 32)
    """
    return size << max(0, (limit // size).bit_length() - 1)
