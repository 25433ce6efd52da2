"""Few and many training images: what is compared, where it turns, and what is drawn."""

import numpy as np
import pytest
from recorded import ended

from book.regularization import training_sizes, variants
from book.report.methods import BATCH_NORM, BOTH, DROPOUT, NEITHER
from book.report.tuning import Tuned
from models.specs import RunSpec

BASE = RunSpec(dataset="mnist5k", epochs=2)
SEEDS = np.array([-0.002, -0.001, 0.0, 0.001, 0.002])


def results_of(dropout_gain, scatter=1.0):
    """Results at one size: dropout gains so much over neither, with so much scatter over seeds."""
    levels = {NEITHER: 0.9, BATCH_NORM: 0.91, DROPOUT: 0.9 + dropout_gain, BOTH: 0.92}
    own = {name: scatter * np.roll(SEEDS, place) for place, name in enumerate(levels)}
    return {
        name: [
            ended(
                BASE.with_(seed=seed),
                test_accuracy=level + own[name][seed],
                diagnostics={
                    "train_accuracy": level + 0.05,
                    "test_accuracy": level + own[name][seed],
                },
            )
            for seed in range(5)
        ]
        for name, level in levels.items()
    }


def sizes(*gains, scatter=1.0):
    return {10**place: results_of(gain, scatter) for place, gain in enumerate(gains, start=2)}


def test_a_method_turns_between_the_last_size_where_it_helps_and_the_first_where_it_costs():
    assert training_sizes.turn(sizes(0.05, 0.03, 0.0, -0.02, -0.03), DROPOUT, NEITHER) == (
        1_000,
        100_000,
    )


@pytest.mark.parametrize(
    "gains", [(0.05, 0.03), (-0.05, -0.03), (-0.05, 0.05), (0.0, 0.0)], ids=str
)
def test_what_does_not_go_from_help_to_harm_has_no_turn(gains):
    assert training_sizes.turn(sizes(*gains), DROPOUT, NEITHER) is None


def test_a_size_counts_as_one_of_all():
    alone = sizes(0.005)
    assert training_sizes.compared(alone, DROPOUT, NEITHER)[100].is_better
    among = alone | {10**place: results_of(0.0, 50.0) for place in range(3, 9)}
    assert not training_sizes.compared(among, DROPOUT, NEITHER)[100].is_clear


def test_a_variant_needs_another_rate_only_where_one_is_shown_to_be_better():
    own = {NEITHER: BASE.with_(lr=0.3), DROPOUT: BASE.with_(lr=0.3, dropout=0.5)}
    validated = {NEITHER: {0.1: 0.901, 0.3: 0.9}, DROPOUT: {0.1: 0.95, 0.3: 0.9}}
    trials = {
        name: {
            rate: [
                ended(
                    own[name].with_(lr=rate, validation_size=1000, seed=seed),
                    validation_accuracy=accuracy,
                )
                for seed in range(3)
            ]
            for rate, accuracy in found.items()
        }
        for name, found in validated.items()
    }
    tuned = Tuned({name: spec.with_(lr=0.1) for name, spec in own.items()}, trials)
    assert training_sizes.needing_another_rate(own, tuned) == [DROPOUT]


def test_no_more_images_judge_than_are_left():
    few = {NEITHER: BASE.with_(train_size=50)}
    assert training_sizes.left_to_judge(BASE, few, 9_500) == 3_950
    assert training_sizes.left_to_judge(BASE, few, 400) == 400


def test_where_one_rate_was_given_for_all_none_needs_another():
    given = Tuned({NEITHER: BASE.with_(lr=0.1)}, {})
    assert training_sizes.needing_another_rate({NEITHER: BASE.with_(lr=0.3)}, given) == []


def test_a_row_says_what_neither_reaches_and_marks_what_is_clear():
    (row,) = training_sizes.rows(sizes(-0.02))
    cells = dict(zip(training_sizes.HEADERS, row, strict=True))
    assert cells["images"] == 100
    assert cells["neither: test acc., %"].startswith("90.00")
    assert cells["dropout − neither"].startswith("**−2.00")


def test_differences_have_a_row_a_size_and_a_column_a_pair():
    pairs = [(DROPOUT, NEITHER), (BOTH, BATCH_NORM)]
    few, many = training_sizes.differences(sizes(0.05, -0.02), pairs)
    assert (few[0], many[0]) == (100, 1_000)
    assert few[1].startswith("**+5.00")
    assert many[1].startswith("**−2.00")
    assert few[2].startswith("**+1.00")


def test_mean_differences_fall_only_if_each_is_below_the_one_before():
    for gains, expected in [
        ((0.05, 0.03, -0.02), True),
        ((0.05, 0.05), False),
        ((0.01, 0.02), False),
    ]:
        found = training_sizes.compared(sizes(*gains), DROPOUT, NEITHER)
        assert training_sizes.falls(found.values()) is expected


def test_errors_are_drawn_from_above_zero_and_gains_from_neither():
    figure = training_sizes.draw(sizes(0.05, -0.02), variants.FOUR)
    errors, gains = figure.axes
    assert errors.get_yscale() == errors.get_xscale() == gains.get_xscale() == "log"
    lines = {line.get_label(): line.get_ydata() for line in gains.lines}
    assert list(lines[DROPOUT]) == pytest.approx([5.0, -2.0])
    assert {text.get_text() for text in gains.texts} == set(variants.FOUR)
