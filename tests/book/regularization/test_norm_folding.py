"""Batch norms that are folded into the layers before them, on trained networks."""

import pytest
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.utils.flop_counter import FlopCounterMode

from analysis.normalization import prove_norm_folds
from book.regularization.norm_folding import (
    fold_gap,
    fold_norms,
    fresh,
    logit_gap,
    noise,
    right_answers,
    trained,
    use,
)
from models.networks.build import build
from models.specs import RunSpec

SMALL = RunSpec(
    dataset="mnist5k", network="lenet5-norm", norm="batch", train_size=200, epochs=1, lr=0.05
)
CIFAR = RunSpec(dataset="cifar10", norm="batch")
NORMS = nn.BatchNorm1d | nn.BatchNorm2d


def norms(network):
    return [module for module in network.modules() if isinstance(module, NORMS)]


def test_the_proof_holds_step_by_step():
    assert [step.difference for step in prove_norm_folds()] == [0, 0]


@pytest.mark.parametrize("network", ["lenet5-norm", "lenet5", "resnet8"])
def test_a_trained_network_gives_the_same_logits_folded(network):
    before, images, labels = trained(SMALL.with_(network=network))
    images, labels = images[::10], labels[::10]  # of every class
    assert all(norm.running_mean.any() for norm in norms(before)), "training has moved them"
    after = fold_norms(before)
    assert norms(before)
    assert norms(after) == []
    assert fold_gap(before, images, torch.float32) < 1e-5
    assert fold_gap(before, images, torch.float64) < 1e-12
    assert right_answers(before, images, labels) == right_answers(after, images, labels)


def test_folding_is_what_torch_does_to_one_layer():
    conv, dense = nn.Conv2d(3, 4, 3, bias=False), nn.Linear(6, 5)
    for layer, norm, fuse in (
        (conv, nn.BatchNorm2d(4), fuse_conv_bn_eval),
        (dense, nn.BatchNorm1d(5), fuse_linear_bn_eval),
    ):
        for values in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
            nn.init.uniform_(values, 0.5, 2)
        (ours,) = fold_norms(nn.Sequential(layer, norm))
        theirs = fuse(layer.eval(), norm.eval())
        torch.testing.assert_close(ours.weight, theirs.weight)
        torch.testing.assert_close(ours.bias, theirs.bias)


@pytest.mark.parametrize(
    "fields",
    [
        {"network": "cifar-note", "input_norm": "batch"},
        {"network": "lenet5-norm", "norm": "group"},
        {"network": "lenet5-norm", "norm": "batch-no-tracking"},
    ],
    ids=lambda fields: "-".join(fields.values()),
)
def test_a_norm_that_cannot_be_folded_stays(fields):
    network = build(CIFAR.with_(**fields)).eval()
    folded = fold_norms(network)
    assert list(folded.state_dict()) == list(network.state_dict())
    assert logit_gap(network, folded, noise(CIFAR, 4)) == 0


def test_a_fresh_network_has_statistics_that_fit_its_weights():
    network = fresh(SMALL)
    assert network.conv1.norm.running_mean.abs().max() > 0.01
    assert not network.training
    images = noise(SMALL, 8, seed=100)
    assert fold_gap(network, images, torch.float32) < 1e-5


@pytest.mark.parametrize("name", ["lenet5-norm", "resnet8"])
def test_folding_leaves_the_macs_and_takes_the_norms_own_work(name):
    network = build(CIFAR.with_(network=name)).eval()
    before, after = (use(one, CIFAR) for one in (network, fold_norms(network)))
    with FlopCounterMode(display=False) as counter:
        network(noise(CIFAR, 1))
    assert before.macs == after.macs == counter.get_total_flops() / 2
    channels = sum(norm.num_features for norm in norms(network))
    assert before.kept - after.kept == 4 * channels, "γ, β and both statistics of each"
    assert before.normed > after.normed == 0
    assert before.moved - after.moved == 2 * before.normed + 4 * channels
