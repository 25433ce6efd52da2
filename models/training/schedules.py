"""How the learning rate and the batch size change while a network trains.

Learning rates are torch's own schedulers, stepped once an iteration; momentum never cycles along.
Batch sizes follow Smith et al. 2017 (Don't decay the learning rate, increase the batch size).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, LRScheduler, MultiStepLR, OneCycleLR

from models.specs import RunSpec, SpecError

MAX_BATCH_SIZE = 16_384  # where growing-batch stops when the spec does not say


def make_schedule(spec: RunSpec, optimizer: Optimizer, iterations_per_epoch: int) -> LRScheduler:
    """The learning rate's schedule; call `step()` after each iteration.

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
    - `constant`, `growing-batch`: lr.

    Raises:
        SpecError: the run has fewer iterations than candidates.
    """
    if spec.schedule == "step":
        milestones = [epochs * iterations_per_epoch for epochs in spec.milestones or ()]
        return MultiStepLR(optimizer, milestones, gamma=spec.gamma or 1.0)
    if spec.schedule in ("triangular", "triangular2", "exp_range"):
        assert spec.max_lr is not None  # by the spec's own validation, as the next
        assert spec.step_size_up is not None
        return CyclicLR(
            optimizer,
            base_lr=spec.lr,
            max_lr=spec.max_lr,
            step_size_up=spec.step_size_up,
            mode=spec.schedule,
            gamma=spec.gamma or 1.0,
            cycle_momentum=False,
        )
    if spec.schedule == "one-cycle":
        assert spec.max_lr is not None
        steps = spec.epochs * iterations_per_epoch
        return OneCycleLR(
            optimizer,
            spec.max_lr,
            total_steps=steps,
            div_factor=spec.max_lr / spec.lr,
            cycle_momentum=False,
        )
    if spec.schedule == "range-test":
        return LambdaLR(optimizer, _rising(spec, spec.epochs * iterations_per_epoch))
    if spec.schedule == "shrinking-rate":
        return LambdaLR(
            optimizer, lambda iteration: 0.5 ** _halvings(spec, iteration, iterations_per_epoch)
        )
    return LambdaLR(optimizer, lambda iteration: 1.0)


def _rising(spec: RunSpec, iterations: int) -> Callable[[int], float]:
    """The factor on lr of a range test's iterations 0, 1, …, which ends at max_lr / lr."""
    assert spec.max_lr is not None
    stairs = spec.candidates or iterations
    if stairs > iterations:
        raise SpecError(
            f"candidates: expected at most the run's {iterations} iterations, got {stairs}"
        )
    whole = spec.max_lr / spec.lr

    def factor(iteration: int) -> float:
        stair = min(iteration, iterations - 1) * stairs // iterations
        return whole ** (stair / max(1, stairs - 1))

    return factor


def _halvings(spec: RunSpec, iteration: int, iterations_per_epoch: int) -> int:
    """How often a growing batch has doubled once it has used as many examples as batches of one
    size have by now.

    The size doubles `growth_step` iterations after the last doubling: after 1, 3, 7, … times so
    many small batches.
    """
    if spec.growth_step:
        done = (iteration // spec.growth_step + 1).bit_length() - 1
    else:
        done = iteration // iterations_per_epoch
    return min(done, (_largest(spec) // spec.batch_size).bit_length() - 1)


def _largest(spec: RunSpec) -> int:
    """The size that a growing batch does not exceed."""
    return spec.max_batch_size or max(MAX_BATCH_SIZE, spec.batch_size)


def batch_size_at(spec: RunSpec, epoch: int, iteration: int) -> int:
    """The size of the batch that the spec asks for; the training set may have fewer examples.

    `epoch` counts from 1, `iteration` from 0 through the whole training. A growing batch doubles
    after each `growth_step` iterations, or after each epoch where the spec gives none.

    >>> [batch_size_at(RunSpec(schedule="growing-batch", batch_size=32), epoch, 0) for epoch in (1, 2, 10, 11)]
    [32, 64, 16384, 16384]
    """
    if spec.schedule != "growing-batch":
        return spec.batch_size
    doublings = iteration // spec.growth_step if spec.growth_step else epoch - 1
    return min(spec.batch_size << min(doublings, 32), _largest(spec))


def pieces(total: int, size: int) -> Iterator[slice]:
    """Consecutive slices of `size` that cover `total`; a rest of less than half a slice joins the
    one before it.

    A small last batch makes a noisy step, and a batch norm's moving statistics of it, right before
    the network is judged: 32 images after batches of 128 cost LeNet-5 up to 18 points of test
    accuracy at a learning rate of 1.

    >>> [part.stop - part.start for part in pieces(9, 4)]
    [4, 5]
    """
    start = 0
    while start < total:
        stop = start + piece(total - start, size)
        yield slice(start, stop)
        start = stop


def piece(left: int, size: int) -> int:
    """How many of the `left` examples the next slice of about `size` takes."""
    rest = left - size
    return left if 2 * rest < size or rest == 1 < size else size


def iterations_per_epoch(examples: int, size: int) -> int:
    """Batches in one pass over the training set.

    >>> iterations_per_epoch(4_000, 128), iterations_per_epoch(257, 128)
    (31, 2)
    """
    return sum(1 for _ in pieces(examples, size))
