"""The derivation against live torch modules: parameters by numel, FLOPs by torch's own counter, on
no real data.
"""

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import analysis


def live_flops(module: nn.Module, *shape: int) -> int:
    """Forward FLOPs of a module on the meta device, for an input of (B, C, H, W)."""
    with FlopCounterMode(display=False) as counter:
        module.to("meta").eval()(torch.empty(shape, device="meta"))
    return counter.get_total_flops()


def numbers(module: nn.Module, part: str) -> int:
    return sum(
        parameter.numel() for name, parameter in module.named_parameters() if name.endswith(part)
    )


TORCHVISION = {
    "alexnet": analysis.alexnet_torchvision,
    "vgg16": analysis.vgg16_torchvision,
    "vgg19": analysis.vgg19_torchvision,
}


@pytest.mark.parametrize("size", [(224, 224), (256, 320), (512, 230)])
@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_adaptive_pool_keeps_the_parameters_at_any_size(name, size):
    with torch.device("meta"):
        module = torchvision.models.get_model(name, weights=None)
    height, width = size
    derivation = TORCHVISION[name](height=height, width=width, batch=2)
    assert derivation.total.parameters == numbers(module, "")
    assert derivation.total.flops == live_flops(module, 2, 3, height, width)


@pytest.mark.parametrize(
    ("side", "count"), [(7, 7), (14, 7), (8, 7), (10, 7), (13, 7), (5, 6), (9, 6)]
)
def test_no_window_of_an_adaptive_pool_is_larger_than_derived(side, count):
    pixels = torch.eye(side)[:, None, :, None].expand(side, 1, side, side)
    seen = nn.functional.adaptive_avg_pool2d(pixels, count)[:, 0, :, 0] > 0  # pixel, window
    layers = (analysis.AdaptivePool("pool", count, count),)
    row = analysis.derive(analysis.Network("net", layers, side, side, 1)).row("pool")
    assert seen.sum(0).max() <= row.receptive_field
    assert row.status == ("exact" if side % count == 0 else "upper bound")
    if row.status == "exact":
        assert seen.sum(0).max() == row.receptive_field == row.jump


@pytest.mark.parametrize(
    ("name", "builder"),
    [
        ("alexnet", analysis.alexnet_torchvision),
        ("vgg16", analysis.vgg16),
        ("vgg19", analysis.vgg19),
    ],
)
def test_torchvisions_networks_agree(name, builder):
    with torch.device("meta"):
        module = torchvision.models.get_model(name, weights=None)
    total = builder(batch=2).total
    assert (total.weights, total.biases) == (numbers(module, "weight"), numbers(module, "bias"))
    assert total.flops == live_flops(module, 2, 3, 224, 224)


def paper_alexnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.Conv2d(384, 384, 3, padding=1, groups=2),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Linear(9216, 4096),
        nn.Linear(4096, 4096),
        nn.Linear(4096, 1000),
    )


def worked_solution() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.BatchNorm2d(6),
        nn.AvgPool2d(2, 1),
        nn.BatchNorm2d(6),
        nn.Conv2d(6, 16, 5),
        nn.BatchNorm2d(16),
        nn.AvgPool2d(2),
        nn.BatchNorm2d(16),
        nn.Conv2d(16, 120, 5),
        nn.BatchNorm2d(120),
        nn.Flatten(),
        nn.Linear(5880, 84),
        nn.BatchNorm1d(84),
        nn.Linear(84, 10),
    )


def note_network() -> nn.Module:
    return nn.Sequential(
        nn.BatchNorm2d(3),
        nn.Conv2d(3, 32, 3),
        nn.BatchNorm2d(32),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(32),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.BatchNorm1d(3136),
        nn.Linear(3136, 512),
        nn.BatchNorm1d(512),
        nn.Linear(512, 10),
    )


@pytest.mark.parametrize(
    ("derivation", "make", "shape"),
    [
        (analysis.alexnet(batch=3), paper_alexnet, (3, 3, 227, 227)),
        (analysis.lenet_stride1(batch=3), worked_solution, (3, 1, 28, 28)),
        (analysis.cifar_note(batch=3), note_network, (3, 3, 32, 32)),
    ],
    ids=["alexnet", "lenet-stride1", "cifar-note"],
)
def test_small_stacks_agree_row_by_row(derivation, make, shape):
    with torch.device("meta"):
        layers = [layer for layer in make().eval() if not isinstance(layer, nn.Flatten)]
    x = torch.empty(shape, device="meta")
    for row, layer in zip(derivation.rows[1:], layers, strict=True):
        x = layer(x.flatten(1) if row.kind == "fc" or isinstance(layer, nn.BatchNorm1d) else x)
        assert row.activations == x.numel(), row.layer
        assert row.weights == numbers(layer, "weight"), row.layer
        assert row.biases == numbers(layer, "bias"), row.layer
        assert row.buffers == sum(buffer.numel() for buffer in layer.buffers() if buffer.dim()), (
            row.layer
        )
    assert derivation.total.flops == live_flops(make(), *shape)


class Reduced(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                nn.Conv2d(256, 128, 1),
                nn.Sequential(nn.Conv2d(256, 64, 1), nn.Conv2d(64, 192, 3, padding=1)),
                nn.Sequential(nn.Conv2d(256, 64, 1), nn.Conv2d(64, 96, 5, padding=2)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(256, 64, 1)),
            ]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)  # (B, 480, H, W)


def test_inception_reduced_agrees():
    with torch.device("meta"):
        module = Reduced()
    derived = analysis.inception_reduced(height=28, width=20, batch=2)
    assert derived.total.parameters == numbers(module, "")
    assert derived.total.flops == live_flops(module, 2, 256, 28, 20)
    height, width, channels = derived.rows[-1].output
    assert module(torch.empty(2, 256, 28, 20, device="meta")).shape == (2, channels, height, width)


class Inception(nn.Module):
    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def conv_bn(
    channels: int, filters: int, kernel: int, stride: int = 1, padding: int = 0
) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, filters, kernel, stride, padding), nn.BatchNorm2d(filters), nn.ReLU()
    )


def live_minigooglenet(padding: int) -> nn.Module:
    modules, channels = [conv_bn(1, 96, 3, padding=1)], 96
    for filters in [
        (32, 32),
        (32, 48),
        80,
        (112, 48),
        (96, 64),
        (80, 80),
        (48, 96),
        96,
        (176, 160),
        (176, 160),
    ]:
        if isinstance(filters, tuple):
            modules += [
                Inception(
                    conv_bn(channels, filters[0], 1), conv_bn(channels, filters[1], 3, padding=1)
                )
            ]
            channels = sum(filters)
        else:
            modules += [
                Inception(conv_bn(channels, filters, 3, 2, padding), nn.MaxPool2d(3, 2, padding))
            ]
            channels += filters
    return nn.Sequential(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


@pytest.mark.parametrize(
    ("builder", "padding", "side"),
    [(analysis.minigooglenet, 1, 28), (analysis.minigooglenet_unpadded, 0, 32)],
)
def test_minigooglenets_agree(builder, padding, side):
    with torch.device("meta"):
        module = live_minigooglenet(padding)
    total = builder(batch=2).total
    assert total.parameters == numbers(module, "")
    assert total.flops == live_flops(module, 2, 1, side, side)
