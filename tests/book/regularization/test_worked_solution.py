"""The worked solution: its sizes by two witnesses, the batch norms that cancel, its head start, its
conclusions.
"""

import pytest
import torch
from torch.nn import functional as F

from book.regularization import cancellation, worked_solution
from book.regularization import worked_solution_conclusions as conclusions
from book.regularization import worked_solution_head_start as head_start
from book.regularization import worked_solution_source as source
from book.report.claims import FALLS, STANDS, TOO_FEW
from book.report.experiments import learned
from models import records
from models.data.loading import load
from models.networks.build import build
from models.progress import Silent
from models.specs import RunSpec
from models.sweeps import sweep
from models.training.batches import Examples

SMALL = RunSpec(network="lenet-stride1", train_size=200, epochs=1, lr=0.01)
RATES = {"dropout": 0.5, "input_dropout": 0.2}
MODELS = {
    "neither": SMALL.with_(input_norm="none"),
    "neither, standardised": SMALL,
    "batch norm": SMALL.with_(norm="batch"),
    "batch norm, input too": SMALL.with_(norm="batch", input_norm="batch"),
    "dropout": SMALL.with_(input_norm="none", **RATES),
    "both": SMALL.with_(norm="batch", input_norm="batch", **RATES),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The six models, each trained for an instant, here and now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVBOOK_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CONVBOOK_RUNS", str(tmp_path_factory.mktemp("runs")))
        return {
            name: sweep.ask([spec], progress=Silent(), device="cpu")
            for name, spec in MODELS.items()
        }


def with_losses(record, *losses, accuracies=None):
    """The record with a history of these training losses, and of these test accuracies."""
    accuracies = accuracies or [0.5] * len(losses)
    told = enumerate(zip(losses, accuracies, strict=True), start=1)
    epochs = [
        record.final.model_copy(
            update={"epoch": epoch, "train_loss": loss, "test_accuracy": accuracy}
        )
        for epoch, (loss, accuracy) in told
    ]
    return record.model_copy(
        update={"history": tuple(epochs), "spec": record.spec.with_(epochs=len(epochs))}
    )


def accurate(record, accuracy):
    return record.model_copy(
        update={"diagnostics": record.diagnostics | {"test_accuracy": accuracy}}
    )


# Sizes


def test_the_sources_parameters_come_out_derived_and_in_the_trained_networks(results):
    rows = list(worked_solution.count_rows(results))
    assert len(rows) == 6
    assert worked_solution.all_agree(rows)


def test_a_count_that_differs_is_noticed(results):
    record = results["dropout"][0]
    wrong = record.model_copy(
        update={"diagnostics": record.diagnostics | {"trainable_parameter_count": 1}}
    )
    assert not worked_solution.all_agree(list(worked_solution.count_rows({"dropout": [wrong]})))


def test_the_two_networks_stand_layer_by_layer_beside_each_other():
    lenet5, stride1 = (
        worked_solution.derive(SMALL.with_(network=name)) for name in ("lenet5", "lenet-stride1")
    )
    *rows, total = worked_solution.layer_rows(lenet5, stride1)
    assert rows[4][0] == "fc1, conv3"
    assert (rows[1][1], rows[1][4]) == ((14, 14, 6), (27, 27, 6))
    assert (total[2], total[5]) == (61_706, 545_546)
    assert total[3] == sum(row[3] for row in rows)


def test_other_settings_than_the_sources_are_told():
    assert source.settings_words(
        MODELS["both"].with_(dataset="mnist", train_size=None, epochs=20)
    ) == ("are the source's")
    words = source.settings_words(MODELS["both"])
    assert "dataset is mnist5k where it has mnist" in words
    assert "train_size is 200 where it has all" in words


# What cancels


def gradients(epsilon):
    """Model 1 in double precision on 100 real digits, its second batch norms away from 1: its
    norms, with gradients.
    """
    torch.manual_seed(0)
    network = build(MODELS["batch norm"]).double()
    norms = {
        name.removesuffix(".norm"): m
        for name, m in network.named_modules()
        if name.endswith(".norm")
    }
    for norm in norms.values():
        norm.eps = epsilon
    with torch.no_grad():
        for following in cancellation.CANCELLED.values():
            norms[following].weight.uniform_(0.8, 1.2)
    digits = load("mnist5k")
    sample = Examples(digits.train_images, digits.train_labels).sample(100)
    variances = {}
    for following in cancellation.CANCELLED.values():
        norms[following].register_forward_hook(
            lambda _, inputs, __, name=following: variances.update(
                {name: inputs[0].var((0, 2, 3), correction=0)}
            )
        )
    F.cross_entropy(network(sample.images.double() / 255), sample.labels).backward()
    return norms, variances


@pytest.mark.parametrize("epsilon", [cancellation.TORCH_EPSILON, cancellation.KERAS_EPSILON])
def test_a_cancelled_gamma_has_the_next_ones_gradient_times_epsilon(epsilon):
    norms, variances = gradients(epsilon)
    for layer, following in cancellation.CANCELLED.items():
        after, variance = norms[following], variances[following].detach()
        expected = after.weight.detach() * epsilon / (variance + epsilon) * after.weight.grad
        torch.testing.assert_close(norms[layer].weight.grad, expected, rtol=1e-6, atol=1e-12)


def test_a_cancelled_beta_has_no_gradient():
    norms, _ = gradients(cancellation.KERAS_EPSILON)
    for layer, following in cancellation.CANCELLED.items():
        assert norms[layer].bias.grad.abs().max() < 1e-12 < norms[following].bias.grad.abs().max()


def test_a_batch_norm_that_none_follows_directly_is_not_cancelled():
    norms, _ = gradients(cancellation.TORCH_EPSILON)
    assert (
        min(norms[layer].weight.grad.abs().max() for layer in ("pool1", "pool2", "conv3", "fc1"))
        > 1e-3
    )


def test_the_drift_is_that_of_the_channel_that_moves_most(results):
    record = results["batch norm"][0]
    layer = record.parameters["pool1"] | {"gamma": [1.0] * 5 + [1.2], "running_var": [0.5] * 6}
    changed = record.model_copy(update={"parameters": record.parameters | {"pool1": layer}})
    assert cancellation.gamma_drift(changed, "pool1", 1e-3) == pytest.approx(
        1e-3 / 0.501 * (1.2**2 - 1) / 2
    )


def test_the_defaults_of_torchs_batch_norm_are_those_the_chapter_tells():
    norm = torch.nn.BatchNorm2d(1)
    assert norm.eps == cancellation.TORCH_EPSILON
    assert norm.momentum == pytest.approx(1 - cancellation.TORCH_MOMENTUM)


@pytest.mark.slow
def test_the_defaults_of_keras_batch_norm_are_those_the_chapter_tells():
    keras = pytest.importorskip("keras")
    norm = keras.layers.BatchNormalization()
    assert (norm.epsilon, norm.momentum) == (
        cancellation.KERAS_EPSILON,
        cancellation.KERAS_MOMENTUM,
    )


def test_epsilon_takes_most_where_the_variance_is_least(results):
    told = {row[0]: row for row in cancellation.epsilon_rows(results["batch norm"])}
    layer = results["batch norm"][0].parameters["pool1"] | {
        "running_var": [0.1, 1.0, 1.0, 1.0, 1.0, 1.0]
    }
    record = results["batch norm"][0]
    changed = record.model_copy(update={"parameters": record.parameters | {"pool1": layer}})
    rows = {row[0]: row for row in cancellation.epsilon_rows([changed])}
    assert rows["pool1"] == ["pool1", "0.100", "0.005", "0.5"]
    assert rows["conv3"] == told["conv3"]


def test_layers_stand_in_the_networks_order_whether_read_or_just_trained(results, tmp_path):
    record = results["both"][0]
    read = records.read(records.write(record, tmp_path))
    expected = ["input", "conv1", "pool1", "conv2", "pool2", "conv3", "fc1"]
    assert list(learned([read], "gamma")) == list(learned([record], "gamma")) == expected


# The head start


def test_the_head_start_is_counted_from_the_epoch_whose_loss_is_as_low(results):
    record = with_losses(results["both"][0], 1.0, 0.5, 0.147, 0.1)
    assert head_start.first_epoch(record) == 3
    assert head_start.words(record) == "in epoch 3"


def test_a_head_start_is_worth_what_the_run_gains_meanwhile(results):
    losses = [0.5] * 10 + [0.1] * 30  # as low from epoch 11 on, so that its 20th epoch is our 30th
    accuracies = [0.80] * 20 + [0.85] * 20
    record = with_losses(results["both"][0], *losses, accuracies=accuracies)
    assert head_start.worth(record) == (
        "the head start changes the accuracy by +5.00 points, "
        "no more than a repetition may differ by"
    )
    table = list(head_start.rows(record))
    assert [row[3] for row in table[:3]] == ["98.53", "80.00", "85.00"]
    assert [row[3] for row in table[3:]] == ["98.83", None, None]


def test_a_run_too_short_says_so(results):
    assert head_start.words(results["both"][0]) == "in none of its 1 epochs"
    assert "too short" in head_start.worth(results["both"][0])


# Its conclusions


def test_every_conclusion_is_judged(results):
    lenet5 = {order: accurate(results["batch norm"][0], 0.98) for order in ("after", "before")}
    found = conclusions.conclusions(results, [lenet5["after"]], [lenet5["before"]])
    assert len(found) == 9
    assert (
        found["placement"].verdict
        == found["longer"].verdict
        == found["overfitting"].verdict
        == TOO_FEW
    )


def test_conclusions_follow_the_numbers(results):
    told = {
        "neither": 0.97,
        "batch norm": 0.99,
        "batch norm, input too": 0.99,
        "dropout": 0.80,
        "both": 0.95,
    }
    changed = {name: [accurate(results[name][0], accuracy)] for name, accuracy in told.items()}
    found = conclusions.accuracy_conclusions(changed)
    assert (
        found["dropout"].verdict
        == found["both-dropout"].verdict
        == found["norm-dropout"].verdict
        == STANDS
    )
    assert found["dropout"].evidence.startswith("−19.00")
    better = conclusions.accuracy_conclusions(
        changed | {"dropout": [accurate(results["dropout"][0], 0.999)]}
    )
    assert better["both-dropout"].verdict == FALLS
    assert "both are better than dropout alone" in conclusions.listed(better, FALLS)
    assert conclusions.listed({}, STANDS) == "none"


def test_a_model_agrees_with_the_source_within_what_a_repetition_may_differ_by(results):
    its = {name: printed.accuracy for name, printed in source.SOURCE.items()}
    near = {name: [accurate(results[name][0], accuracy + 0.001)] for name, accuracy in its.items()}
    assert worked_solution.agreeing(near) == list(its)
    far = near | {"dropout": [accurate(results["dropout"][0], 0.8)]}
    assert worked_solution.agreeing(far) == ["batch norm", "batch norm, input too", "both"]


def test_a_mean_over_seeds_is_apart_from_the_source_where_its_interval_leaves_that_out(results):
    def seeds(*offs):
        its = {name: printed.accuracy for name, printed in source.SOURCE.items()}
        return {name: [accurate(results[name][0], its[name] + off) for off in offs] for name in its}

    assert worked_solution.apart(seeds(0.001)) == "none"  # a single seed has no interval
    assert worked_solution.apart(seeds(-0.001, 0, 0.001)) == "none"
    one = seeds(-0.001, 0, 0.001) | {"both": seeds(-0.0051, -0.005, -0.0049)["both"]}
    assert (
        worked_solution.apart(one).replace("\N{NO-BREAK SPACE}", " ")
        == "both (−0.50 ± 0.02 points)"
    )
