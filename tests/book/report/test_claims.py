"""Which claims stand, by several seeds, by one, and by none that lived."""

import math

import pytest
from recorded import ended

from book.report.claims import (
    DIVERGED,
    FALLS,
    NOISE,
    NOT_BORNE_OUT,
    STANDS,
    TOO_FEW,
    accuracy_difference,
    doubt,
    judge,
    judge_alike,
)
from book.report.intervals import Interval, accuracy_limit
from models.specs import RunSpec

CLEAR, AROUND_ZERO, TIGHT = (
    Interval(0.03, 0.01, 5),
    Interval(0.01, 0.02, 5),
    Interval(0.0001, 0.0004, 5),
)


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


def accurate(*accuracies):
    specs = (RunSpec(train_size=200, epochs=2, seed=seed) for seed in range(len(accuracies)))
    return [ended(spec, test_accuracy=one) for spec, one in zip(specs, accuracies, strict=True)]


def test_a_difference_pairs_the_seeds_that_both_sides_have():
    found = accuracy_difference(accurate(0.9, 0.8), accurate(0.7))
    assert (found.interval.mean, found.interval.count) == (pytest.approx(0.2), 1)
    assert found.flipped.interval.mean == pytest.approx(-0.2)
    assert found.limit == pytest.approx(
        accuracy_limit((0.85 + 0.7) / 2, 1000)
    )  # mnist5k has 1,000 test images
    assert found.positive == STANDS
    assert found.points.startswith("+20.00")


def test_two_sides_are_alike_within_half_of_what_chance_allows():
    found = accuracy_difference(accurate(0.9, 0.901, 0.902), accurate(0.9, 0.902, 0.901))
    half = accuracy_limit((0.901 + 0.901) / 2, 1000) / 2
    assert found.margin.startswith(f"{100 * half:.2f}")
    assert found.interval.high < half
    assert found.alike == STANDS
    assert accuracy_difference(accurate(0.9, 0.9, 0.9), accurate(0.8, 0.8, 0.8)).alike == FALLS


def test_what_runs_do_not_bear_out_is_named_and_nothing_else():
    said = {"dropout hurts": True, "batch norm helps": False, "both help": False}
    assert doubt(said) == f"{NOT_BORNE_OUT} batch norm helps; nor that both help."
    assert doubt({"dropout hurts": True}) == ""
