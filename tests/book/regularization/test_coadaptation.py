"""The example of co-adaptation, and what is read from the runs' measurements of it."""

import numpy as np
import pytest
from recorded import ended

from book.regularization import coadaptation
from book.regularization.coadaptation import (
    FIRST,
    RATE,
    SECOND,
    descend,
    expected_loss,
    loss_alone,
    share,
    split_loss,
)
from models.progress import Silent
from models.specs import RunSpec
from models.sweeps.sweep import ask

SPEC = RunSpec(epochs=1, probes=("units",))
HISTOGRAM = {
    "low": -1.0,
    "high": 1.0,
    "shares": [0.3, 0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.2, 0, 0, 0, 0, 0, 0, 0, 0, 0.4],
}
LAYER = {
    "losses": [0.3, 0.5],
    "together": {"counts": [1], "accuracies": [0.7]},
    "correlation": 0.25,
    "activations": HISTOGRAM,
}


@pytest.fixture(scope="module")
def record():
    units = {"images": 1000, "loss": 0.2, "accuracy": 0.9, "layers": {"fc1": LAYER}}
    return ended(SPEC, diagnostics={"probes": {"units": units}})


# The example


@pytest.mark.parametrize("values", [(1.0, -1.0, 0.0), (1.5, -0.5, 0.5), (0.3, 0.7, 0.2)])
def test_the_expected_loss_is_the_mean_over_signals_nuisances_and_masks(values):
    first, second, rate = values
    rng, size = np.random.default_rng(0), 1_000_000
    signal, nuisance = rng.standard_normal((2, size))
    kept = (rng.random((2, size)) >= rate) / (1 - rate)
    answer = (kept[0] * (signal + first * nuisance) + kept[1] * (signal + second * nuisance)) / 2
    expected = float(expected_loss().subs({FIRST: first, SECOND: second, RATE: rate}))
    assert expected == pytest.approx(np.mean((answer - signal) ** 2), rel=0.01, abs=1e-12)


def test_without_dropout_every_conspiracy_is_as_good_as_none():
    assert expected_loss().subs({RATE: 0, SECOND: -FIRST}).simplify() == 0


def test_the_split_is_the_same_loss():
    assert (split_loss() - expected_loss()).simplify() == 0


def test_gradient_descent_dissolves_a_conspiracy_with_dropout_only():
    plain = descend((1.5, -0.5), rate=0.0, lr=0.2, steps=200)
    assert plain[-1] == pytest.approx([1.0, -1.0]), "the difference stays, the sum goes"
    assert descend((1.5, -0.5), rate=0.5, lr=0.2, steps=200)[-1] == pytest.approx([0, 0], abs=1e-6)


def test_a_unit_alone_answers_half_the_signal_and_all_its_nuisance():
    rng = np.random.default_rng(0)
    signal, nuisance = rng.standard_normal((2, 1_000_000))
    squares = ((signal + 1.2 * nuisance) / 2 - signal) ** 2
    assert loss_alone(1.2) == pytest.approx(squares.mean(), rel=0.01)


# What is read from records


def test_a_silenced_unit_costs_the_loss_it_adds(record):
    assert coadaptation.damage(record, "fc1") == pytest.approx((0.1 + 0.3) / 2)
    assert coadaptation.half_lost(record, "fc1") == pytest.approx(0.2)
    assert coadaptation.shares(record, "fc1").tolist() == [0.5]


def test_quiet_and_saturated_activations_are_counted_in_the_histograms_bins(record):
    assert coadaptation.near_zero(record, "fc1") == pytest.approx(0.3)
    assert coadaptation.saturated(record, "fc1") == pytest.approx(0.7)
    assert share(HISTOGRAM, -1, 1) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.usefixtures("own_folders")
def test_real_runs_give_every_measure_and_figure():
    base = RunSpec(train_size=300, epochs=2, batch_size=30, probes=("units",))
    specs = {"neither": base, "dropout": base.with_(dropout=0.5, input_dropout=0.2)}
    results = {
        name: ask([spec.with_(seed=seed) for seed in range(2)], progress=Silent())
        for name, spec in specs.items()
    }
    assert coadaptation.layers(results) == ["conv1", "conv2", "fc1", "fc2"]
    assert coadaptation.judged_images(results) == 1000
    for records in results.values():
        for one in records:
            lost = coadaptation.lost(one, "fc1")
            assert lost[-1] > lost[0], "half a layer is missed more than one unit"
            assert 0 < coadaptation.correlation(one, "fc1") < 1
    assert len(coadaptation.draw_lost(results, list(results), "fc1").axes[0].lines) == 2
    assert len(coadaptation.draw_histograms(results, list(results), "fc1").axes) == 3
    assert len(coadaptation.draw_filters(results, list(results)).axes) == 2 * 6 + 1
