"""What training keeps, derived from the layers and as torch saves it; what evaluation needs."""

from itertools import pairwise
from typing import get_args

import pytest
import sympy
import torch
import torchvision
from saved import saved_by_torch
from torch import nn

import analysis
from analysis import AnalysisError, B
from analysis.footprint import (
    BYTES,
    STATES,
    Optimizer,
    Precision,
    inference_memory,
    training_memory,
)


@pytest.mark.parametrize(
    ("name", "builder"),
    [
        ("alexnet", analysis.alexnet_torchvision),
        ("vgg16", analysis.vgg16_torchvision),
        ("vgg19", analysis.vgg19_torchvision),
    ],
)
def test_training_keeps_what_torch_saves_but_for_dropout(name, builder):
    with torch.device("meta"):
        module = torchvision.models.get_model(name, weights=None, dropout=0.0)
    derived = training_memory(builder(batch=2)).saved.value
    assert 0.99 < derived / saved_by_torch(module, 2, 3, 224, 224) <= 1


def test_vgg19_keeps_157_mb_at_batch_2_and_pool_indices_are_the_gap_to_its_outputs():
    derivation = analysis.vgg19_torchvision(batch=2)
    saved = training_memory(derivation).saved.value
    outputs = 4 * (derivation.total.activations - 2 * 1000)
    assert round(saved / 1e6) == 157
    assert saved - outputs == 2 * 8 * sum(
        side**2 * filters
        for side, filters in ((112, 64), (56, 128), (28, 256), (14, 512), (7, 512))
    )


def test_what_is_saved_is_shown_for_one_image_times_the_batch():
    image = "4·16,566,272 + 8·1,530,368"
    for batch, shown in ((1, image), (2, f"2·({image})"), (B, f"B·({image})")):
        saved = training_memory(analysis.vgg19_torchvision(batch=batch)).saved
        assert saved.text.partition(" = ")[0] == shown
    assert training_memory(analysis.lenet5(batch=B)).saved.text == "B·4·8,868 = 35,472·B"
    assert " = " not in training_memory(analysis.vgg19(**analysis.SYMBOLS)).saved.text


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 4, 3),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 5),
    )


class Side(nn.Module):
    """Branches side by side, their maps stacked."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W)
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def conv(channels: int, filters: int, kernel: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, filters, kernel, padding=kernel // 2), nn.ReLU(inplace=True)
    )


def naive() -> nn.Module:
    sizes = ((128, 1), (192, 3), (96, 5))
    return Side(*(conv(256, *size) for size in sizes), nn.MaxPool2d(3, 1, 1))


def reduced() -> nn.Module:
    return Side(
        conv(256, 128, 1),
        nn.Sequential(conv(256, 64, 1), conv(64, 192, 3)),
        nn.Sequential(conv(256, 64, 1), conv(64, 96, 5)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(256, 64, 1)),
    )


def paper_alexnet() -> nn.Module:
    def maps(*sizes: int, pool: bool = False, **options: int) -> list[nn.Module]:
        layers = [nn.Conv2d(*sizes, **options), nn.ReLU(inplace=True)]
        return layers + [nn.MaxPool2d(3, 2)] * pool

    return nn.Sequential(
        *maps(3, 96, 11, 4, pool=True),
        *maps(96, 256, 5, padding=2, groups=2, pool=True),
        *maps(256, 384, 3, padding=1),
        *maps(384, 384, 3, padding=1, groups=2),
        *maps(384, 256, 3, padding=1, groups=2, pool=True),
        nn.Flatten(),
        *(nn.Linear(9216, 4096), nn.ReLU(inplace=True)),
        *(nn.Linear(4096, 4096), nn.ReLU(inplace=True)),
        nn.Linear(4096, 1000),
    )


def lenet(stride: int, *dense: nn.Module) -> nn.Module:
    first = (nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2, stride))
    second = (nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2))
    return nn.Sequential(*first, *second, *dense, nn.Tanh(), nn.Linear(84, 10))


def lenet5() -> nn.Module:
    return lenet(2, nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84))


def lenet_stride1() -> nn.Module:
    third = (nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten())
    return lenet(1, *third, nn.Linear(5880, 84))


@pytest.mark.parametrize(
    ("derivation", "make", "shape"),
    [
        (analysis.alexnet(batch=3), paper_alexnet, (3, 227, 227)),
        (analysis.inception_naive(batch=3), naive, (256, 32, 32)),
        (analysis.inception_reduced(batch=3), reduced, (256, 32, 32)),
        (analysis.lenet5(batch=3), lenet5, (1, 28, 28)),
        (analysis.lenet_stride1(batch=3, normalization="none"), lenet_stride1, (1, 28, 28)),
    ],
    ids=lambda value: value.network.name if isinstance(value, analysis.Derivation) else "",
)
def test_the_books_networks_keep_byte_for_byte_what_torch_saves(derivation, make, shape):
    with torch.device("meta"):
        module = make()
    assert training_memory(derivation).saved.value == saved_by_torch(module, 3, *shape)


def test_norms_activations_and_average_pools_are_kept_as_torch_keeps_them():
    layers = (
        analysis.Conv("conv1", 8, 3),
        analysis.Norm("norm1"),
        analysis.Pool("pool1", 2),
        analysis.Conv("conv2", 4, 3),
        analysis.Pool("pool2", 2, average=True),
        analysis.Linear("output", 5),
    )
    derivation = analysis.derive(analysis.Network("small", layers, 18, 18, 3, 4))
    with torch.device("meta"):
        module = small()
    statistics = 2 * 8 * 4  # of this batch: a batch norm keeps 8 means and 8 deviations
    derived = training_memory(derivation).saved.value
    assert derived + statistics == saved_by_torch(module, 4, 3, 18, 18)


def test_the_optimizer_decides_how_often_a_parameter_is_kept():
    derivation = analysis.lenet5()
    totals = [training_memory(derivation, optimizer=name).total.value for name in STATES]
    assert [b - a for a, b in pairwise(totals)] == [4 * 61_706] * 2


def test_bf16_halves_everything_but_the_pools_indices():
    derivation = analysis.vgg19()
    fp32, bf16 = (training_memory(derivation, precision=one) for one in ("fp32", "bf16"))
    indices = 8 * sum(row.activations for row in derivation.rows if row.kind == "pool")
    assert bf16.weights.value * 2 == fp32.weights.value
    assert (bf16.saved.value - indices) * 2 == fp32.saved.value - indices


def test_training_has_a_closed_form_in_the_batch():
    derivation = analysis.vgg19(batch=B)
    total = training_memory(derivation).total.value
    assert sympy.Poly(total, B).degree() == 1
    assert total.subs(B, 3) == training_memory(analysis.vgg19(batch=3)).total.value


def test_a_branch_waits_for_the_others():
    layers = (
        analysis.Conv("a", 4, 1),
        analysis.Branches("cat", ((analysis.Conv("b", 2, 1),), (), (analysis.Conv("c", 3, 1),))),
        analysis.Linear("d", 1),
    )
    derivation = analysis.derive(analysis.Network("net", layers, 1, 1, 1))
    # the concatenation: 2 + 4 + 3 waiting, 9 written
    assert inference_memory(derivation).saved.value == 4 * 18


def test_what_is_alive_at_once_needs_a_size():
    assert inference_memory(analysis.vgg19(batch=B)).saved.value == 25_690_112 * B
    with pytest.raises(AnalysisError, match="depends on the size of the input: give the size"):
        inference_memory(analysis.vgg19(**analysis.SYMBOLS))


def test_unknown_optimizers_and_precisions_are_refused():
    with pytest.raises(AnalysisError, match="optimizer must be one of sgd, momentum, adam"):
        training_memory(analysis.lenet5(), optimizer="lion")
    with pytest.raises(AnalysisError, match="precision must be one of fp32, bf16, not 'fp8'"):
        inference_memory(analysis.lenet5(), precision="fp8")


def test_the_names_are_those_of_the_tables():
    assert (get_args(Optimizer), get_args(Precision)) == (tuple(STATES), tuple(BYTES))
