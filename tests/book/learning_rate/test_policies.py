"""The runs of the chapters on learning rate and batch size, and what is read off cyclical ones."""

import math

import pytest
from recorded import ended
from trainings import trained

from book.learning_rate import cyclical, policies
from book.learning_rate.bounds import sweep
from book.learning_rate.iterations import learning_rates, updates
from book.report.experiments import training_images
from book.report.intervals import mean_interval
from book.report.parameters import ParameterError
from models.training.schedules import batch_size_at

BASE = policies.base("lenet5", "mnist5k", 600, 6, batch_size=20, epochs=6)


def test_one_image_in_held_out_validates():
    assert (BASE.validation_size, training_images(BASE)) == (100, 500)
    assert (
        training_images(
            policies.base("minigooglenet", "fashion-mnist", None, 12, batch_size=64, epochs=1)
        )
        == 55_000
    )


@pytest.mark.parametrize(("lower", "upper"), [(0.1, 0.1), (0.2, 0.1)])
def test_rates_that_do_not_rise_are_refused(lower, upper):
    with pytest.raises(
        ParameterError, match=f"base_lr and max_lr must rise; got {lower:g} and 0.1"
    ):
        policies.check_order(lower, upper)


def test_bounds_whose_means_would_be_rounded_onto_them_are_refused():
    policies.check_order(0.1, 0.121, factor=1.2)
    with pytest.raises(ParameterError, match=r"more than a factor of 1.2; got 0.1 and 0.101"):
        policies.check_order(0.1, 0.101, factor=1.2)


def test_rates_that_are_given_need_no_range_test(own_folders):
    assert policies.rate_bounds(BASE, 0.01, 0.1, epochs=1, seeds=1) == (0.01, 0.1)
    assert not any(own_folders.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("own_folders")
def test_rates_that_are_not_given_are_the_range_tests():
    low, high = policies.rate_bounds(BASE, None, None, epochs=4, seeds=1)
    assert 1e-4 < low < high < 1
    assert policies.rate_bounds(BASE, low / 2, None, epochs=4, seeds=1) == (low / 2, high)
    with pytest.raises(ParameterError, match="one of them from the range test, must rise"):
        policies.rate_bounds(BASE, 2 * high, None, epochs=4, seeds=1)


def test_a_tenth_of_the_amplitude_is_left_at_the_end_of_exp_range():
    spec = policies.cyclical(BASE, 0.01, 0.11)["exp_range"]
    rates = learning_rates(spec, training_images(spec))
    peaks = rates[25::50]  # half a cycle is an epoch of 500 / 20 iterations
    assert peaks == pytest.approx(
        [0.01 + 0.1 * spec.gamma ** (25 + 50 * cycle) for cycle in range(3)]
    )
    assert spec.gamma ** len(rates) == pytest.approx(policies.LEFT, rel=1e-3)


def test_the_cycles_step_and_gamma_can_be_given():
    spec = policies.cyclical(BASE, 0.01, 0.11, step_size_up=7, gamma=0.9)["exp_range"]
    assert (spec.step_size_up, spec.gamma) == (7, 0.9)


def test_every_policy_trains_as_often_from_the_same_weights():
    variants = policies.cyclical(BASE, 0.01, 0.1)
    assert set(variants) == {"exp_range", "triangular", "triangular2", "one-cycle"}
    assert {(spec.lr, spec.max_lr, spec.epochs, spec.batch_size) for spec in variants.values()} == {
        (0.01, 0.1, 6, 20)
    }
    assert {spec.norm for spec in variants.values()} == {"batch"}


def test_constant_rates_are_the_highest_and_fractions_of_it():
    assert list(policies.constants(BASE, 0.1)) == [0.01, 0.033, 0.1, 0.3]


def test_the_batch_grows_as_far_as_doubling_leads_within_the_training_set():
    specs = policies.batches(BASE, 0.1, largest=16_384, growth_step=None, micro_batch=64)
    sizes = [batch_size_at(specs["growing batch"], epoch, 0) for epoch in range(1, 7)]
    assert sizes == [20, 40, 80, 160, 320, 320]
    assert policies.batches(BASE, 0.1, 100, None, 64)["growing batch"].max_batch_size == 80


def test_a_shrinking_rate_has_the_growing_batchs_noise_scale_in_every_epoch(digits):
    specs = policies.batches(BASE, 0.1, 16_384, None, 64)
    growing, shrinking = (
        trained(specs[name].with_(epochs=4), digits) for name in ("growing batch", "shrinking rate")
    )
    noise = [[e.lr / e.batch_size for e in record.history] for record in (growing, shrinking)]
    assert noise[0] == pytest.approx(noise[1])
    assert updates(growing) == [25, 38, 44, 47]
    assert updates(shrinking) == [25, 50, 75, 100]


def test_a_steady_rise_has_no_swing_and_a_saw_has_its_own():
    places = [1, 0, 1, 0, 1, 0]
    assert cyclical.swing([1, 2, 3, 4, 5, 6], places) == pytest.approx(0)
    assert cyclical.swing([e - 0.7 * p for e, p in enumerate(places)], places) == pytest.approx(
        -0.7
    )


@pytest.mark.parametrize(("values", "places"), [([1, 2], [0, 1]), ([1, 2, 3, 4], [0, 0, 0, 0])])
def test_without_a_turn_of_the_rate_there_is_no_swing(values, places):
    assert math.isnan(cyclical.swing(values, places))


def test_the_phases_of_a_triangle_are_top_and_bottom(digits):
    record = trained(policies.cyclical(BASE, 0.01, 0.11)["triangular"], digits)
    last = 1 - 1 / 25  # an epoch's last step is one before the turn
    assert cyclical.phases(record) == pytest.approx([last, 1 - last] * 3)


def test_half_a_cycle_is_an_epoch_where_a_small_rest_joins_its_last_batch_too(digits):
    spec = policies.cyclical(BASE.with_(batch_size=49), 0.01, 0.11)[
        "triangular"
    ]  # 500 images: ten batches, and ten over
    assert spec.step_size_up == policies.iterations(spec) == 10
    assert cyclical.phases(trained(spec, digits)) == pytest.approx([1 - 1 / 10, 1 / 10] * 3)


def test_a_race_is_to_the_accuracy_at_which_the_reference_ends(digits):
    results = {
        "fast": [trained(BASE.with_(lr=0.05), digits)],
        "slow": [trained(BASE.with_(lr=1e-4), digits)],
        "never": [trained(BASE.with_(lr=1e-7), digits)],
    }
    needed = cyclical.epochs_to_match(results, "slow")
    target = results["slow"][0].final.validation_accuracy
    reached = results["fast"][0].curve("validation_accuracy")
    first = 1 + next(i for i, accuracy in enumerate(reached) if accuracy >= target)
    assert first - 1 < needed["fast"][0] <= first
    assert needed["fast"][0] < needed["slow"][0] <= 6
    assert needed["never"] == [None]
    assert (
        cyclical.saving(needed["fast"], needed["slow"]).mean
        == needed["slow"][0] - needed["fast"][0]
    )
    assert cyclical.saving(needed["never"], needed["slow"]) is None
    told = {name: row for name, *row in cyclical.match_rows(results, "slow")}
    assert told["never"][1:] == ["never", "–", "never"]
    assert told["slow"][2:] == ["–", "–"]
    assert cyclical.saving_text(needed["fast"], needed["slow"]).startswith("+")


def test_an_accuracy_that_is_reached_at_once_took_the_first_epoch():
    assert cyclical.epochs_needed([0.9, 0.8], 0.5) == 1
    assert cyclical.epochs_needed([0.5, 0.4, 0.9], 0.5) == 1
    assert cyclical.epochs_needed([0.5, math.nan, 0.9], 0.9) == pytest.approx(3)


def test_a_range_test_and_a_chapter_ask_for_the_same_sweep():
    chapter = policies.base("lenet5", "mnist5k", 600, 6, batch_size=20, epochs=4)
    assert sweep(BASE.with_(epochs=4), *policies.SWEEP).key == sweep(chapter, *policies.SWEEP).key


def test_seeds_are_apart_by_the_highest_less_the_lowest_end():
    spec = BASE.with_(validation_size=100)
    ends = [
        ended(spec.with_(seed=seed), validation_accuracy=value)
        for seed, value in enumerate((0.85, 0.83, 0.88))
    ]
    assert cyclical.apart(ends, "validation_accuracy") == pytest.approx(0.05)


def test_a_constant_rate_is_the_tuned_one_or_ties_with_it_or_is_worse():
    spec = BASE.with_(validation_size=100)
    trials = {
        rate: [ended(spec.with_(lr=rate), validation_accuracy=value)]
        for rate, value in {0.1: 0.5, 0.3: 0.89, 1.0: 0.9}.items()
    }
    assert cyclical.tie_text(1.0, 1.0, trials) == ", the tuned one"
    assert cyclical.tie_text(0.3, 1.0, trials).endswith("can't tell from the tuned 1")
    assert cyclical.tie_text(0.1, 1.0, trials) == ", though the trials do better at 1"


def test_policies_stand_at_their_mean_rates_beside_the_other_constant_ones():
    policies = {
        "one-cycle": (0.003, mean_interval([88.0, 89.0, 90.0])),
        "constant": (0.002, mean_interval([87.0, 87.1, 86.9])),
    }
    others = {0.01: mean_interval([83.0, 84.0, 85.0]), 0.02: mean_interval([99.5, 99.5])}
    (ax,) = cyclical.draw_by_mean_rate(policies, others).axes
    means = [container.lines[0] for container in ax.containers]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in means] == [
        (0.003, pytest.approx(89.0)),
        (0.002, pytest.approx(87.0)),
        (0.01, pytest.approx(84.0)),
        (0.02, pytest.approx(99.5)),
    ]
    hollow = [line.get_markerfacecolor() == "none" for line in means]
    assert hollow == [False, False, True, True]
    labels = {text.get_text() for text in ax.texts}
    assert labels == {"one-cycle", "constant", "constant 0.01", "constant 0.02"}
