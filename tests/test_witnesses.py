"""Two independent witnesses of the same numbers: what `analysis` derives, and the networks that
`models` trains.
"""

import pytest
import torch
from saved import saved_by_torch
from torch.utils.flop_counter import FlopCounterMode

import analysis
from analysis.footprint import training_memory
from models.data.datasets import DATASETS
from models.networks.build import build, count_parameters
from models.specs import RunSpec

CASES = {
    "lenet5": (analysis.lenet5(), {}),
    "lenet5 with batch norm": (
        analysis.lenet5(normalization="hidden"),
        {"network": "lenet5", "norm": "batch"},
    ),
    "lenet5 on cifar10": (
        analysis.lenet5(height=32, width=32, channels=3),
        {"network": "lenet5", "dataset": "cifar10"},
    ),
    "worked solution 1": (analysis.lenet_stride1(), {"network": "lenet-stride1", "norm": "batch"}),
    "worked solution 2": (
        analysis.lenet_stride1(normalization="input_and_hidden"),
        {"network": "lenet-stride1", "norm": "batch", "input_norm": "batch"},
    ),
    "worked solution 3": (
        analysis.lenet_stride1(normalization="none"),
        {"network": "lenet-stride1"},
    ),
    "lenet5-norm": (
        analysis.lenet5_norm(),
        {"network": "lenet5-norm", "dataset": "cifar10", "norm": "batch"},
    ),
    "lenet5-norm, instance": (
        analysis.lenet5_norm(norm="instance"),
        {"network": "lenet5-norm", "dataset": "cifar10", "norm": "instance"},
    ),
    "cifar-note": (
        analysis.cifar_note(),
        {"network": "cifar-note", "dataset": "cifar10", "norm": "batch", "input_norm": "batch"},
    ),
    "minigooglenet": (analysis.minigooglenet(), {"network": "minigooglenet", "norm": "batch"}),
    "minigooglenet-unpadded": (
        analysis.minigooglenet_unpadded(),
        {"network": "minigooglenet-unpadded", "norm": "batch"},
    ),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def witnesses(request):
    derived, fields = request.param
    spec = RunSpec(**{"network": "lenet5", "dataset": "mnist5k", **fields})
    return derived, build(spec), spec


def test_the_trained_network_has_as_many_parameters_as_derived(witnesses):
    derived, network, _ = witnesses
    counted = count_parameters(network)
    assert counted.trainable == derived.total.parameters
    assert counted.total == derived.total.keras_parameters


def test_the_trained_network_multiplies_as_often_as_derived(witnesses):
    derived, _, spec = witnesses
    network = build(
        spec.with_(input_norm="standard")
    )  # a batch norm there acts through the first convolution's kernel
    info = DATASETS[spec.dataset]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, info.channels, info.side, info.side))
    assert counter.get_total_flops() == derived.total.flops


@pytest.mark.parametrize(
    ("network", "derived"),
    [
        ("lenet5", analysis.lenet5(batch=3)),
        ("lenet-stride1", analysis.lenet_stride1(batch=3, normalization="none")),
    ],
)
def test_the_trained_network_saves_for_backward_what_is_derived(network, derived):
    trained = build(RunSpec(network=network, dataset="mnist5k")).to("meta")
    assert training_memory(derived).saved.value == saved_by_torch(trained, 3, 1, 28, 28)


def test_the_worked_solutions_parameters_are_those_that_keras_printed():
    totals = [
        analysis.lenet_stride1(normalization=n).total
        for n in ("hidden", "input_and_hidden", "none")
    ]
    assert [total.keras_parameters for total in totals] == [546_538, 546_542, 545_546]
    assert [total.parameters for total in totals] == [546_042, 546_044, 545_546]
