"""The five networks, and how they are varied."""

import pytest
import torch

from book.regularization import variants
from book.report import experiments
from models.networks.build import build
from models.networks.kernels import Dropout
from models.specs import RunSpec

BASE = RunSpec(dataset="mnist", epochs=20, batch_size=128)
FIVE = variants.five(BASE)


def test_the_five_differ_as_the_lab_sheet_says():
    told = {n: (s.norm, s.input_norm, s.dropout, s.input_dropout) for n, s in FIVE.items()}
    assert told == {
        "neither": ("none", "standard", 0.0, 0.0),
        "batch norm": ("batch", "standard", 0.0, 0.0),
        "batch norm, input too": ("batch", "batch", 0.0, 0.0),
        "dropout": ("none", "standard", 0.5, 0.2),
        "both": ("batch", "standard", 0.5, 0.2),
    }


@pytest.mark.parametrize(("divisor", "size", "passes"), [(12, 5_000, 12), (120, 500, 120)])
def test_fewer_images_are_seen_as_often_as_all_of_them(divisor, size, passes):
    for spec in experiments.fewer(variants.four(FIVE), divisor).values():
        assert (spec.train_size, spec.passes, spec.train_size * spec.passes) == (
            size,
            passes,
            60_000,
        )


def test_a_small_set_shrinks_to_one_image_a_class_and_no_further():
    small = variants.five(RunSpec(dataset="mnist5k", train_size=600))
    assert {spec.train_size for spec in experiments.fewer(small, 120).values()} == {10}
    assert {spec.train_size for spec in experiments.part(small, 3).values()} == {200}


def test_the_sweep_varies_the_hidden_layers_alone():
    swept = variants.dropout_rates(FIVE["dropout"])
    assert [spec.dropout for spec in swept.values()] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert list(swept) == ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]
    assert {spec.input_dropout for spec in swept.values()} == {0.0}
    assert swept["0"].with_(lr=0.3).key == FIVE["neither"].with_(lr=0.3).key


def test_dropout_in_some_layers_alone_is_swept_from_the_same_network_without_it():
    everywhere = variants.dropout_rates(FIVE["dropout"], (0, 0.5))
    dense = variants.dropout_rates(FIVE["dropout"], (0, 0.5), ("fc1", "fc2"))
    assert dense["0"].key == everywhere["0"].key
    assert dense["0.5"].with_(dropout_layers=None).key == everywhere["0.5"].key
    assert dense["0.5"].dropout_layers == ("fc1", "fc2")


def test_all_six_orders_measure_their_variances_beside_batch_norm_alone():
    ordered = variants.measured_orders(FIVE)
    assert len({spec.key for spec in ordered.values()}) == len(ordered) == 7
    assert {spec.probes for spec in ordered.values()} == {("variances",)}
    assert ordered["batch norm"].dropout == 0
    assert all(spec.order == name for name, spec in ordered.items() if name != "batch norm")


def test_in_use_the_six_orders_are_two_networks():
    answers = {
        name: in_use(spec)
        for name, spec in variants.measured_orders(FIVE).items()
        if name != "batch norm"
    }
    before = [
        answer for name, answer in answers.items() if name.index("norm") < name.index("activation")
    ]
    behind = [
        answer for name, answer in answers.items() if name.index("norm") > name.index("activation")
    ]
    assert len(before) == len(behind) == 3
    assert all(torch.equal(answer, before[0]) for answer in before)
    assert all(torch.equal(answer, behind[0]) for answer in behind)
    assert not torch.allclose(before[0], behind[0])


def in_use(spec: RunSpec) -> torch.Tensor:
    """Logits in evaluation mode of a network whose moving statistics are no longer those it starts
    with.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = build(spec).eval()
        for name, values in network.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                values.uniform_(0.5, 1.5)
        return network(torch.rand(4, 1, 28, 28))


@pytest.mark.parametrize(("activation", "same"), [(torch.relu, True), (torch.tanh, False)])
def test_dropout_commutes_with_relu_and_not_with_tanh(activation, same):
    x = torch.linspace(-2, 2, 1000).view(10, 100)
    assert torch.allclose(dropped(activation(x)), activation(dropped(x))) is same


def dropped(x: torch.Tensor) -> torch.Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Dropout(0.5).train()(x)
