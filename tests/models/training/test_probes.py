"""What runs measure of themselves: right numbers, and a training that does not notice."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from processes import kill
from torch import nn

from book.commands.retraining import retrain_start
from models import records
from models.networks.layers import NOISE_MEAN, NOISE_SCALE, NOISE_WIDTH, add_noise, make_norm
from models.progress import Silent
from models.runs.making import to_record
from models.runs.obtain import obtain
from models.runs.store import Store
from models.specs import RunSpec
from models.training import probes
from models.training.ablation import DRAWS, chain, counts_of, measure_units
from models.training.activations import UNITS, measure_inputs, measure_variances
from models.training.gradients import LENGTHS, measure_gradients
from models.training.loop import Training
from models.training.measuring import JUDGED
from models.training.probes import is_point

ALL = ("gradients", "inputs", "units", "variances")
HIDDEN = ["conv1", "conv2", "fc1", "fc2"]
pytestmark = pytest.mark.usefixtures("own_folders", "one_thread")

SPEC = RunSpec(
    train_size=300,
    epochs=2,
    batch_size=50,
    norm="batch",
    dropout=0.3,
    input_dropout=0.1,
    momentum=0.9,
)
KILLED = """
import sys
from models.runs.obtain import obtain
from models.specs import RunSpec
obtain(RunSpec.model_validate_json(sys.argv[1]))
"""


def trained(spec: RunSpec, digits) -> Training:
    """A finished training that measures what its spec says."""
    training = Training(spec, digits)
    probes.attach(training)
    list(training.epochs())
    return training


def quietly(spec: RunSpec):
    return obtain(spec, progress=Silent())


def plain(training: Training) -> nn.Module:
    """The training's network in eval mode, taken as it is."""
    return training.network.eval()


# A training that does not notice


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"norm": "noisy-batch", "input_norm": "batch"},
        {
            "norm": "none",
            "optimizer": "adam",
            "momentum": 0.0,
            "lr": 0.003,
            "augmentation": "shift",
        },
        {"precision": "bf16", "micro_batch": 20},
    ],
)
def test_a_run_that_measures_itself_trains_like_one_that_does_not(digits, choices):
    bare, watched = (trained(SPEC.with_(**choices, probes=kinds), digits) for kinds in (None, ALL))
    history = [epoch.model_dump(exclude={"probes"}) for epoch in watched.history]
    assert history == [epoch.model_dump(exclude={"probes"}) for epoch in bare.history]
    assert [epoch.probes is None for epoch in (*bare.history, *watched.history)] == [
        True,
        True,
        False,
        False,
    ]
    to_record(watched, digits)  # measures the finished network
    states = [training.network.state_dict() for training in (bare, watched)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_without_probes_a_record_has_no_trace_of_them():
    content = json.loads(quietly(SPEC.with_(epochs=1)).path.read_text())
    assert "probes" not in content["history"][0]
    assert "probes" not in content["diagnostics"]


def test_a_record_with_probes_reads_back_and_tells_them_all():
    spec = SPEC.with_(probes=ALL)
    found = quietly(spec)
    assert records.dumps(records.read(found.path)).encode() == found.path.read_bytes()
    record = found.record
    assert set(record.diagnostics["probes"]) == {"units", "variances"}
    inputs, gradients = record.probed("inputs"), record.probed("gradients")
    assert inputs["iteration"] == [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        8,
        11,
        12,
    ]  # powers of 1.3, and both epochs' ends: 6 and 12
    assert gradients["iteration"] == [
        0,
        1,
        2,
        3,
        4,
        9,
    ]  # powers of 1.45, but 6, which begins the second epoch
    assert np.shape(inputs["layers"]["fc1"]["unit_means"]) == (10, UNITS)
    assert np.shape(gradients["losses"]) == (6, len(LENGTHS))
    assert list(gradients["shift"]) == ["conv2", "fc1", "fc2", "output"]


def test_a_published_size_of_record_stays_below_60_kilobytes():
    """40 points of inputs and 20 of gradients are those of some 1,500 steps: 10 epochs of 20,000
    images.
    """
    size = quietly(SPEC.with_(probes=ALL)).path.stat().st_size
    record = quietly(SPEC.with_(probes=ALL)).record
    points = {kind: len(record.probed(kind)["iteration"]) for kind in ("inputs", "gradients")}
    bytes_a_point = {
        kind: sum(len(json.dumps(epoch.probes[kind])) for epoch in record.history) / points[kind]
        for kind in points
    }
    more = bytes_a_point["inputs"] * (40 - points["inputs"]) + bytes_a_point["gradients"] * (
        20 - points["gradients"]
    )
    assert size + more < 60_000


def test_a_run_that_did_not_measure_is_told_so():
    with pytest.raises(ValueError, match="measures inputs"):
        quietly(SPEC.with_(epochs=1)).record.probed("inputs")


def test_a_killed_run_resumes_with_the_same_measurements(tmp_path, monkeypatch):
    spec = SPEC.with_(train_size=1000, epochs=6, probes=ALL)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, spec.model_dump_json()], stderr=subprocess.PIPE
    )
    kill(process, when=lambda: Store.default().last_epoch(spec.key) >= 2)
    assert Store.default().checkpoint_files(spec.key)
    resumed = quietly(spec).record
    assert resumed.provenance.resumed_from_epoch is not None
    monkeypatch.setenv("CONVBOOK_CACHE", str(tmp_path / "uninterrupted"))
    whole = quietly(spec).record
    assert (resumed.history, resumed.diagnostics) == (whole.history, whole.diagnostics)


def test_verifying_the_first_epochs_of_a_run_measures_them_again():
    record = quietly(SPEC.with_(probes=("gradients", "inputs"))).record
    assert retrain_start(record, 1, Silent(), "cpu").history == record.history[:1]


def test_time_spent_measuring_is_no_training_time(digits):
    training = Training(SPEC.with_(epochs=1), digits)

    class Slow:
        def before_step(self, images, labels):
            time.sleep(0.2)

        def after_epoch(self):
            return {}

    training.probe = Slow()
    list(training.epochs())
    assert training.epoch_seconds[0] < 0.2 * training.iteration


def test_a_diverged_run_still_ends_as_a_strict_record():
    spec = SPEC.with_(
        norm="none", activation="relu", lr=1e20, momentum=0.0, dropout=0.0, input_dropout=0.0
    )
    found = quietly(spec.with_(probes=ALL))
    assert found.record.diverged
    assert "NaN" not in found.path.read_text()
    assert "probes" not in found.record.diagnostics


@pytest.mark.slow
def test_networks_with_parallel_branches_are_measured_too(digits):
    spec = RunSpec(
        network="minigooglenet", norm="batch", dropout=0.5, train_size=20, epochs=1, batch_size=10
    )
    record = to_record(
        trained(spec.with_(probes=("gradients", "inputs", "variances")), digits), digits
    )
    layers = record.probed("inputs")["layers"]
    assert len(layers) == 19
    assert {"conv1", "inception1.conv1x1", "inception8.conv3x3", "downsample1.conv"} <= set(layers)
    assert set(record.diagnostics["probes"]["variances"]) == set(layers)


# Inputs


def test_points_are_powers_of_the_ratio():
    assert [iteration for iteration in range(25) if is_point(iteration, 1.3)] == [
        0, 1, 2, 3, 4, 5, 6, 8, 11, 14, 18, 23,
    ]  # fmt: skip


def test_the_input_of_a_nonlinearity_behind_a_batch_norm_has_its_beta_and_gamma_for_moments(digits):
    training = trained(SPEC.with_(probes="inputs"), digits)
    measured = measure_inputs(training)["layers"]
    for layer, values in measured.items():
        norm = getattr(training.network, layer).norm
        chosen = slice(None, None, max(1, norm.num_features // UNITS))
        expected = [
            norm.bias[chosen][:UNITS].tolist(),
            norm.weight[chosen][:UNITS].square().tolist(),
        ]
        assert values["unit_means"] == pytest.approx(expected[0], rel=2e-3, abs=2e-4)
        assert values["unit_variances"] == pytest.approx(expected[1], rel=5e-3)
        assert values["mean"] == pytest.approx(norm.bias.mean().item(), rel=1e-3, abs=1e-4)


def test_percentiles_are_those_of_the_first_units_input(digits):
    training = trained(SPEC.with_(norm="none", probes="inputs"), digits)
    stage = training.network.conv1
    with torch.no_grad():
        images = training.network.input(
            training.train.images / 255
        )  # 300 images: fewer than are looked at
        values = stage.conv(images)[:, 0].flatten().numpy()
    measured = measure_inputs(training)["layers"]["conv1"]["percentiles"]
    assert measured == pytest.approx(np.percentile(values, [15, 50, 85]).tolist(), rel=1e-3)


# Gradients


def test_gradients_are_those_of_the_loss_and_change_as_they_do(digits):
    training = trained(SPEC.with_(norm="none", dropout=0.0, input_dropout=0.0), digits)
    images, labels = training.train.images[:64], training.train.labels[:64]
    measured = measure_gradients(training, images, labels)
    network = training.network

    def look() -> tuple[float, torch.Tensor]:
        loss = nn.functional.cross_entropy(network(images / 255), labels)
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        return loss.item(), torch.cat([gradient.flatten() for gradient in gradients])

    def move(step: torch.Tensor) -> None:
        for parameter, part in zip(
            network.parameters(), step.split([p.numel() for p in network.parameters()]), strict=True
        ):
            parameter.data += part.view_as(parameter)

    loss, gradient = look()
    assert measured["loss"] == pytest.approx(loss, rel=1e-5)
    assert measured["norm"] == pytest.approx(gradient.norm().item(), rel=1e-4)
    for index, length in enumerate(LENGTHS):
        move(-length * SPEC.lr * gradient)
        there, turned = look()
        move(length * SPEC.lr * gradient)
        assert measured["losses"][index] == pytest.approx(there, rel=1e-4)
        assert measured["distances"][index] == pytest.approx(
            (turned - gradient).norm().item(), rel=1e-3
        )


def test_the_shift_of_a_block_is_what_a_step_below_it_does_to_its_gradient(digits):
    training = trained(SPEC.with_(norm="none", dropout=0.0, input_dropout=0.0), digits)
    images, labels = training.train.images[:64], training.train.labels[:64]
    measured = measure_gradients(training, images, labels)["shift"]["conv2"]
    first, second = (
        list(getattr(training.network, name).parameters()) for name in ("conv1", "conv2")
    )

    def gradients() -> list[torch.Tensor]:
        loss = nn.functional.cross_entropy(training.network(images / 255), labels)
        return list(torch.autograd.grad(loss, [*first, *second]))

    before = gradients()
    for parameter, gradient in zip(first, before[:2], strict=True):
        parameter.data -= SPEC.lr * gradient
    old, new = (
        torch.cat([gradient.flatten() for gradient in found[2:]]) for found in (before, gradients())
    )
    assert measured["norm"] == pytest.approx(old.norm().item(), rel=1e-3)
    assert measured["distance"] == pytest.approx((new - old).norm().item(), rel=1e-3)
    assert measured["cosine"] == pytest.approx(
        nn.functional.cosine_similarity(old, new, dim=0).item(), rel=1e-3
    )


def test_masks_and_noise_are_the_same_all_along_a_step(digits):
    """Else a step of no length would already turn the gradient."""
    training = trained(SPEC.with_(norm="noisy-batch", lr=1e-12), digits)
    measured = measure_gradients(training, training.train.images[:50], training.train.labels[:50])
    assert measured["losses"] == pytest.approx([measured["loss"]] * len(LENGTHS), rel=1e-5)
    assert max(measured["distances"]) < 1e-3 * measured["norm"]


# Variances


def test_dropout_makes_more_variance_in_training_than_later(digits):
    record = to_record(trained(SPEC.with_(dropout=0.5, probes="variances"), digits), digits)
    variances = record.diagnostics["probes"]["variances"]
    assert list(variances) == HIDDEN
    for layer in ("fc1", "fc2"):  # behind hidden layers with dropout
        assert variances[layer]["train"] > variances[layer]["eval"]
        assert variances[layer]["shift"] > 1.05


def test_without_dropout_nothing_shifts(digits):
    spec = SPEC.with_(
        train_size=1000, dropout=0.0, input_dropout=0.0, probes="variances"
    )  # 40 steps: 0.9⁴⁰ is little
    first = measure_variances(trained(spec, digits))["conv1"]
    assert first["train"] == pytest.approx(
        first["eval"], rel=1e-5
    )  # nothing before it depends on the mode
    assert first["shift"] < 1.1


def test_the_variance_is_that_of_what_enters_the_norm(digits):
    training = trained(SPEC, digits)
    measured = measure_variances(training)
    entering = {}
    for layer in HIDDEN:
        norm = getattr(plain(training), layer).norm
        norm.register_forward_pre_hook(
            lambda module, inputs, layer=layer: entering.update({layer: inputs[0]})
        )
    with torch.no_grad():
        training.network(training.train.images / 255)
    for layer, values in entering.items():
        expected = values.transpose(0, 1).flatten(1).var(1).mean().item()
        assert measured[layer]["eval"] == pytest.approx(expected, rel=1e-2)
        running = getattr(training.network, layer).norm.running_var
        assert measured[layer]["running"] == pytest.approx(running.mean().item(), rel=1e-5)


def test_a_layer_without_a_norm_is_measured_before_its_nonlinearity(digits):
    training = trained(SPEC.with_(norm_layers="fc1"), digits)
    measured = measure_variances(training)
    assert {layer: values["running"] is None for layer, values in measured.items()} == {
        "conv1": True, "conv2": True, "fc1": False, "fc2": True,
    }  # fmt: skip


# Units


def test_a_silenced_unit_is_one_whose_outgoing_weights_are_zero(digits):
    training = trained(SPEC.with_(norm="none", dropout=0.0, input_dropout=0.0), digits)
    measured = measure_units(training)
    assert (measured["images"], JUDGED) == (1000, 2000), "mnist5k has no more"
    for layer, following, unit in (("fc1", "fc2", 7), ("fc2", "output", 83), ("conv1", "conv2", 2)):
        weight = next(getattr(training.network, following).parameters())
        kept = weight.data.clone()
        weight.data[:, unit] = 0
        silenced = training.evaluate(training.test)
        weight.data.copy_(kept)
        assert measured["layers"][layer]["losses"][unit] == pytest.approx(silenced.loss, rel=1e-4)
        assert measured["layers"][layer]["accuracies"][unit] == pytest.approx(silenced.accuracy)


def test_the_whole_network_is_judged_as_at_the_epochs_end(digits):
    training = trained(SPEC, digits)
    measured, last = measure_units(training), training.history[-1]
    assert measured["loss"] == pytest.approx(last.test_loss, rel=1e-5)
    assert measured["accuracy"] == pytest.approx(last.test_accuracy)


def test_units_silenced_together_are_the_same_ones_in_every_run(digits):
    training = trained(SPEC.with_(dropout=0.0), digits)
    together = measure_units(training)["layers"]["fc2"]["together"]
    assert together["counts"] == counts_of(84) == [1, 2, 4, 8, 16, 32, 42]
    generator = torch.Generator().manual_seed(0)
    weight, losses = training.network.output.linear.weight, []
    kept = weight.data.clone()
    for _ in range(DRAWS):
        weight.data[:, torch.randperm(84, generator=generator)[:1]] = 0
        losses.append(training.evaluate(training.test).loss)
        weight.data.copy_(kept)
    assert together["losses"][0] == pytest.approx(np.mean(losses), rel=1e-4)


def test_correlations_and_histograms_are_numpys(digits):
    training = trained(SPEC.with_(norm="none"), digits)
    measured = measure_units(training)["layers"]["fc1"]
    with torch.no_grad():
        values = plain(training)[:-2](
            training.test.images / 255
        ).numpy()  # (1000, 120): what fc1 says
    correlations = np.abs(np.corrcoef(values.T)[np.triu_indices(120, 1)])
    assert measured["correlation"] == pytest.approx(correlations.mean(), rel=1e-4)
    for name, expected, low in (
        ("correlations", correlations, 0),
        ("mean_activations", values.mean(0), -1),
        ("activations", values, -1),
    ):
        assert (measured[name]["low"], measured[name]["high"]) == (low, 1)
        counts, _ = np.histogram(expected, 20, (low, 1))
        assert measured[name]["shares"] == pytest.approx(
            (counts / expected.size).tolist(), abs=2e-3
        )


def test_filters_are_the_first_convolutions_weights(digits):
    training = trained(SPEC.with_(epochs=1), digits)
    filters = measure_units(training)["filters"]
    assert np.allclose(filters, training.network.conv1.conv.weight.tolist(), rtol=1e-5)


def test_the_chain_of_modules_is_the_network(digits):
    training = Training(SPEC.with_(network="lenet-stride1"), digits)
    names, modules = zip(*chain(plain(training)), strict=True)
    assert "conv3.dropout" in names
    images = training.test.images[:5] / 255
    assert torch.equal(nn.Sequential(*modules)(images), training.network(images))


@pytest.mark.parametrize(
    ("activation", "ends"), [("sigmoid", (0, 1)), ("relu", (0, None)), ("tanh", (-1, 1))]
)
def test_an_activations_histogram_spans_what_it_can_say(digits, activation, ends):
    training = trained(SPEC.with_(activation=activation, epochs=1), digits)
    for layer in measure_units(training)["layers"].values():
        shown = layer["activations"]
        assert shown["low"] == ends[0]
        assert shown["high"] == ends[1] if ends[1] else shown["high"] > 0
        assert sum(shown["shares"]) == pytest.approx(1, abs=1e-4)


# Noisy batch norm


def test_noise_is_independent_with_a_mean_and_a_scale_that_change_at_every_step():
    torch.manual_seed(0)
    x = torch.randn(20_000, 3)
    means, scales = [], []
    for _ in range(50):
        noisy = add_noise(x)
        means.append((noisy - x).mean(0))
        scales.append(noisy.std(0))
    means, scales = torch.stack(means), torch.stack(scales)  # (50, 3)
    assert means.abs().max() < NOISE_MEAN + 0.05
    assert means.std() == pytest.approx(NOISE_MEAN / 3**0.5, rel=0.15)  # of U(−a, a)
    assert scales.mean() == pytest.approx((1 + NOISE_SCALE) / 2, rel=0.03)
    residual = noisy - noisy.mean(0) - x * ((noisy * x).mean(0) / x.square().mean(0))
    assert residual.std() == pytest.approx((NOISE_WIDTH**2 + NOISE_WIDTH**2 / 3) ** 0.5, rel=0.05)
    assert torch.corrcoef(residual.T)[0, 1].abs() < 0.03


@pytest.mark.parametrize("shape", [(64, 6), (8, 6, 5, 5)])
def test_noisy_batch_norm_is_batch_norm_and_noise_in_training_only(shape):
    torch.manual_seed(0)
    x, spatial = torch.randn(shape) * 3 + 1, len(shape) == 4
    noisy, quiet = make_norm("noisy-batch", 6, spatial), make_norm("batch", 6, spatial)
    assert not torch.equal(noisy(x), noisy(x)), "each step has its own noise"
    for _ in range(2):
        quiet(x)
    assert torch.equal(noisy.running_mean, quiet.running_mean)
    assert torch.equal(noisy.running_var, quiet.running_var)
    torch.testing.assert_close(noisy.eval()(x), quiet.eval()(x) * (1 + NOISE_SCALE) / 2)


def test_noisy_batch_norm_learns_digits_and_comes_out_the_same_again(digits):
    spec = RunSpec(norm="noisy-batch", train_size=1000, epochs=3, batch_size=50)
    first, again = (trained(spec, digits).history for _ in range(2))
    assert first == again
    assert first[-1].test_accuracy > 0.8
    assert set(to_record(trained(spec, digits), digits).parameters) == set(HIDDEN)
