"""Rates in closed form are to the bit those that torch's schedules give a training."""

from typing import get_args

import pytest
import torch

from models.rates import LARGEST_BATCH, every_rate, iterations_per_epoch
from models.specs import RunSpec, ScheduleName, SpecError
from models.training import batches, schedules

RISING = {"lr": 0.01, "max_lr": 0.7}
CASES = {
    "constant": [{}],
    "cosine": [{}, {"lr": 0.3}],
    "step": [{"milestones": (1, 3), "gamma": 0.3}, {"milestones": (2,), "gamma": 1.0}],
    "triangular": [RISING | {"step_size_up": 7}, RISING | {"step_size_up": 300}],
    "triangular2": [RISING | {"step_size_up": 3}],
    "exp_range": [RISING | {"step_size_up": 5, "gamma": 0.97}],
    "one-cycle": [RISING, {"lr": 0.3, "max_lr": 3.0}],
    "growing-batch": [{"growth_step": 4}],
    "range-test": [RISING, RISING | {"candidates": 6}],
    "shrinking-rate": [{}, {"growth_step": 3}, {"growth_step": 2, "max_batch_size": 512}],
}


def stepped(spec: RunSpec, per_epoch: int) -> list[float]:
    """The rate of each iteration, as a training sees it."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], spec.lr)
    schedule = schedules.make_schedule(spec, optimizer, per_epoch)
    rates = []
    for _ in range(spec.epochs * per_epoch):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize("schedule", get_args(ScheduleName))
@pytest.mark.parametrize("per_epoch", [3, 11, 40])
def test_every_schedules_rates_are_torchs_to_the_bit(schedule, per_epoch):
    for fields in CASES[schedule]:
        spec = RunSpec(schedule=schedule, epochs=4, **fields)
        assert every_rate(spec, per_epoch) == stepped(spec, per_epoch)


def test_more_candidates_than_iterations_are_refused():
    spec = RunSpec(schedule="range-test", candidates=10, epochs=2, **RISING)
    with pytest.raises(SpecError, match="expected at most the run's 8 iterations, got 10"):
        every_rate(spec, per_epoch=4)


def test_a_batch_grows_as_far_as_in_training():
    assert schedules.MAX_BATCH_SIZE == LARGEST_BATCH


def test_an_epoch_has_as_many_iterations_as_in_training():
    for size in (1, 2, 3, 20, 64, 128):
        for examples in range(1, 400):
            expected = batches.iterations_per_epoch(examples, size)
            assert iterations_per_epoch(examples, size) == expected
