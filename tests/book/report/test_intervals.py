"""Intervals over seeds."""

import numpy as np
import pytest
from scipy import stats

from book.report.intervals import (
    holm,
    mean_interval,
    p_value,
    paired_difference,
    slope,
    verdict,
)


def test_the_interval_is_students_t():
    sample = [0.991, 0.992, 0.990, 0.993]
    low, high = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
    interval = mean_interval(sample)
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_a_single_seed_has_no_interval_and_decides_nothing():
    interval = mean_interval([0.99])
    assert interval.half_width is None
    assert interval.could_be_noise
    assert interval.text(scale=100) == "99.00"


def test_two_seeds_are_two_points_and_decide_nothing():
    interval = paired_difference([0.99, 0.98], [0.97, 0.985])
    assert interval.half_width is None
    assert interval.could_be_noise
    assert interval.text(1, 100, sign=True) == "+2.0 and −0.5"
    assert verdict(interval, "better", "worse") == "two seeds can't tell a difference from noise"


def test_the_interval_covers_the_mean_as_often_as_it_says():
    generator = np.random.default_rng(0)
    samples = generator.normal(1.0, 0.3, size=(4000, 5))
    covered = [i.low <= 1.0 <= i.high for i in map(mean_interval, samples)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_pairing_takes_out_what_the_seeds_share():
    seeds = np.array([0.10, 0.30, 0.50, 0.90])
    difference = paired_difference(list(seeds + 0.01), list(seeds))
    assert difference.mean == pytest.approx(0.01)
    assert not difference.could_be_noise
    assert verdict(difference, "better", "worse") == "better"


def test_a_difference_around_zero_is_called_noise():
    assert "noise" in verdict(
        paired_difference([1.0, 2.0, 3.0], [2.0, 1.0, 3.1]), "better", "worse"
    )


def test_a_difference_of_zero_in_every_seed_is_identical_and_no_noise():
    same = paired_difference([0.91, 0.92, 0.93], [0.91, 0.92, 0.93])
    assert verdict(same, "better", "worse") == "identical in every seed"
    assert "noise" in verdict(paired_difference([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]), "", "")
    assert "single seed" in verdict(paired_difference([0.91], [0.91]), "better", "worse")


def test_unequal_numbers_of_seeds_are_refused():
    with pytest.raises(ValueError, match="got 2 and 1"):
        paired_difference([1.0, 2.0], [1.0])


def test_the_p_value_is_that_of_students_t_test():
    sample = [0.01, 0.02, 0.005, 0.03]
    assert p_value(mean_interval(sample)) == pytest.approx(stats.ttest_1samp(sample, 0).pvalue)
    assert p_value(mean_interval([0.0] * 3)) == 1 > p_value(mean_interval([0.5] * 3)) == 0


def test_holms_correction_calls_no_more_than_5_per_cent_of_families_falsely():
    generator = np.random.default_rng(1)
    families = generator.uniform(size=(4000, 10))  # no difference is real
    false = [min(holm(list(family))) < 0.05 for family in families]
    assert np.mean(false) == pytest.approx(0.05, abs=0.012)
    assert np.mean(families.min(axis=1) < 0.05) > 0.35  # as they would be one by one


def test_holms_correction_never_turns_the_order_round():
    assert holm([0.04, 0.001, 0.03, 0.5]) == pytest.approx([0.09, 0.004, 0.09, 0.5])
    assert holm([]) == []


def test_a_slopes_interval_is_that_of_linear_regression():
    x, y = [0.0, 1.0, 2.0, 4.0, 5.0], [1.0, 0.5, 1.5, 3.0, 2.5]
    theirs = stats.linregress(x, y)
    ours = slope(x, y)
    assert ours.mean == pytest.approx(theirs.slope)
    assert ours.half_width == pytest.approx(theirs.stderr * stats.t.ppf(0.975, 3))


def test_two_points_have_no_slope_to_speak_of():
    assert np.isnan(slope([0.0, 1.0], [0.0, 1.0]).mean)
