"""The example of a covariate shift, and what is read from the runs' measurements of it."""

import math

import numpy as np
import pytest
from recorded import ended
from scipy import integrate, stats

from book.regularization import covariate_shift
from book.regularization.covariate_shift import (
    TanhInput,
    drift,
    glorot_length,
    gradient_shift,
    loss_range,
    one_step,
    relative_change,
    rescaling,
)
from models.networks.build import build
from models.progress import Silent
from models.specs import RunSpec
from models.sweeps.sweep import ask

SPEC = RunSpec(epochs=1, probes=("gradients", "inputs"))
SHIFT = {"norm": [2.0, 4.0], "distance": [1.0, 1.0], "cosine": [0.9, 0.95]}


def measured(means, variances):
    """A record of a run whose units of layer fc1 had these moments (n, u)."""
    layer = {"unit_means": means, "unit_variances": variances}
    gradients = {
        "loss": [2.0, 1.0],
        "norm": [2.0, 4.0],
        "losses": [[1.9, 1.8, 2.5], [0.9, 1.2, 1.1]],
        "distances": [[0.5, 1.0, 2.0], [1.0, 1.5, 2.0]],
        "shift": {"conv2": SHIFT, "fc1": SHIFT},
    }
    inputs = {"iteration": list(range(len(means))), "layers": {"fc1": layer}}
    return ended(SPEC, test_loss=0.5, probes={"inputs": inputs, "gradients": gradients})


# The example


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.5, 0.7), (-3.0, 2.0)])
def test_means_over_the_inputs_are_integrals(mean, std):
    one, density = TanhInput(mean, std), stats.norm(mean, std).pdf

    def integral(value):
        return integrate.quad(lambda z: value(z) * density(z), mean - 12 * std, mean + 12 * std)[0]

    assert one.output == pytest.approx(integral(math.tanh), abs=1e-4)
    assert one.slope == pytest.approx(integral(lambda z: 1 - math.tanh(z) ** 2), abs=1e-4)


def test_the_error_is_the_derivative_of_the_loss_by_a_shift():
    def loss(mean):
        one = TanhInput(mean, 1.2)
        return one.expectation((np.tanh(one.points) - 0.5) ** 2) / 2

    slope = (loss(0.3 + 1e-5) - loss(0.3 - 1e-5)) / 2e-5
    assert TanhInput(0.3, 1.2).error(0.5) == pytest.approx(slope, rel=1e-6)


def test_all_biases_together_overshoot_by_the_weights_squared_length():
    before, own, together = one_step(1.5, target=0.5, lr=2.0).values()
    assert before.mean == 0
    assert own.mean == pytest.approx(-2.0 * before.error(0.5))
    assert together.mean == pytest.approx(2.5 * own.mean)
    assert together.slope < own.slope < before.slope


def test_the_step_is_that_of_gradient_descent_on_sampled_images():
    rng, weights = np.random.default_rng(0), np.array([0.6, -0.8, 0.5])
    x = rng.standard_normal((400_000, 3))

    def mean_loss(own, below):
        return np.mean((np.tanh((x + below) @ weights + own) - 0.5) ** 2) / 2

    steps = np.eye(4) * 1e-4
    slopes = [(mean_loss(s[0], s[1:]) - mean_loss(-s[0], -s[1:])) / 2e-4 for s in steps]
    moved = -3.0 * (slopes[0] + np.dot(slopes[1:], weights))
    assert one_step(float(weights @ weights), 0.5, 3.0)["all layers' step"].mean == pytest.approx(
        moved, rel=0.01
    )


def test_a_units_initial_weights_have_the_length_that_glorot_expects():
    network = build(RunSpec(network="lenet5"))
    lengths = network.fc2.linear.weight.square().sum(1)
    assert lengths.mean().item() == pytest.approx(glorot_length(120, 84), rel=0.05)


# What is read from records


def test_inputs_that_stay_do_not_drift():
    assert drift(measured([[1.0, -2.0]] * 5, [[1.0, 4.0]] * 5), "fc1") == 0


def test_drift_counts_in_units_of_the_spread():
    wander = [[0.0, 0.0], [2.0, 2.0]] * 4  # a standard deviation of 1
    assert drift(measured(wander, [[1.0, 4.0]] * 8), "fc1") == pytest.approx((1 + 1 / 2) / 2)


def test_a_turned_gradient_counts_in_its_own_lengths():
    record = measured([[0.0]], [[1.0]])
    assert gradient_shift(record, "fc1") == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert covariate_shift.mean_gradient_shift(record) == pytest.approx(
        gradient_shift(record, "conv2")
    )


def test_a_spread_that_doubles_and_halves_wanders_by_ln_2():
    variances = [[1.0, 16.0], [4.0, 1.0]] * 4  # standard deviations 1 and 2, and 4 and 1
    assert rescaling(measured([[0.0, 0.0]] * 8, variances), "fc1") == pytest.approx(
        math.log(2) * (1 / 2 + 1) / 2
    )


def test_the_least_predictive_step_and_the_range_of_losses_are_taken():
    record = measured([[0.0]], [[1.0]])
    assert relative_change(record).tolist() == [1.0, 0.5]
    assert covariate_shift.mean_change(record) == 2.0
    assert loss_range(record) == pytest.approx((0.7 + 0.3) / 2)


@pytest.mark.slow
@pytest.mark.usefixtures("own_folders")
def test_real_runs_give_every_measure_and_figure():
    base = RunSpec(train_size=300, epochs=2, batch_size=30, probes=("gradients", "inputs"))
    specs = {"neither": base, "noisy batch norm": base.with_(norm="noisy-batch")}
    results = {
        name: ask([spec.with_(seed=seed) for seed in range(2)], progress=Silent())
        for name, spec in specs.items()
    }
    assert covariate_shift.layers(results) == ["conv1", "conv2", "fc1", "fc2"]
    assert covariate_shift.blocks(results) == ["conv2", "fc1", "fc2", "output"]
    assert covariate_shift.measured_points(results) == 13
    drifts = {
        name: [covariate_shift.mean_drift(record) for record in records]
        for name, records in results.items()
    }
    assert min(drifts["noisy batch norm"]) > 0.2, "its mean jumps by up to half a spread"
    panels = covariate_shift.draw_percentiles(results, list(results), "fc2")
    assert [ax.get_title() for ax in panels.axes] == list(results)
    both = covariate_shift.draw_predictiveness(results, list(results))
    assert len(both.axes[1].lines) == 2


@pytest.mark.usefixtures("own_folders")
def test_behind_a_batch_norm_the_inputs_of_the_tanh_have_its_beta_as_their_mean():
    base = RunSpec(train_size=300, epochs=1, batch_size=30, lr=0.5, probes=("inputs",))
    (record,) = ask([base.with_(norm="batch")], progress=Silent())
    betas = record.parameters["conv1"]["beta"]
    assert max(map(abs, betas)) > 0.01, "they have moved"
    assert covariate_shift.moments_gap(record, "conv1") < 1e-3
