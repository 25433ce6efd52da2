"""The chapter on exercises: its variants, its proof, its checks on the spot, and what it reads from
runs.
"""

import math
from itertools import pairwise

import pytest
from recorded import ended
from sympy import Eq, Integer

from analysis import proof
from analysis.errors import AnalysisError
from analysis.proof import Step
from book.regularization import (
    exercise_answers,
    exercise_source,
    exercises,
    formula_checks,
    layer_subsets,
    trainable_range,
)
from book.regularization.trainable_range import Range, Trial, usable_range
from book.report import scores
from book.report.intervals import Interval
from models.records import Record
from models.specs import RunSpec

BASE = RunSpec(network="lenet5", dataset="mnist5k", train_size=500, epochs=2)


def runs(*accuracies: float, spec: RunSpec = BASE, diverged: bool = False) -> list[Record]:
    """A run a seed, with these test accuracies after the last epoch."""
    return [
        ended(
            spec.with_(seed=seed), diverged=diverged, test_accuracy=accuracy, test_loss=1 - accuracy
        )
        for seed, accuracy in enumerate(accuracies)
    ]


# Variants


def test_four_layers_have_sixteen_subsets_and_none_is_there_twice() -> None:
    subsets = exercises.subsets(BASE)
    assert len({spec.key for spec in subsets.values()}) == 16
    assert subsets["conv1 + fc2"].norm_layers == ("conv1", "fc2")
    assert list(subsets)[-1] == "conv1 + conv2 + fc1 + fc2"


def test_six_orders_are_six_trainings() -> None:
    orders = exercises.orders(BASE)
    assert len({spec.key for spec in orders.values()}) == 6
    assert all(
        spec.norm == "batch" and spec.dropout == exercises.DROPOUT_RATE for spec in orders.values()
    )


def test_exercises_share_the_runs_that_they_have_in_common() -> None:
    groups = exercises.small_groups(BASE, lower_lr=0.01, seeds=2, long_epochs=3)
    asked = sum(len(variants) * seeds for variants, seeds in groups.values())
    assert exercises.count(groups) < asked
    assert groups["frozen"][0]["batch norm"] == groups["ideas"][0]["batch norm"]


def test_every_exercise_has_the_textbooks_activation_or_tanh_at_its_rate() -> None:
    groups = exercises.small_groups(BASE, lower_lr=0.01, seeds=1, long_epochs=3)
    for name, (variants, _) in groups.items():
        expected = "tanh" if "tanh" in name else "sigmoid"
        assert {spec.activation for spec in variants.values()} == {expected}, name
        if "rates" not in name:
            assert {spec.lr for spec in variants.values()} == {
                0.01 if expected == "tanh" else BASE.lr
            }, name


# The proof


def test_a_bias_before_a_batch_norm_is_cancelled() -> None:
    assert all(step.difference == 0 for step in proof.prove_bias_is_cancelled())


def test_what_is_no_identity_is_no_proof() -> None:
    moved, unmoved = proof._mean(proof.BIAS), proof._mean(Integer(0))
    false = Step("mean", Eq(moved, unmoved), "as if a bias did not move it")
    with pytest.raises(AnalysisError, match="mean: no proof, the two sides differ by b"):
        proof.checked((false,))


# Checks on the spot


@pytest.mark.parametrize("shape", [(8, 5), (4, 3, 6, 6)])
def test_our_batch_norm_agrees_with_the_frameworks_in_every_part(shape: tuple[int, ...]) -> None:
    gaps = formula_checks.agreement(*shape)
    assert list(gaps) == list(formula_checks.PARTS)
    assert max(gaps.values()) < 1e-12


@pytest.mark.parametrize("activation", exercises.ACTIVATIONS)
def test_only_the_output_layers_bias_has_a_gradient(activation: str) -> None:
    shares = formula_checks.bias_gradients(activation)
    assert list(shares) == ["conv1", "conv2", "fc1", "fc2", "output"]
    assert shares.pop("output") > 0.1
    assert max(shares.values()) < 1e-12


def test_an_average_that_is_not_detached_keeps_every_graph_alive() -> None:
    kept = formula_checks.kept_nodes(4, detached=False)
    assert kept[0] > 0
    assert len({later - earlier for earlier, later in pairwise(kept)}) == 1, "as many each step"
    assert formula_checks.kept_nodes(4, detached=True) == [0, 0, 0, 0]


def test_gamma_and_beta_take_the_optimizers_step() -> None:
    assert formula_checks.step_gap(0.5) < 1e-12


def test_batch_norms_of_one_two_and_three_dimensions_are_one() -> None:
    assert formula_checks.dimensions_gap() < 1e-12


# What is usable


def test_a_rate_is_usable_when_it_comes_near_the_best_and_never_diverges() -> None:
    results = {
        "1": runs(0.85, 0.75),
        "0.01": runs(0.2, 0.2),
        "0.1": runs(0.8, 0.9),
        "10": runs(0.9, 0.9, diverged=True),
    }
    found = usable_range(results)
    assert [trial.value for trial in found.trials] == [0.01, 0.1, 1, 10]
    assert found.usable == [0.1, 1]
    assert found.largest_text == "1"
    assert found.diverging == [10]
    assert found.best == pytest.approx(0.85)


def test_a_usable_rate_at_the_end_of_the_sweep_is_at_least_the_largest() -> None:
    assert usable_range({"1": runs(0.8), "3": runs(0.8)}).largest_text == "at least 3"


def test_a_network_that_learns_nothing_has_no_usable_rate() -> None:
    assert usable_range({"1": runs(0.1), "3": runs(0.13)}).largest_text == "none"


def test_where_every_rate_diverges_none_is_usable() -> None:
    found = usable_range({"1": runs(0.1, diverged=True)})
    assert found.largest_text == "none"
    assert math.isnan(found.largest)


def test_a_range_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one value of the setting; got none"):
        usable_range({})


# What the runs say


def test_a_table_names_the_reference_and_who_is_better() -> None:
    results = {"batch norm": runs(0.80, 0.81, 0.82), "other": runs(0.90, 0.91, 0.92)}
    rows = scores.variant_rows(results, "batch norm")
    assert rows[0][-1] == "the reference"
    assert rows[1][-1] == "better"
    assert scores.tally(results, "batch norm").text == "1 better, 0 worse, 0 not to be told apart"


def test_a_table_says_how_many_runs_diverged() -> None:
    results = {"a": runs(0.8), "b": runs(0.1, diverged=True)}
    assert scores.variant_rows(results, "a")[1][0] == "b (1 of 1 diverged)"


def test_a_layers_effect_is_the_mean_over_all_choices_for_the_others() -> None:
    gains = {"conv1": 0.08, "conv2": 0.04, "fc1": 0.02, "fc2": 0.0}
    results = {
        name: runs(
            *(
                0.5 + seed / 100 + sum(gains.get(layer, 0) for layer in name.split(" + "))
                for seed in range(3)
            )
        )
        for name in exercises.subsets(BASE)
    }
    effects = layer_subsets.layer_effects(results)
    assert {layer: round(effect.mean, 6) for layer, effect in effects.items()} == gains
    assert all(effect.half_width == pytest.approx(0, abs=1e-9) for effect in effects.values())


def test_each_further_batch_norm_adds_what_it_adds_on_average_over_the_choices() -> None:
    layers = ("conv1", "conv2", "fc1", "fc2")
    results = {}
    for name in exercises.subsets(BASE):
        chosen = [layer for layer in layers if layer in name.split(" + ")]
        gain = (0, 0.1, 0.14, 0.16, 0.17)[len(chosen)] + 0.01 * ("fc2" in chosen)
        results[name] = runs(*(0.5 + seed / 100 + gain for seed in range(3)))
    found = [one.mean for one in layer_subsets.added_by_count(results)]
    quarter = 0.01 / 4  # of the subsets of each size, so many more have fc2
    assert found == pytest.approx([gain + quarter for gain in (0.1, 0.04, 0.02, 0.01)])


def test_the_choice_with_one_dense_layer_that_is_farthest_behind_is_found():
    accuracies = {"all": 0.9, "none": 0.1, "fc1": 0.8, "conv1 + fc2": 0.7, "fc1 + fc2": 0.2}
    results = {
        name: runs(*(value + seed / 100 for seed in range(3))) for name, value in accuracies.items()
    }
    found = layer_subsets.one_dense(results, "all")
    assert found.first == "conv1 + fc2"
    assert found.difference.mean == pytest.approx(-0.2)


def with_curve(*accuracies: float) -> Record:
    """A run with these test accuracies, epoch by epoch."""
    record = ended(BASE.with_(epochs=len(accuracies)), test_accuracy=0.0)
    history = tuple(
        epoch.model_copy(update={"test_accuracy": accuracy})
        for epoch, accuracy in zip(record.history, accuracies, strict=True)
    )
    return record.model_copy(update={"history": history})


def test_reaching_in_one_epoch_what_took_four_is_four_times_fewer_steps() -> None:
    slow, fast = with_curve(0.1, 0.3, 0.5, 0.7), with_curve(0.7, 0.8, 0.8, 0.9)
    assert exercise_answers.speed_up([slow], [fast]).mean == 4
    assert exercise_answers.speed_up([slow], [slow]).mean == 1


def test_never_reaching_it_is_no_speed_up() -> None:
    slow, fast = with_curve(0.1, 0.7), with_curve(0.1, 0.2)
    assert exercise_answers.speed_up_text(exercise_answers.speed_up([slow], [fast])) == (
        "not every run with batch norm gets there"
    )


def some_range(*usable: float) -> Range:
    trials = [
        Trial(value, Interval(0.9 if value in usable else 0.1, None, 1), 0)
        for value in (0.1, 1.0, 10.0)
    ]
    return Range(tuple(trials), 0.1)


def test_claims_are_judged_by_what_the_runs_show() -> None:
    wider = {
        name: {"neither": some_range(0.1), "batch norm": some_range(0.1, 1.0)}
        for name in exercises.ACTIVATIONS
    }
    same = {
        name: {"neither": some_range(1.0), "batch norm": some_range(1.0)}
        for name in exercises.ACTIVATIONS
    }
    ends = {"neither": (0.5, 0.51, 0.52), "batch norm": (0.9, 0.91, 0.92)}
    regularized = {
        name: {
            method: runs(*ends.get(method, (0.7, 0.71, 0.72)))
            for method in (*ends, "dropout", "both")
        }
        for name in exercises.ACTIVATIONS
    }
    tanh = {"neither": runs(0.88, 0.89, 0.9), "batch norm": runs(0.9, 0.91, 0.92)}
    sigmoid = {method: runs(*ends[method]) for method in ends}
    judged = exercise_answers.claims(wider, same, regularized, {"sigmoid": sigmoid, "tanh": tanh})
    assert {claim.name: claim.verdict for claim in judged} == {
        "higher rates": "seen",
        "initialization": "not seen",
        "dropout": "seen",
        "fewer steps": "seen",
        "saturation": "seen",
    }
    assert "0.1 → 1" in judged[0].evidence
    assert "(−38.0" in judged[4].evidence.replace("\N{NO-BREAK SPACE}", " ")


def test_nothing_replaces_a_dropout_that_is_of_no_use() -> None:
    ends = {"neither": (0.8, 0.81, 0.82), "batch norm": (0.9, 0.91, 0.92)}
    found = {
        method: runs(*ends.get(method, (0.7, 0.71, 0.72))) for method in (*ends, "dropout", "both")
    }
    textbook = dict.fromkeys(exercises.ACTIVATIONS, found)
    same = {
        name: {"neither": some_range(1.0), "batch norm": some_range(1.0)}
        for name in exercises.ACTIVATIONS
    }
    verdicts = {
        claim.name: claim.verdict
        for claim in exercise_answers.claims(same, same, textbook, textbook)
    }
    assert verdicts["dropout"] == "no telling: dropout is of no use here"
    assert verdicts["saturation"] == "not seen"


# The thread


def test_the_textbooks_numbers_stand_beside_ours() -> None:
    rows = exercise_source.printed_rows(runs(0.5, 0.6, 0.7))
    assert [row[1] for row in rows] == ["0.246", "90.9", "87.8", "3313.6"]
    assert rows[2][2].startswith("60.0")


def test_an_accuracy_beyond_all_of_ours_can_hardly_be_one_of_the_test_set() -> None:
    found = exercise_source.highest(runs(0.9, 0.91))
    assert found.test == 0.91
    assert found.reading(0.96).startswith("beyond every accuracy here")
    assert found.reading(0.90).startswith("either")


def test_without_runs_there_is_no_highest_accuracy() -> None:
    with pytest.raises(ValueError, match="needs at least one run; got none"):
        exercise_source.highest([])


# Figures


def test_the_figure_marks_what_diverged_and_what_is_usable() -> None:
    found = usable_range({"0.1": runs(0.8, 0.8), "1": runs(0.1, 0.8, diverged=True)})
    figure = trainable_range.ranges({"tanh": {"neither": found}}, xlabel="learning rate")
    (ax,) = figure.axes
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert [line.get_xdata()[0] for line in crosses] == [1.0]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"] == [0.1]


def test_two_seeds_are_two_dots_beside_their_mean() -> None:
    two = usable_range({"0.1": runs(0.7, 0.8), "1": runs(0.5, 0.8)})
    (ax,) = trainable_range.ranges({"tanh": {"neither": two}}, xlabel="learning rate").axes
    dots = [[*map(float, line.get_ydata())] for line in ax.lines if line.get_marker() == "."]
    assert dots == [pytest.approx([70, 80]), pytest.approx([50, 80])]


def test_a_layers_effect_is_a_point_a_layer() -> None:
    effects = {"conv1": Interval(0.1, 0.02, 3), "fc1": Interval(0.2, 0.01, 3)}
    (ax,) = layer_subsets.effects({"sigmoid": effects}).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["conv1", "fc1"]
    assert [point.get_xdata()[0] for point in ax.lines if point.get_marker() == "o"] == [10.0, 20.0]


def test_dropout_right_behind_the_activation_is_set_against_the_other_orders():
    accuracies = {
        "norm-activation-dropout": (0.70, 0.71, 0.72),
        "activation-dropout-norm": (0.72, 0.73, 0.74),
        "norm-dropout-activation": (0.80, 0.81, 0.82),
        "dropout-norm-activation": (0.82, 0.83, 0.84),
    }
    orders = {
        order: [ended(RunSpec(seed=seed), test_accuracy=value) for seed, value in enumerate(values)]
        for order, values in accuracies.items()
    }
    found = exercise_answers.behind_the_activation(orders)
    assert found.mean == pytest.approx(-0.1)
    assert found.half_width == pytest.approx(0, abs=1e-9)


# Families


def test_only_subsets_that_differ_clearly_from_all_layers_are_bold() -> None:
    names = list(exercises.subsets(BASE))
    found = {name: runs(0.800, 0.811, 0.819) for name in names}
    found[names[0]] = runs(0.700, 0.709, 0.721)
    found[names[-1]] = runs(0.800, 0.810, 0.820)
    rows = layer_subsets.subset_rows({"sigmoid": found, "tanh": found}, names[-1])
    assert [row[0] for row in rows] == names
    assert [row[0] for row in rows if row[1].startswith("**")] == [names[0]]
    assert all(row[1] == row[2] for row in rows)


def test_dropout_is_judged_by_three_comparisons_as_a_family() -> None:
    ends = {
        "neither": (0.80, 0.81, 0.82),
        "batch norm": (0.90, 0.91, 0.92),
        "dropout": (0.70, 0.71, 0.72),
        "both": (0.90, 0.92, 0.91),
    }
    found = {name: runs(*accuracies) for name, accuracies in ends.items()}
    words = [one.words for one in exercise_answers.dropout_comparisons(found)]
    assert words == ["worse", "better", "could be noise"]


def test_the_rate_falls_in_every_small_exercise() -> None:
    groups = exercises.small_groups(BASE, 0.01, seeds=6, long_epochs=9)
    found = {(spec.schedule, seeds) for some, seeds in groups.values() for spec in some.values()}
    assert found == {("cosine", 6)}
    longer = {
        name for name, (some, _) in groups.items() if {one.epochs for one in some.values()} == {9}
    }
    assert longer == {exercises.group("regularized", one) for one in exercises.ACTIVATIONS}
