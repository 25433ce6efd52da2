"""Random networks: the derivation against torch itself, in shapes, parameters, FLOPs and receptive
fields.
"""

from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from analysis import AnalysisError, Branches, Conv, GlobalPool, Linear, Network, Norm, Pool, derive

quick = settings(deadline=None, max_examples=40)
small = st.integers(1, 3)
pairs = st.tuples(small, small)


@dataclass
class Stack:
    """The same random layers twice: as data, and as torch modules on the meta device."""

    layers: tuple
    modules: list[nn.Module]
    channels: int


@st.composite
def convolutions(draw, name, channels):
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    filters = groups * draw(small)
    kernel, stride, dilation = (
        draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
        draw(pairs),
        draw(pairs),
    )
    padding, bias = draw(st.tuples(st.integers(0, 2), st.integers(0, 2))), draw(st.booleans())
    layer = Conv(name, filters, kernel, stride, padding, dilation, groups, bias)
    return (
        layer,
        nn.Conv2d(channels, filters, kernel, stride, padding, dilation, groups, bias),
        filters,
    )


@st.composite
def pools(draw, name, channels):
    kernel = draw(st.integers(1, 4))
    stride, padding, dilation = draw(small), draw(st.integers(0, kernel // 2)), draw(small)
    return (
        Pool(name, kernel, stride, padding, dilation),
        nn.MaxPool2d(kernel, stride, padding, dilation),
        channels,
    )


@st.composite
def norms(draw, name, channels):
    affine, tracked = draw(st.booleans()), draw(st.booleans())
    module = nn.BatchNorm2d(channels, affine=affine, track_running_stats=tracked)
    return Norm(name, affine, tracked), module, channels


@st.composite
def stacks(draw):
    first = channels = draw(st.integers(1, 6))
    layers, modules = [], []
    with torch.device("meta"):
        for number in range(draw(st.integers(1, 5))):
            kind = draw(st.sampled_from([convolutions, convolutions, pools, norms]))
            layer, module, channels = draw(kind(f"layer{number}", channels))
            layers.append(layer)
            modules.append(module.eval())
    return Stack(tuple(layers), modules, first)


@quick
@given(
    stacks(), st.integers(2, 3), st.tuples(st.integers(1, 40), st.integers(1, 40))
)  # an untracked norm needs two images
def test_random_stacks_have_torchs_shapes_parameters_and_flops_or_are_refused_by_both(
    stack, batch, sides
):
    network = Network("random", stack.layers, *sides, stack.channels, batch)
    x = torch.empty(batch, stack.channels, *sides, device="meta")
    try:
        outputs, flops = run(stack.modules, x)
    except RuntimeError:  # torch finds no room for a window
        with pytest.raises(AnalysisError, match="cannot slide"):
            derive(network)
        return
    derivation = derive(network)
    for row, module, output in zip(derivation.rows[1:], stack.modules, outputs, strict=True):
        assert (batch, row.output[2], *row.output[:2]) == output.shape
        assert row.activations == output.numel()
        assert row.parameters == sum(parameter.numel() for parameter in module.parameters())
        assert row.buffers == sum(buffer.numel() for buffer in module.buffers() if buffer.dim())
    assert derivation.total.flops == flops


def run(modules, x):
    outputs = []
    with FlopCounterMode(display=False) as counter:
        for module in modules:
            x = module(x)
            outputs.append(x)
    return outputs, counter.get_total_flops()


@quick
@given(
    small,
    st.integers(1, 9),
    st.integers(1, 9),
    st.lists(st.integers(1, 30), min_size=1, max_size=3),
    st.booleans(),
)
def test_random_classifiers_have_torchs_parameters_and_flops(batch, height, width, units, pooled):
    layers = (
        *([GlobalPool("pool")] if pooled else []),
        *(Linear(f"fc{i}", n) for i, n in enumerate(units)),
    )
    derived = derive(Network("random", layers, height, width, 5, batch)).total
    with torch.device("meta"):
        head = [nn.AdaptiveAvgPool2d(1)] if pooled else []
        widths = [5 if pooled else height * width * 5, *units]
        modules = [*head, nn.Flatten(), *(nn.Linear(into, out) for into, out in pairwise(widths))]
        _, flops = run(modules, torch.empty(batch, 5, height, width))
    assert derived.flops == flops
    assert derived.parameters == sum(p.numel() for module in modules for p in module.parameters())


@st.composite
def windows(draw, name):
    """A convolution or an average pool along the height only: (layer, module with positive
    weights).
    """
    kernel, stride, padding = draw(st.integers(1, 4)), draw(small), draw(st.integers(0, 2))
    if draw(st.booleans()):
        layer = Pool(name, (kernel, 1), (stride, 1), (min(padding, kernel // 2), 0))
        return layer, nn.AvgPool2d((kernel, 1), (stride, 1), (min(padding, kernel // 2), 0))
    dilation = draw(small)
    layer = Conv(name, 1, (kernel, 1), (stride, 1), (padding, 0), (dilation, 1))
    module = nn.Conv2d(1, 1, (kernel, 1), (stride, 1), (padding, 0), (dilation, 1), bias=False)
    return layer, module


def ones(module):
    for parameter in module.parameters():
        nn.init.ones_(parameter)
    return module.double()


def seen(module, height, position):
    """First and last input row whose gradient reaches an output row."""
    x = torch.ones(1, 1, height, 1, dtype=torch.double, requires_grad=True)
    output = module(x)[0, :, :, 0].sum(0)  # (output height,)
    (gradient,) = torch.autograd.grad(output[len(output) // 2 + position], x)
    rows = gradient.flatten().nonzero()
    return int(rows.min()), int(rows.max())


def check_field(layers, module):
    bound = derive(Network("bound", layers, 4000, 1, 1)).rows[-1].receptive_field_shown[0].value
    height = (
        4 * bound + 1200
    )  # wide enough that the padding is out of sight, and three positions fit
    row = derive(Network("random", layers, height, 1, 1)).rows[-1]
    (first, last), (next_first, _) = seen(module, height, 0), seen(module, height, 1)
    assert row.output[0] > 2
    assert row.receptive_field_shown[0].value == last - first + 1
    jump = next_first - first
    assert row.jump_shown[0].value == jump
    assert row.start_shown[0].value == first - row.output[0] // 2 * jump


@st.composite
def columns(draw):
    return [draw(windows(f"layer{number}")) for number in range(draw(st.integers(1, 4)))]


@quick
@given(columns())
def test_receptive_fields_are_where_gradients_arrive(stack):
    check_field(
        tuple(layer for layer, _ in stack), ones(nn.Sequential(*(module for _, module in stack)))
    )


class Concat(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], dim=1)


@quick
@given(st.integers(0, 3), st.integers(0, 3), small, st.integers(1, 3))
def test_receptive_fields_of_branches_are_where_gradients_arrive(one, two, stride, after):
    """Two odd kernels of one stride, padded to equal sides, then a convolution over both."""
    sizes = [(f"branch{i}", 2 * half + 1, half) for i, half in enumerate((one, two))]
    branches = tuple((Conv(name, 1, (k, 1), (stride, 1), (p, 0)),) for name, k, p in sizes)
    module = nn.Sequential(
        Concat(*(nn.Conv2d(1, 1, (k, 1), (stride, 1), (p, 0), bias=False) for _, k, p in sizes)),
        nn.Conv2d(2, 1, (after, 1), bias=False),
    )
    check_field((Branches("concat", branches), Conv("after", 1, (after, 1))), ones(module))


def test_gradients_arrive_in_the_union_of_branches_that_look_in_different_directions():
    layers = Branches(
        "concat",
        ((Conv("ahead", 1, (3, 1), (4, 1)),), (Conv("behind", 1, (2, 1), (4, 1), padding=(1, 0)),)),
    )
    ahead = nn.Conv2d(1, 1, (3, 1), (4, 1), bias=False)
    behind = nn.Conv2d(1, 1, (2, 1), (4, 1), (1, 0), bias=False)
    first, last = seen(ones(Concat(ahead, behind)), 63, 0)
    assert (
        derive(Network("net", (layers,), 63, 1, 1)).rows[-1].receptive_field_shown[0].value
        == last - first + 1
        == 4
    )
