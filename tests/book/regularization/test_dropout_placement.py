"""Where dropout stands: which runs are asked for, which rate is best there, and what is drawn."""

import pytest
from recorded import ended

from book.regularization import dropout_placement
from models.networks.architectures import layer_names
from models.specs import RunSpec

BASE = RunSpec(dataset="mnist5k", dropout=0.5, input_dropout=0.2, epochs=2)


def results_of(**accuracies):
    return {
        rate.removeprefix("p").replace("_", "."): [
            ended(
                BASE.with_(seed=seed),
                test_accuracy=value + seed / 1000,
                diagnostics={"train_accuracy": value, "test_accuracy": value + seed / 1000},
            )
            for seed in range(3)
        ]
        for rate, value in accuracies.items()
    }


def test_the_places_share_the_network_without_dropout_and_split_the_hidden_layers():
    sweeps = dropout_placement.sweeps(BASE)
    assert len({sweep["0"].key for sweep in sweeps.values()}) == 1
    assert len({sweep["0.5"].key for sweep in sweeps.values()}) == len(sweeps) == 3
    parts = [layers for layers in dropout_placement.PLACES.values() if layers]
    assert sum(parts, ()) == tuple(layer_names(BASE.network))


def test_the_best_rate_of_a_place_is_one_above_zero_and_is_held_against_zero():
    swept = {"dense layers": results_of(p0=0.9, p0_1=0.8, p0_2=0.85)}
    rate, compared = dropout_placement.best(swept)["dense layers"]
    assert rate == "0.2"
    assert compared.is_worse
    assert compared.points == pytest.approx(5)


def test_a_place_has_a_line_in_each_panel():
    swept = dict.fromkeys(dropout_placement.PLACES, results_of(p0=0.9, p0_5=0.8))
    training, test = dropout_placement.draw(swept).axes
    for ax in (training, test):
        assert len(ax.containers) == 3
    assert {text.get_text() for text in test.texts} == set(dropout_placement.PLACES)
