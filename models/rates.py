"""A run's learning rates in closed form: to the bit those of the schedules that it trains with.

`models.training.schedules` has the schedules themselves, torch's, to be stepped in a training. Here
they can be read off a spec without loading torch.
"""

from collections.abc import Callable
from math import cos, floor, pi

from models.specs import RunSpec, SpecError

LARGEST_BATCH = 16_384  # where a batch stops growing when the spec does not say
RISING = 0.3  # share of a run in which one-cycle's rate rises
LOWEST = 1e4  # by which the first rate of one-cycle is divided at its end

#: A rule: the rate of an iteration, from 0 on, of a run of `total` ones, so many an epoch.
Rule = Callable[[RunSpec, int, int, int], float]


def every_rate(spec: RunSpec, per_epoch: int) -> list[float]:
    """Return the learning rate of every iteration of a run with so many in an epoch.

    Raises:
        SpecError: The run has fewer iterations than candidates.

    >>> spec = RunSpec(schedule="triangular", lr=1.0, max_lr=3.0, step_size_up=2, epochs=3)
    >>> every_rate(spec, per_epoch=2)
    [1.0, 2.0, 3.0, 2.0, 1.0, 2.0]
    """
    rule, total = RULES[spec.schedule], spec.epochs * per_epoch
    return [rule(spec, iteration, total, per_epoch) for iteration in range(total)]


def _constant(spec: RunSpec, iteration: int, total: int, per_epoch: int) -> float:
    return spec.lr


def _cosine(spec: RunSpec, iteration: int, total: int, per_epoch: int) -> float:
    """Return the rate of Loshchilov and Hutter 2017 (eq. 5) without restarts: down to zero."""
    return spec.lr * ((1 + cos(pi * iteration / total)) / 2)


def _step(spec: RunSpec, iteration: int, total: int, per_epoch: int) -> float:
    rate = spec.lr
    for milestone in spec.milestones or ():
        rate *= (spec.gamma or 1.0) if iteration >= milestone * per_epoch else 1.0
    return rate


def _cyclical(spec: RunSpec, iteration: int, total: int, per_epoch: int) -> float:
    """Return the rate of Smith 2015, section 3: a triangle wave, and how its height changes."""
    assert spec.max_lr is not None  # by the spec's own validation, as the next
    assert spec.step_size_up is not None
    cycles = iteration / (2 * spec.step_size_up)
    cycle = floor(1 + cycles)
    place = 1.0 + cycles - cycle  # in the cycle, from 0 to 1
    height = place / 0.5 if place <= 0.5 else (place - 1) / -0.5
    amplitudes = {
        "triangular": 1.0,
        "triangular2": 0.5 ** (cycle - 1),
        "exp_range": (spec.gamma or 1.0) ** iteration,
    }
    return spec.lr + (spec.max_lr - spec.lr) * height * amplitudes[spec.schedule]


def _one_cycle(spec: RunSpec, iteration: int, total: int, per_epoch: int) -> float:
    """Return the rate of Smith & Topin 2017: up a half cosine, and down another."""
    assert spec.max_lr is not None
    first, peak = spec.max_lr / (spec.max_lr / spec.lr), RISING * total - 1
    if iteration <= peak:
        return _half_cosine(first, spec.max_lr, iteration / peak)
    return _half_cosine(spec.max_lr, first / LOWEST, (iteration - peak) / (total - 1 - peak))


def _half_cosine(start: float, end: float, place: float) -> float:
    return end + (start - end) / 2.0 * (cos(pi * place) + 1)


def _range_test(spec: RunSpec, iteration: int, total: int, per_epoch: int) -> float:
    """Return the rate of a test of all rates from lr to max_lr, each the last times a factor."""
    assert spec.max_lr is not None
    stairs = spec.candidates or total
    if stairs > total:
        raise SpecError(f"candidates: expected at most the run's {total} iterations, got {stairs}")
    place: float = (iteration * stairs // total) / max(1, stairs - 1)
    return spec.lr * float((spec.max_lr / spec.lr) ** place)


def _shrinking_rate(spec: RunSpec, iteration: int, total: int, per_epoch: int) -> float:
    """Return the rate that halves where a growing batch would have doubled, by examples."""
    if spec.growth_step:
        halvings = (iteration // spec.growth_step + 1).bit_length() - 1
    else:
        halvings = iteration // per_epoch
    largest = spec.max_batch_size or max(LARGEST_BATCH, spec.batch_size)
    most = (largest // spec.batch_size).bit_length() - 1
    return float(spec.lr * 0.5 ** min(halvings, most))


RULES: dict[str, Rule] = {
    "constant": _constant,
    "cosine": _cosine,
    "step": _step,
    "triangular": _cyclical,
    "triangular2": _cyclical,
    "exp_range": _cyclical,
    "one-cycle": _one_cycle,
    "growing-batch": _constant,
    "range-test": _range_test,
    "shrinking-rate": _shrinking_rate,
}


def iterations_per_epoch(examples: int, batch_size: int) -> int:
    """Return the batches of an epoch; a rest of less than half a batch joins the one before it.

    So does a single example: a batch norm needs two.

    >>> iterations_per_epoch(4_000, 128), iterations_per_epoch(257, 128)
    (31, 2)
    """
    whole, rest = divmod(examples, batch_size)
    alone = 2 * rest >= batch_size and not rest == 1 < batch_size
    return max(1, whole + alone)
