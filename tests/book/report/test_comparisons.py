"""Variants compared, in numbers and in words."""

import numpy as np
import pytest
from recorded import ended

from book.report import comparisons, experiments, figures, scores
from models.specs import RunSpec

SPEC = RunSpec(epochs=2)
ACCURACIES = {
    "neither": (0.980, 0.981, 0.982),
    "batch norm": (0.990, 0.991, 0.992),
    "dropout": (0.970, 0.972, 0.971),
    "both": (0.991, 0.989, 0.992),
}


def results_of(accuracies):
    return {
        name: [
            ended(
                SPEC.with_(seed=s),
                test_accuracy=value,
                test_loss=0.1,
                diagnostics={"train_accuracy": value + 0.005},
            )
            for s, value in enumerate(values)
        ]
        for name, values in accuracies.items()
    }


RESULTS = results_of(ACCURACIES)


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_clear_difference_is_told_with_its_size_and_interval():
    compared = comparisons.compare(RESULTS, "batch norm", "neither")
    assert compared.is_clear
    assert plain(compared.text) == "+1.00 ± 0.00"
    told = "batch norm alone is 1.00 ± 0.00 percentage points better than neither of the two"
    assert plain(compared.sentence) == told
    behind = comparisons.compare(RESULTS, "neither", "batch norm")
    assert plain(behind.sentence).startswith(
        "neither of the two is 1.00 ± 0.00 percentage points worse"
    )


def test_a_difference_that_could_be_noise_is_not_called_better():
    compared = comparisons.compare(RESULTS, "both", "batch norm")
    assert not compared.is_clear
    assert compared.sentence.endswith("percentage points, which could be noise")


def test_an_extra_gain_is_that_in_some_results_less_that_in_others_of_the_seeds_that_both_have():
    here = results_of({"norm": (0.5, 0.5), "none": (0.4, 0.4)})
    there = results_of({"norm": (0.6, 0.8, 0.1), "none": (0.4, 0.4, 0.4)})
    gain = comparisons.extra_gain(there, here, "norm", "none")
    assert (gain.mean, gain.count) == (pytest.approx(0.2), 2)


def test_a_size_has_no_sign_and_the_way_it_goes_is_asked_apart():
    ahead = comparisons.compare(RESULTS, "batch norm", "neither")
    behind = comparisons.compare(RESULTS, "neither", "batch norm")
    assert ahead.size == behind.size
    assert ahead.points == behind.points == pytest.approx(1.0)
    assert (ahead.is_better, ahead.is_worse) == (behind.is_worse, behind.is_better) == (True, False)
    noise = comparisons.compare(RESULTS, "both", "batch norm")
    assert not noise.is_better
    assert not noise.is_worse


def test_accuracies_that_are_the_same_in_every_seed_are_called_identical():
    twins = dict.fromkeys(("with bias", "without bias"), RESULTS["dropout"])
    compared = comparisons.compare(twins, "without bias", "with bias")
    assert compared.words == "identical in every seed"
    assert compared.sentence == "without bias is as accurate as with bias: identical in every seed"


def test_a_single_seed_tells_nothing_and_has_no_interval():
    single = results_of({name: values[:1] for name, values in ACCURACIES.items()})
    compared = comparisons.compare(single, "batch norm", "dropout")
    assert not compared.is_clear
    assert compared.text == "+2.00"
    assert compared.sentence.endswith("by +2.00 percentage points, and a single seed can't tell")
    assert (
        comparisons.intervals_in(
            {"one": single, "three": RESULTS}, [("both", "dropout"), ("both", "neither")]
        )
        == 2
    )


def test_sentences_begin_with_a_capital_and_end_with_a_full_stop():
    pairs = [comparisons.compare(RESULTS, "both", rival) for rival in ("batch norm", "dropout")]
    told = comparisons.sentences(pairs)
    assert told.count("Their combination") == 2
    assert told.endswith(".")


def test_only_clear_differences_are_bold_among_the_settings():
    pairs = [("both", "batch norm"), ("both", "dropout")]
    ((setting, against_batch, against_dropout),) = comparisons.settings_rows(
        {"here": RESULTS}, pairs
    )
    assert setting == "here"
    assert not against_batch.startswith("**")
    assert against_dropout.startswith("**+")


def test_the_leader_is_compared_with_a_reference_and_not_with_itself():
    rates = results_of({"0": ACCURACIES["neither"], "0.1": ACCURACIES["batch norm"]})
    told = plain(comparisons.leader_sentence(rates, "0", "the rate {}"))
    assert told == (
        "The highest mean test accuracy belongs to the rate 0.1; "
        "against the rate 0 it changes by +1.00 ± 0.00 points: better."
    )
    assert (
        comparisons.leader_sentence(rates, "0.1")
        == "The highest mean test accuracy belongs to 0.1."
    )


def test_on_the_way_a_run_is_compared_by_the_epoch_asked_for():
    def run(first, last):
        record = ended(SPEC, test_accuracy=last)
        early = record.history[0].model_copy(update={"test_accuracy": first})
        return record.model_copy(update={"history": (early, record.history[1])})

    results = {"dropout": [run(0.5, 0.9)], "batch norm": [run(0.8, 0.9)]}
    gaps = [
        comparisons.at_epoch(results, "dropout", "batch norm", epoch).difference.mean
        for epoch in (1, 2)
    ]
    assert gaps == pytest.approx([-0.3, 0.0])


def test_the_gap_is_training_less_test_accuracy():
    assert comparisons.generalization_gap(RESULTS["neither"]) == pytest.approx([0.005] * 3)


def test_means_by_setting_and_by_accuracy_are_in_per_cent():
    by_setting = comparisons.by_setting([RESULTS, RESULTS], ["neither"])
    assert [one.mean for one in by_setting["neither"]] == pytest.approx([98.1, 98.1])
    by_name = comparisons.series(RESULTS, {"training images": "train_accuracy"})
    assert [one.mean for one in by_name["training images"]] == pytest.approx(
        [98.6, 99.6, 97.6, 99.5667], abs=1e-3
    )


def test_a_diverged_run_leaves_the_rest_of_its_curve_empty_and_has_no_loss():
    lost = ended(
        SPEC,
        diverged=True,
        test_accuracy=0.1,
        diagnostics={"train_accuracy": 0.1, "train_loss": None},
    )
    results = {"neither": [lost, RESULTS["neither"][1]]}
    (history, whole) = experiments.histories(results, "test_accuracy")["neither"]
    assert np.isnan(history).tolist() == [False, True]
    assert len(whole) == 2
    assert scores.score_rows(results)[0][2] == "diverged"
    figures.panels({"test accuracy": {"neither": [history, whole]}}).canvas.draw()


def test_every_seed_is_a_dot_and_a_mean_has_its_interval():
    ends = {name: experiments.final(records, "test_accuracy") for name, records in RESULTS.items()}
    figure = figures.dots({"here": ends}, xlabel="test accuracy")
    (ax,) = figure.axes
    drawn = {tuple(line.get_xdata()) for line in ax.lines}
    assert set(ACCURACIES.values()) <= drawn
    assert [label.get_text() for label in ax.get_yticklabels()] == list(ACCURACIES)
    assert len(ax.containers) == len(ACCURACIES)


@pytest.mark.parametrize(
    ("values", "target", "falling", "epoch"),
    [
        ([0.5, 0.8, 0.7, 0.9], 0.8, False, 2),
        ([2.0, 0.5, 0.4], 0.5, True, 2),
        ([None, float("nan"), 0.9], 0.1, False, 3),
        ([0.5, 0.7], 0.75, False, None),
        ([], 0.5, False, None),
    ],
)
def test_an_epoch_that_reaches_a_value_is_the_first_that_has_it(values, target, falling, epoch):
    assert experiments.epochs_until(values, target, falling=falling) == epoch


def test_what_is_clear_alone_may_be_noise_among_many():
    faint = (0.9806, 0.9815, 0.9827)  # +0.06, +0.05 and +0.07 points on "neither"
    alone = {"neither": ACCURACIES["neither"], "faint": faint}
    others = {f"other {n}": (0.981, 0.980, 0.982) for n in range(9)}
    few, many = (results_of(one) for one in (alone, alone | others))
    assert comparisons.against(few, "neither")["faint"].words == "better"
    told = comparisons.against(many, "neither")["faint"]
    assert not told.is_clear
    assert told.sentence.endswith("percentage points, which could be noise among so many")
    assert comparisons.against(many, "neither")["other 1"].words == "could be noise"


def test_what_is_far_beyond_chance_stays_clear_among_many():
    pairs = [("batch norm", "dropout"), ("both", "dropout"), ("both", "batch norm")]
    family = comparisons.corrected([comparisons.compare(RESULTS, *pair) for pair in pairs])
    assert [one.words for one in family] == ["better", "better", "could be noise"]
