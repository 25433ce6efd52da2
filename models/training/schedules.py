"""How the learning rate and the batch size change while a network trains.

Learning rates are torch's own schedulers, stepped once an iteration; momentum never cycles along.
Batch sizes follow Smith et al. 2017 (Don't decay the learning rate, increase the batch size).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, LRScheduler, MultiStepLR, OneCycleLR

from models.specs import RunSpec, SpecError

MAX_BATCH_SIZE = 16_384  # where growing-batch stops when the spec does not say


def make_schedule(spec: RunSpec, optimizer: Optimizer, iterations_per_epoch: int) -> LRScheduler:
    """Return the learning rate's schedule; call `step()` after each iteration.

    - `step`: times gamma after each milestone, a number of epochs (MultiStepLR).
    - `triangular`, `triangular2`, `exp_range`: between lr and max_lr, step_size_up iterations up
      and as many down; the amplitude stays, halves each cycle, or shrinks by gamma each iteration
      (Smith 2015, section 3; CyclicLR).
    - `one-cycle`: from lr up to max_lr and down to nearly nothing, once (Smith & Topin 2017;
      OneCycleLR).
    - `range-test`: from lr to max_lr over the whole run, by the same factor each iteration, or in
      `candidates` stairs of equal length (Smith 2015, section 3.3, where it rises by the same
      amount).
    - `shrinking-rate`: halves where `growing-batch` with the same fields doubles, counted in
      examples.
    - `cosine`: from lr to zero along half a cosine, over the whole run (Loshchilov and Hutter 2017,
      eq. 5, without restarts).
    - `constant`, `growing-batch`: lr.

    Raises:
        SpecError: The run has fewer iterations than candidates.
    """
    return SCHEDULES[spec.schedule](spec, optimizer, iterations_per_epoch)


def _constant(spec: RunSpec, optimizer: Optimizer, iterations_per_epoch: int) -> LRScheduler:
    return LambdaLR(optimizer, lambda iteration: 1.0)


def _step(spec: RunSpec, optimizer: Optimizer, iterations_per_epoch: int) -> LRScheduler:
    milestones = [epochs * iterations_per_epoch for epochs in spec.milestones or ()]
    return MultiStepLR(optimizer, milestones, gamma=spec.gamma or 1.0)


def _cyclical(spec: RunSpec, optimizer: Optimizer, iterations_per_epoch: int) -> LRScheduler:
    assert spec.max_lr is not None  # by the spec's own validation, as the next
    assert spec.step_size_up is not None
    mode: Any = spec.schedule
    return CyclicLR(
        optimizer,
        base_lr=spec.lr,
        max_lr=spec.max_lr,
        step_size_up=spec.step_size_up,
        mode=mode,
        gamma=spec.gamma or 1.0,
        cycle_momentum=False,
    )


def _one_cycle(spec: RunSpec, optimizer: Optimizer, iterations_per_epoch: int) -> LRScheduler:
    assert spec.max_lr is not None
    return OneCycleLR(
        optimizer,
        spec.max_lr,
        total_steps=spec.epochs * iterations_per_epoch,
        div_factor=spec.max_lr / spec.lr,
        cycle_momentum=False,
    )


def _cosine(spec: RunSpec, optimizer: Optimizer, iterations_per_epoch: int) -> LRScheduler:
    iterations = spec.epochs * iterations_per_epoch
    return LambdaLR(
        optimizer, lambda iteration: (1 + math.cos(math.pi * iteration / iterations)) / 2
    )


def _range_test(spec: RunSpec, optimizer: Optimizer, iterations_per_epoch: int) -> LRScheduler:
    return LambdaLR(optimizer, _rising_factor(spec, spec.epochs * iterations_per_epoch))


def _shrinking_rate(spec: RunSpec, optimizer: Optimizer, iterations_per_epoch: int) -> LRScheduler:
    return LambdaLR(
        optimizer, lambda iteration: 0.5 ** _halvings(spec, iteration, iterations_per_epoch)
    )


SCHEDULES: dict[str, Callable[[RunSpec, Optimizer, int], LRScheduler]] = {
    "constant": _constant,
    "step": _step,
    "triangular": _cyclical,
    "triangular2": _cyclical,
    "exp_range": _cyclical,
    "cosine": _cosine,
    "one-cycle": _one_cycle,
    "growing-batch": _constant,
    "range-test": _range_test,
    "shrinking-rate": _shrinking_rate,
}


def _rising_factor(spec: RunSpec, iterations: int) -> Callable[[int], float]:
    """Return the factor on lr of a range test's iterations 0, 1, …, which ends at max_lr / lr."""
    assert spec.max_lr is not None
    stairs = spec.candidates or iterations
    if stairs > iterations:
        raise SpecError(
            f"candidates: expected at most the run's {iterations} iterations, got {stairs}"
        )
    whole = spec.max_lr / spec.lr

    def factor(iteration: int) -> float:
        stair = min(iteration, iterations - 1) * stairs // iterations
        return float(whole ** (stair / max(1, stairs - 1)))

    return factor


def _halvings(spec: RunSpec, iteration: int, iterations_per_epoch: int) -> int:
    """Return how often a growing batch has doubled after as many examples as used by now.

    The size doubles `growth_step` iterations after the last doubling: after 1, 3, 7, … times so
    many batches of the first size.
    """
    if spec.growth_step:
        doublings = (iteration // spec.growth_step + 1).bit_length() - 1
    else:
        doublings = iteration // iterations_per_epoch
    return min(doublings, (_largest_batch(spec) // spec.batch_size).bit_length() - 1)


def _largest_batch(spec: RunSpec) -> int:
    """Return the size that a growing batch does not exceed."""
    return spec.max_batch_size or max(MAX_BATCH_SIZE, spec.batch_size)


def batch_size_at(spec: RunSpec, epoch: int, iteration: int) -> int:
    """Return the batch size that the spec asks for; the training set may have fewer examples.

    `epoch` counts from 1, `iteration` from 0 through the whole training. A growing batch doubles
    after each `growth_step` iterations, or after each epoch where the spec gives none.

    >>> spec = RunSpec(schedule="growing-batch", batch_size=32)
    >>> [batch_size_at(spec, epoch, 0) for epoch in (1, 2, 10, 11)]
    [32, 64, 16384, 16384]
    """
    if spec.schedule != "growing-batch":
        return spec.batch_size
    doublings = iteration // spec.growth_step if spec.growth_step else epoch - 1
    return min(spec.batch_size << min(doublings, 32), _largest_batch(spec))


def batch_sizes(spec: RunSpec, epoch: int, iteration: int, examples: int) -> Iterator[int]:
    """Yield the sizes of an epoch's batches from an iteration on, none above `examples`."""
    for number in itertools.count(iteration):
        yield min(batch_size_at(spec, epoch, number), examples)
