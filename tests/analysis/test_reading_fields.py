"""Receptive fields of modules that were read: against gradients, by hand, and by axis."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from analysis import H
from analysis.reading import read

pytestmark = pytest.mark.usefixtures("one_thread")

LAYERS = {
    "alexnet": ("features.12", 400),
    "vgg11": ("features.15", 256),
    "resnet18": ("layer3", 512),
    "resnext50_32x4d": ("layer2", 256),
    "squeezenet1_0": ("features.8", 256),
    "mobilenet_v2": ("features.10", 384),
    "mnasnet0_5": ("layers.9", 256),
    "densenet121": ("features.transition1", 160),
    "googlenet": ("inception3a", 128),
    "shufflenet_v2_x0_5": ("stage3", 640),
    "convnext_tiny": ("features.3", 480),
}


def averaging(module):
    """Every max pool as an average pool over the same windows: all of a window gets a gradient."""
    for child_name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
            setattr(module, child_name, pool)
        else:
            averaging(child)
    return module


def positive(module):
    """Weights that let every gradient through, however deep."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.abs_().mul_(0.5).add_(1e-3)
        for name, buffer in module.named_buffers():
            if name.endswith("running_var"):
                buffer.fill_(100.0)
    return module.double().eval()


def support(module, layer, side):
    """Where along each axis the gradient of the middle position of a layer arrives, and which."""
    x = torch.rand(1, 3, side, side, dtype=torch.double, requires_grad=True)
    outputs = []
    hook = module.get_submodule(layer).register_forward_hook(lambda *seen: outputs.append(seen[2]))
    module(x)
    hook.remove()
    height, width = (size // 2 for size in outputs[0].shape[2:])
    (gradient,) = torch.autograd.grad(outputs[0][0, :, height, width].sum(), x)
    seen = gradient.abs().sum((0, 1)).nonzero()
    first, last = seen.min(0).values, seen.max(0).values
    return (last - first + 1).tolist(), first.tolist(), (height, width)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_a_models_field_is_where_gradients_arrive(name):
    layer, side = LAYERS[name]
    options = {"init_weights": False} if name == "googlenet" else {}
    built = torchvision.models.get_model(name, weights=None, **options)
    module = positive(averaging(built))
    rows = read(module, (3, side, side), dtype=torch.double).rows
    names = (f"{layer}.", f"{layer}:")
    last = [row for row in rows if row.layer == layer or row.layer.startswith(names)][-1]
    assert last.status == "exact"
    sizes, starts, positions = support(module, layer, side)
    assert sizes == [last.receptive_field] * 2
    assert starts == [last.start + position * last.jump for position in positions]


class Gated(nn.Module):
    """Squeeze-and-excitation behind a 3x3 convolution."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(functional.adaptive_avg_pool2d(x, 1)))


def test_a_gate_sees_everything_and_is_left_out_of_the_second_number():
    row = read(nn.Sequential(Gated(), nn.Conv2d(4, 4, 3)), (3, 20, 20)).rows[-1]
    assert (row.status, row.receptive_field, row.ungated) == ("global", 3 + 19, 5)


@pytest.mark.parametrize(
    "last",
    [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Sequential(nn.Flatten(2), nn.Linear(400, 2))],
    ids=["global pool", "flatten", "linear over positions"],
)
def test_what_mixes_all_positions_is_global(last):
    rows = read(nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), last, nn.Linear(1, 1, bias=False)
                              if isinstance(last, nn.AdaptiveAvgPool2d) else nn.Identity(),
                              ), (3, 20, 20)).rows  # fmt: skip
    expected = "exact" if isinstance(last, nn.Flatten) else "global"  # flattening only arranges
    assert rows[-1].status == expected
    fc = read(nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.Flatten(), nn.Linear(800, 5)),
              (3, 20, 20)).rows[-1]  # fmt: skip
    assert (fc.status, fc.receptive_field) == ("global", 22)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        x = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        return self.attention(x, x, x, need_weights=False)[0]


def test_attention_is_global_and_a_token_before_it_sees_its_patch():
    rows = {row.layer: row for row in read(Tokens(), (3, 16, 32)).rows}
    assert (rows["norm"].status, rows["norm"].receptive_field, rows["norm"].jump) == ("exact", 4, 4)
    attention = rows["attention.scaled_dot_product_attention"]
    assert (attention.status, attention.receptive_field) == ("global", (16, 32))


def test_a_transposed_convolution_and_a_resize_are_bounds():
    up = read(nn.Sequential(nn.Conv2d(3, 3, 4, 4), nn.ConvTranspose2d(3, 3, 4, 2)), (3, 32, 32))
    assert (up.rows[-1].status, up.rows[-1].jump) == ("upper bound", 2)
    resized = read(nn.Sequential(nn.Conv2d(3, 3, 4, 4), nn.Upsample(scale_factor=2)), (3, 32, 32))
    assert (resized.rows[-1].receptive_field, resized.rows[-1].jump) == (4, 2)


def windowed(x):
    windows = x.view(x.shape[0], x.shape[1], x.shape[2] // 4, 4, x.shape[3] // 4, 4)
    windows = windows.permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, x.shape[1])
    mixed = torch.softmax(windows @ windows.transpose(1, 2), -1) @ windows
    mixed = mixed.view(x.shape[0], x.shape[2] // 4, x.shape[3] // 4, 4, 4, x.shape[1])
    return mixed.permute(0, 5, 1, 3, 2, 4).reshape(x.shape)


class Windows(nn.Module):
    def forward(self, x):
        return windowed(x)


def test_attention_in_windows_is_a_hull_that_is_not_shift_invariant():
    reading = read(nn.Sequential(Windows(), nn.Conv2d(3, 3, 1)), (3, 16, 16))
    row = reading.rows[-1]
    assert (row.status, row.receptive_field) == ("not shift-invariant", 2 * 4 - 1)
    assert reading.check.passed


def test_axes_differ_where_kernels_do():
    last = nn.Conv2d(3, 3, (3, 1), (2, 1), (1, 0))
    row = read(nn.Sequential(nn.Conv2d(3, 3, (1, 7)), last), (3, 32, 32)).rows[-1]
    assert (row.receptive_field, row.start, row.jump) == ((3, 7), (-1, 0), (2, 1))


def test_a_group_norm_sees_the_map_but_not_without_its_statistics():
    row = read(nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)), (3, 12, 12)).rows[-1]
    assert (row.status, row.ungated) == ("global", 3)


def test_a_global_field_is_a_formula_of_the_height():
    row = read(nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1)), (3, 12, 12))
    assert row.closed_form.rows[-1].receptive_field_shown[0].value == H


def test_one_dimensional_networks_have_one_axis():
    row = read(nn.Sequential(nn.Conv1d(2, 4, 5, 2), nn.MaxPool1d(2)), (2, 40)).rows[-1]
    assert (row.output, row.receptive_field, row.jump) == ((9, 4), 7, 4)


class Applied(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def split(x):
    batch, channels, height, width = x.shape
    return x.view(batch, channels, height // 2, 2, width // 2, 2)


def to_depth(x):
    return split(x).permute(0, 1, 3, 5, 2, 4).reshape(
        x.shape[0], 4 * x.shape[1], x.shape[2] // 2, x.shape[3] // 2
    )  # fmt: skip


def conv(kernel, before=2, after=2, **options):
    return nn.Conv2d(before, after, kernel, **options)


def resized(mode, **options):
    return Applied(lambda x: functional.interpolate(x, mode=mode, **options))


BOUNDED = {
    "uneven adaptive pool": (100, nn.AdaptiveAvgPool2d(7), conv(3)),
    "adaptive pool behind strides": (101, conv(4, stride=3), nn.AdaptiveAvgPool2d(7), conv(3)),
    "area": (100, resized("area", size=7), conv(3)),
    "dilated transposed": (24, nn.ConvTranspose2d(2, 2, 3, dilation=4)),
    "padded transposed": (24, nn.ConvTranspose2d(2, 2, 3, 2, dilation=3, padding=2), conv(3)),
    "transposed, then even": (64, conv(4, stride=4), nn.ConvTranspose2d(2, 2, 2, 2), conv(2)),
    "cumulative sum": (24, conv(3), Applied(lambda x: x.cumsum(2))),
    "space to depth": (24, Applied(to_depth), conv(3, 8)),
    "space to depth, twice": (49, conv(3, stride=2), Applied(to_depth), conv(3, 8), conv(3)),
    "pool by view": (24, Applied(lambda x: split(x).mean((3, 5))), conv(3)),
    "one of a window": (24, Applied(lambda x: split(x)[:, :, :, 1, :, 1]), conv(3)),
    "nearest": (64, conv(4, stride=4), nn.Upsample(scale_factor=2), conv(2)),
    "nearest, uneven": (29, resized("nearest", size=42), conv(4, stride=2), conv(3)),
    "bilinear": (64, conv(3, stride=3), resized("bilinear", scale_factor=2), conv(3)),
    "bilinear, smaller": (64, resized("bilinear", size=9, align_corners=True), conv(3)),
    "antialiased": (64, resized("bilinear", size=9, antialias=True), conv(3)),
    "antialiased cubic": (64, resized("bicubic", size=9, antialias=True)),
    "pixel shuffle": (64, conv(3, 2, 8, stride=2), nn.PixelShuffle(2), conv(2)),
}


def supports(module, side):
    """Where along the height the gradient of each position arrives: its first and last pixel."""
    x = torch.rand(1, 2, side, side, dtype=torch.double, requires_grad=True)
    y = module(x)
    for place in range(y.shape[2]):
        (gradient,) = torch.autograd.grad(y[0, :, place].sum(), x, retain_graph=True)
        rows = gradient.abs().sum((0, 1, 3)).nonzero()
        yield int(rows.min()), int(rows.max())


@pytest.mark.parametrize("name", BOUNDED)
def test_a_bound_is_never_less_than_where_gradients_arrive(name):
    side, *layers = BOUNDED[name]
    module = positive(nn.Sequential(*layers))
    row = read(module, (2, side, side), dtype=torch.double).rows[-1]
    seen = list(supports(module, side))
    widest = max(last - first + 1 for first, last in seen)
    field, start = (
        value[0] if isinstance(value, tuple) else value
        for value in (row.receptive_field, row.start)
    )
    assert row.status != "exact"
    assert widest <= field <= 1.34 * widest  # a bound, and no idle one
    assert start <= seen[0][0]


def test_an_adaptive_pools_field_is_exact_at_its_size_and_not_in_closed_form():
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(7), nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1))
    reading = read(pool, (3, 14, 28))
    assert [row.status for row in reading.rows] == ["exact", "exact", "exact", "global"]
    assert reading.row("0").receptive_field == (2, 4)
    closed = reading.closed_form.rows
    assert [row.status for row in closed[1:3]] == ["not shift-invariant"] * 2
    assert all("that of the size read" in row.note for row in closed[1:])
    assert reading.check.passed
    fixed = read(nn.AdaptiveAvgPool2d((7, None)), (3, 14, 28)).closed_form.rows[1]
    assert fixed.status == "not shift-invariant"
    assert read(nn.AdaptiveAvgPool2d(1), (3, 14, 28)).closed_form.rows[1].note == ""
