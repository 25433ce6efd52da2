"""Learning rates chosen on held-out training images."""

import pytest
from recorded import ended

from book.regularization import variants
from book.report import tuning
from book.report.experiments import training_images
from models.specs import RunSpec

SMALL = RunSpec(dataset="mnist5k", train_size=600, batch_size=50)
NAMES = ("neither", "batch norm")


def trials(accuracies, **more):
    """A trial a rate with these validation accuracies; test accuracies say the opposite."""
    return {
        rate: [
            ended(SMALL.with_(lr=rate), validation_accuracy=value, test_accuracy=1 - value, **more)
        ]
        for rate, value in accuracies.items()
    }


def of_seeds(rates):
    """Trials with several seeds a rate, by their validation accuracies, on 100 images."""
    spec = SMALL.with_(validation_size=100)
    return {
        rate: [
            ended(spec.with_(lr=rate, seed=seed), validation_accuracy=value)
            for seed, value in enumerate(values)
        ]
        for rate, values in rates.items()
    }


@pytest.mark.usefixtures("own_folders", "one_thread")
def test_each_variant_gets_the_rate_its_held_out_images_prefer(monkeypatch):
    monkeypatch.setenv("CONVBOOK_WORKERS", "1")  # trains in this process
    five = variants.five(SMALL)
    asked = {name: five[name] for name in NAMES}
    tuned = tuning.tune(asked, epochs=3, seeds=2, rates=(1e-5, 0.1))
    assert tuned.rates == {"neither": 0.1, "batch norm": 0.1}
    assert tuned.at_the_edge == list(NAMES)
    assert tuned.variants["batch norm"] == five["batch norm"].with_(lr=0.1)
    for found in tuned.trials.values():
        assert [trial.spec.seed for trial in found[0.1]] == [0, 1]
        low, high = found[1e-5][0], found[0.1][0]
        assert high.final.validation_accuracy > low.final.validation_accuracy
        assert high.diagnostics["train_examples"] == 500
        assert high.final.test_accuracy is None


def test_a_sixth_is_held_out_and_at_least_one_image_a_class():
    published = tuning.candidates(variants.five(RunSpec(dataset="mnist")))
    assert len(published) == 5 * len(tuning.RATES)
    assert {spec.validation_size for spec in published.values()} == {10_000}
    tiny = tuning.candidates({"neither": RunSpec(dataset="mnist5k", train_size=30)})
    assert {spec.validation_size for spec in tiny.values()} == {10}


def test_further_images_judge_what_trains_on_all_of_its_own():
    small = {"neither": RunSpec(dataset="mnist5k", train_size=50, passes=10)}
    trials = tuning.candidates(small, 3, rates=(0.1,), further=400)
    (spec,) = trials.values()
    assert (training_images(spec), spec.validation_size) == (50, 400)
    assert (spec.passes, spec.epochs) == (10, 3)


def test_the_choice_goes_by_validation_accuracy_and_not_by_the_test_set():
    assert tuning.best(trials({0.01: 0.8, 0.1: 0.9, 1.0: 0.7})) == 0.1


def test_of_equal_rates_the_lower_one_is_taken():
    assert tuning.best(trials({1.0: 0.9, 0.3: 0.9, 0.1: 0.8})) == 0.3


def test_rates_within_a_standard_error_of_a_difference_are_called_a_tie():
    held = of_seeds({0.1: [0.85], 0.3: [0.9], 1.0: [0.91], 3.0: [0.9]})
    # an error of √(2 · 0.91 · 0.09 / 100), 4 points
    assert tuning.tied(held, 1.0) == [0.3, 1.0, 3.0]
    assert tuning.ties_text(held, 1.0).startswith("The choice is a tie: at 0.3 and 3 the")
    assert tuning.tied_text(held, 1.0) == "0.3, 1 and 3"
    alone = {0.1: held[0.1], 1.0: held[1.0]}
    assert tuning.ties_text(alone, 1.0).startswith("Every other candidate is further")
    told = tuning.remarks(tuning.Tuned({"neither": held[1.0][0].spec}, {"neither": held}))
    assert told.endswith("standard error of a difference: 0.3, 1 and 3 for “neither”.")


def test_a_diverged_trial_loses_to_every_other():
    lost = ended(SMALL.with_(lr=1.0), diverged=True, validation_accuracy=0.99)
    assert tuning.best({**trials({0.1: 0.2}), 1.0: [lost]}) == 0.1


def test_a_rate_counts_by_the_mean_over_its_seeds():
    found = of_seeds({0.1: [0.90, 0.90], 0.3: [0.95, 0.83]})
    assert tuning.best(found) == 0.1  # 0.3 has the best run, and the lower mean
    assert tuning.accuracy(found[0.3]) == pytest.approx(0.89)


def test_a_rate_at_which_a_seed_diverged_has_no_accuracy():
    found = of_seeds({0.1: [0.90, 0.91], 0.3: [0.95, 0.83]})
    lost = found[0.3][1].model_copy(update={"diverged": True})
    assert tuning.accuracy_text(found[0.1]) == "90.50 %"
    assert tuning.accuracy_text([found[0.3][0], lost]) == "none (1 of 2 diverged)"
    rows = tuning.rate_rows(
        tuning.Tuned({"a": found[0.1][0].spec}, {"a": {0.1: found[0.1], 0.3: [lost, lost]}})
    )
    assert rows == [["a", "**90.50**", "2 of 2 diverged"]]


def test_seeds_that_differ_leave_more_open_than_the_held_out_images_alone():
    found = of_seeds({0.1: [0.90, 0.90], 0.3: [0.68, 0.52], 1.0: [0.68, 0.68]})
    images = (0.9 * 0.1 + 0.6 * 0.4) / 100
    seeds = (0.08**2 + 0.08**2) / 2  # of the differences 0.22 and 0.38
    error = tuning.difference_error(found[0.1], found[0.3])
    assert error == pytest.approx((images + seeds) ** 0.5)
    same = tuning.difference_error(found[0.1], found[1.0])
    assert same == pytest.approx(((0.9 * 0.1 + 0.68 * 0.32) / 100) ** 0.5)


def test_where_all_diverged_there_is_no_tie():
    lost = {0.1: [ended(SMALL.with_(lr=0.1), diverged=True, validation_accuracy=0.5)]}
    assert tuning.tied(lost, 0.1) == []
    assert tuning.ties_text(lost, 0.1) == "At every rate a training diverged."


def test_variants_that_differ_in_their_input_alone_share_the_rate_that_is_best_on_average():
    asked = variants.five(RunSpec(dataset="mnist"))
    assert tuning.alike(asked, "batch norm") == ["batch norm", "batch norm, input too"]
    assert tuning.alike(asked, "both") == ["both"]
    assert tuning.best(trials({0.1: 0.90, 1.0: 0.91}), trials({0.1: 0.95, 1.0: 0.92})) == 0.1


def test_networks_that_differ_in_their_input_alone_share_the_rate_that_is_best_on_average():
    five = variants.five(SMALL)
    assert tuning.alike(five, "batch norm, input too") == ["batch norm", "batch norm, input too"]
    assert tuning.alike(five, "dropout") == ["dropout"]
    assert tuning.best(trials({0.1: 0.9, 0.3: 0.8}), trials({0.1: 0.5, 0.3: 0.7})) == 0.3


def test_choosing_among_none_is_refused():
    with pytest.raises(ValueError, match="got none"):
        tuning.best({})


def test_a_rate_given_for_all_is_taken_without_a_trial():
    tuned = tuning.tune(variants.five(SMALL), lr=0.07)
    assert set(tuned.rates.values()) == {0.07}
    assert (dict(tuned.trials), tuned.at_the_edge) == ({}, [])
    assert tuning.remarks(tuned) == "One rate was given for all, so none was chosen."


def chosen(accuracies):
    held_out = {rate: SMALL.with_(lr=rate, validation_size=100) for rate in accuracies}
    found = {
        rate: [ended(held_out[rate], validation_accuracy=value)]
        for rate, value in accuracies.items()
    }
    return tuning.Tuned({"both": SMALL.with_(lr=tuning.best(found))}, {"both": found})


def test_the_table_has_the_chosen_rate_in_bold():
    assert tuning.rate_rows(chosen({0.1: 0.5, 0.3: 0.9, 1.0: 0.7})) == [
        ["both", "50.00", "**90.00**", "70.00"]
    ]


def test_a_rate_at_the_edge_is_said_to_be_there():
    inside, edge = chosen({0.1: 0.5, 0.3: 0.9, 1.0: 0.7}), chosen({0.1: 0.9, 0.3: 0.8})
    assert tuning.remarks(inside).startswith(
        "No chosen rate is the lowest or the highest candidate."
    )
    assert "The rate of “both” is the lowest or the highest" in tuning.remarks(edge)


def test_an_accuracy_on_a_hundred_images_has_the_binomial_standard_error():
    assert tuning.remarks(chosen({0.1: 0.9, 0.3: 0.8})).endswith(
        "up to 3.00 points."
    )  # sqrt(0.9 · 0.1 / 100)
