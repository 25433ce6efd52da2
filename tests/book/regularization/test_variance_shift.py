"""Variance shift: the derivation against the live layer, and the measurement against the
derivation.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from recorded import ended

from book.regularization import variance_shift, variants
from book.report import experiments
from models.networks.kernels import Dropout
from models.specs import RunSpec

SMALL = RunSpec(dataset="mnist5k", train_size=600, batch_size=50, epochs=2, lr=0.1)


@pytest.mark.parametrize("rate", [0.2, 0.5])
@pytest.mark.parametrize("mean", [0.0, 1.0, -2.0])
def test_the_live_layer_has_the_derived_variance(rate, mean):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randn(400_000, 1) * 1.5 + mean
        y = Dropout(rate).train()(x)
    derived = variance_shift.dropped_variance(x.mean().item(), x.var().item(), rate)
    assert y.var().item() == pytest.approx(derived, rel=0.02)
    assert y.mean().item() == pytest.approx(x.mean().item(), abs=0.02)


@given(st.floats(-5, 5), st.floats(0.1, 5), st.floats(0, 0.9))
def test_the_variance_grows_at_least_by_one_over_what_is_kept(mean, variance, rate):
    assert variance_shift.dropped_variance(mean, variance, rate) >= variance / (1 - rate) * (
        1 - 1e-9
    )


def test_behind_a_layer_the_live_network_has_the_derived_variances():
    generator = np.random.default_rng(0)
    values = generator.normal(0.5, 1.0, size=(200_000, 1)) + generator.normal(
        size=(200_000, 6)
    )  # correlated
    weights = generator.normal(size=6)
    in_training, in_use = variance_shift.summed_variance(weights, values, rate=0.5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        y = Dropout(0.5).train()(torch.from_numpy(values)).numpy()
    assert (y @ weights).var() == pytest.approx(in_training, rel=0.02)
    assert (values @ weights).var() == pytest.approx(in_use)
    assert in_training > in_use


def test_uncorrelated_inputs_of_mean_zero_shift_as_without_a_layer():
    values = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=float)
    in_training, in_use = variance_shift.summed_variance([2.0, 3.0], values, rate=0.2)
    assert in_training / in_use == pytest.approx(1 / (1 - 0.2))


def test_the_table_of_moments_holds_the_proved_ones():
    x = torch.tensor([2.0]).repeat(4, 1)
    y = torch.tensor([[4.0], [0.0], [4.0], [0.0]])
    assert variance_shift.moment_rows(x, y, 0.5) == [["2.000", "2.000", "2.000", "5.333", "4.000"]]


def shifted(running, seed=0, *, second=1.0, accuracy=0.9, **more):
    layers = {"conv1": {"train": 2.0, "eval": 1.0, "running": running, "shift": running}}
    layers["fc1"] = {"train": 2.0, "eval": 2.0, "running": 2 * second, "shift": second}
    return ended(
        SMALL.with_(seed=seed),
        test_accuracy=accuracy,
        diagnostics={"probes": {"variances": layers}},
        **more,
    )


def test_the_overall_shift_is_the_factor_off_over_layers_and_a_mean_over_seeds():
    found = [shifted(4.0), shifted(9.0, seed=1)]
    assert variance_shift.shifts(found)["conv1"].mean == pytest.approx(6.5)
    assert variance_shift.overall_shift(found).mean == pytest.approx(
        (math.sqrt(4) + math.sqrt(9)) / 2
    )


def test_a_variance_too_large_and_one_too_small_do_not_cancel():
    twice_and_half = shifted(2.0, second=0.5)
    assert variance_shift.overall_shift([twice_and_half]).mean == pytest.approx(2)
    assert variance_shift.overall_shift([shifted(0.25)]).mean == pytest.approx(2)


def test_accuracy_is_set_against_the_logarithm_of_the_shift():
    results = {
        "batch norm": [shifted(1.0, accuracy=0.99)],
        "norm-activation-dropout": [shifted(1.0, accuracy=0.96)],  # off by a factor of 1
        "dropout-norm-activation": [shifted(4.0, accuracy=0.94)],  # by 2
        "activation-dropout-norm": [shifted(1 / 16, accuracy=0.92)],  # by 4
    }
    assert variance_shift.per_doubling(results).mean == pytest.approx(-2)
    assert variance_shift.falling_pairs(results) == (3, 3)
    (ax,) = variance_shift.draw_accuracy(results).axes
    assert ax.get_xscale() == "log"
    assert len(ax.containers) == 4


def test_diverged_runs_have_no_shift():
    lost = [ended(SMALL, diverged=True, test_accuracy=0.1)]
    assert variance_shift.overall_shift(lost) is None
    assert variance_shift.order_rows({"batch norm": lost})[0][-1] is None
    for ask in (variance_shift.shift_sentences, variance_shift.direct_range):
        with pytest.raises(ValueError, match="was measured"):
            ask({"dropout-norm-activation": lost})


def test_the_sentences_name_the_orders_with_the_largest_and_the_smallest_shift():
    results = {
        "batch norm": [shifted(1.0)],
        "norm-activation-dropout": [shifted(4.0)],
        "dropout-norm-activation": [shifted(16.0)],
    }
    told = variance_shift.shift_sentences(results)
    assert "farthest off with dropout → BN → tanh, by a factor of 4.00." in told
    assert "least off with BN → tanh → dropout, by a factor of 2.00." in told
    assert "Without dropout the factor is 1.00." in told
    assert told.endswith("(a single seed can't tell).")
    assert variance_shift.direct_range(results) == (1.0, 16.0)


@pytest.mark.usefixtures("own_folders")
def test_dropout_right_before_a_batch_norm_shifts_beyond_the_bound_and_none_does_not(
    monkeypatch,
):
    monkeypatch.setenv("CONVBOOK_WORKERS", "1")
    ordered = variants.measured_orders(variants.five(SMALL))
    chosen = {name: ordered[name] for name in ("batch norm", "activation-dropout-norm")}
    results = experiments.ask(chosen, seeds=1)
    assert variance_shift.overall_shift(results["batch norm"]).mean == pytest.approx(1.0, abs=0.3)
    least, _ = variance_shift.direct_range(results)
    assert least > 0.9 / (1 - 0.5)
    assert len(variance_shift.draw(results).axes[0].containers) == 2
