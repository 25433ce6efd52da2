"""Which claims stand, by several seeds, by one, and by none that lived."""

import math

import pytest

from book.regularization.claims import (
    DIVERGED,
    FALLS,
    NOISE,
    STANDS,
    TOO_FEW,
    accuracy_difference,
    epochs_to,
    gaps,
    judge,
    judge_alike,
    race,
)
from book.report.intervals import Interval, accuracy_limit
from models.progress import Silent
from models.specs import RunSpec
from models.sweeps import sweep

CLEAR, AROUND_ZERO, TIGHT = (
    Interval(0.03, 0.01, 5),
    Interval(0.01, 0.02, 5),
    Interval(0.0001, 0.0004, 5),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two seeds of a small network, trained here and now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVBOOK_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CONVBOOK_RUNS", str(tmp_path_factory.mktemp("runs")))
        specs = [RunSpec(train_size=200, epochs=2, batch_size=50, seed=seed) for seed in range(2)]
        return sweep.ask(specs, progress=Silent(), device="cpu")


def accurate(record, *accuracies):
    """The record with other test accuracies, the last of them that of the finished network."""
    epochs = [
        e.model_copy(update={"test_accuracy": a})
        for e, a in zip(record.history, accuracies, strict=True)
    ]
    diagnostics = record.diagnostics | {"test_accuracy": accuracies[-1]}
    return record.model_copy(update={"history": tuple(epochs), "diagnostics": diagnostics})


def test_several_seeds_clear_of_zero_decide():
    assert judge(CLEAR) == STANDS
    assert judge(Interval(-0.03, 0.01, 5)) == FALLS


def test_several_seeds_around_zero_leave_a_claim_open():
    assert judge(AROUND_ZERO) == NOISE
    assert judge(AROUND_ZERO, limit=0.005) == NOISE


def test_a_difference_that_several_seeds_bound_closely_is_none():
    assert judge(TIGHT, limit=0.005) == FALLS
    assert judge(TIGHT) == NOISE


def test_one_seed_decides_beyond_the_limit_alone():
    assert judge(Interval(0.02, None, 1), limit=0.005) == STANDS
    assert judge(Interval(-0.02, None, 1), limit=0.005) == FALLS
    assert judge(Interval(0.004, None, 1), limit=0.005) == TOO_FEW
    assert judge(Interval(0.02, None, 1)) == TOO_FEW


def test_one_seed_never_shows_that_two_are_alike():
    assert judge_alike(Interval(0.0, None, 1), 0.005) == TOO_FEW
    assert judge_alike(Interval(0.02, None, 1), 0.005) == FALLS


def test_several_seeds_show_it_when_their_interval_is_narrow():
    assert judge_alike(TIGHT, 0.005) == STANDS
    assert judge_alike(AROUND_ZERO, 0.005) == NOISE
    assert judge_alike(CLEAR, 0.005) == FALLS


def test_a_diverged_run_decides_nothing():
    lost = Interval(math.nan, math.nan, 3)
    assert judge(lost, 0.005) == judge_alike(lost, 0.005) == DIVERGED


def test_a_difference_pairs_the_seeds_that_both_sides_have(trained):
    first = [accurate(trained[0], 0.5, 0.9), accurate(trained[1], 0.5, 0.8)]
    second = [accurate(trained[0], 0.5, 0.7)]
    found = accuracy_difference(first, second)
    assert (found.interval.mean, found.interval.count) == (pytest.approx(0.2), 1)
    assert found.flipped.interval.mean == pytest.approx(-0.2)
    assert found.limit == pytest.approx(
        accuracy_limit((0.85 + 0.7) / 2, 1000)
    )  # mnist5k has 1,000 test images
    assert found.positive == STANDS
    assert found.points.startswith("+20.00")


def test_a_race_is_to_the_lower_of_the_two_final_accuracies(trained):
    slow, fast = accurate(trained[0], 0.5, 0.8), accurate(trained[0], 0.85, 0.9)
    run = race([slow], [fast])
    assert (run.first.mean, run.second.mean, run.difference.mean) == (2, 1, 1)


def test_an_accuracy_never_reached_is_an_error_that_names_it(trained):
    with pytest.raises(ValueError, match=r"0\.999 in one of 2 epochs"):
        epochs_to(trained[0], 0.999)


def test_the_gap_is_test_loss_minus_training_loss(trained):
    told = trained[0].diagnostics
    assert gaps(trained)[0] == told["test_loss"] - told["train_loss"]
    lost = trained[0].model_copy(update={"diagnostics": told | {"test_loss": None}})
    assert math.isnan(gaps([lost])[0])
