"""Policies at equal mean rates: how their highest rates are set, and how they are compared."""

from statistics import fmean

import numpy as np
import pytest
from recorded import ended

from book.learning_rate import equal_means, policies
from book.learning_rate.iterations import learning_rates
from book.report import comparisons
from book.report.experiments import training_images
from book.report.intervals import p_value
from book.report.methods import CONSTANT_RATE, COSINE, ONE_CYCLE, TRIANGULAR

BASE = policies.base("lenet5", "mnist5k", 600, 6, batch_size=20, epochs=12).with_(precision="fp32")
NOISE = np.array([-0.002, 0.001, 0.0, 0.002, -0.001])


def test_every_variant_has_the_mean_rate():
    variants = equal_means.variants(BASE, 0.001, 0.05)
    means = {
        name: fmean(learning_rates(spec, training_images(spec))) for name, spec in variants.items()
    }
    assert len(means) == 8
    assert means == pytest.approx(dict.fromkeys(means, 0.05), rel=5e-3)


def test_policies_differ_in_how_high_they_reach_for_it():
    variants = equal_means.variants(BASE, 0.001, 0.05)
    highest = {name: spec.max_lr for name, spec in variants.items() if spec.max_lr}
    assert highest["triangular2"] > highest["exp_range"] > highest["triangular"]
    assert {spec.lr for name, spec in variants.items() if name in highest} == {0.001}
    assert (variants[CONSTANT_RATE].lr, variants[COSINE].lr) == (0.05, 0.1)


@pytest.mark.parametrize("policy", ["triangular", "exp_range"])
def test_long_cycles_take_twice_as_many_iterations(policy):
    variants = equal_means.variants(BASE, 0.001, 0.05)
    short, long = variants[policy], variants[f"{policy}, long"]
    assert (short.step_size_up, long.step_size_up) == (25, 50)
    assert training_images(BASE) * BASE.epochs % (2 * long.step_size_up * BASE.batch_size) == 0


def results_of(levels):
    """Results at one mean rate; each variant's seeds scatter about its accuracy."""
    return {
        name: [
            ended(
                BASE.with_(seed=seed),
                test_accuracy=level + np.roll(NOISE, place)[seed],
                validation_accuracy=level,
            )
            for seed in range(5)
        ]
        for place, (name, level) in enumerate(levels.items())
    }


BY_MEAN = {
    0.1: results_of({CONSTANT_RATE: 0.8, TRIANGULAR: 0.8, ONE_CYCLE: 0.85}),
    1.0: results_of({CONSTANT_RATE: 0.7, TRIANGULAR: 0.8, ONE_CYCLE: 0.6}),
}


def test_a_policy_is_compared_with_the_constant_rate_of_its_mean_as_one_of_all():
    found = equal_means.compared(BY_MEAN, CONSTANT_RATE)
    assert [one.words for one in found[TRIANGULAR]] == ["could be noise", "better"]
    assert [one.words for one in found[ONE_CYCLE]] == ["better", "worse"]
    alone = comparisons.compare(BY_MEAN[0.1], ONE_CYCLE, CONSTANT_RATE)
    assert found[ONE_CYCLE][0].difference == alone.difference
    assert found[ONE_CYCLE][0].adjusted > p_value(alone.difference)


def test_a_row_has_the_highest_rates_and_marks_what_is_clear():
    (first, *cells), _ = equal_means.rows(BY_MEAN, CONSTANT_RATE)
    assert (first, cells[0]) == (TRIANGULAR, "0.1, 0.1")
    assert [cell.startswith("**") for cell in cells[1:]] == [False, True]


def test_each_variant_is_taken_where_it_validates_best():
    means, results = equal_means.at_best(BY_MEAN)
    assert means == {CONSTANT_RATE: 0.1, TRIANGULAR: 0.1, ONE_CYCLE: 0.1}
    assert results[ONE_CYCLE] is BY_MEAN[0.1][ONE_CYCLE]


def test_a_rise_is_from_the_lowest_mean_to_the_highest():
    assert equal_means.rise(BY_MEAN, CONSTANT_RATE) == pytest.approx(-0.1)


def test_the_figure_has_a_line_a_variant():
    (ax,) = equal_means.draw(BY_MEAN).axes
    assert {line.get_label() for line in ax.lines} >= {CONSTANT_RATE, TRIANGULAR, ONE_CYCLE}
    assert ax.get_ylabel().endswith("%")
