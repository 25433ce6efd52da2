"""Our faster layers compute what torch's own do: values and gradients, in float64."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.networks.build import build
from models.networks.kernels import AveragePool2x2, Dropout, Tanh
from models.networks.layers import AffineConv2d, InputNorm
from models.specs import RunSpec


def gradients(module, x, weight):
    x = x.clone().requires_grad_()
    (module(x) * weight).sum().backward()
    return x.grad


def test_tanh_is_torchs_tanh():
    x = torch.linspace(-30, 30, 10_001, dtype=torch.float64)
    torch.testing.assert_close(Tanh()(x), torch.tanh(x), rtol=0, atol=1e-14)
    weight = torch.randn_like(x)
    torch.testing.assert_close(
        gradients(Tanh(), x, weight), gradients(torch.tanh, x, weight), rtol=0, atol=1e-13
    )


def test_tanh_in_single_precision_errs_by_no_more_than_two_roundings():
    x = torch.linspace(-10, 10, 100_001)
    assert (Tanh()(x) - torch.tanh(x.double())).abs().max() < 2 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [2, 7, 10])
def test_average_pooling_is_torchs(stride, side):
    x = torch.randn(3, 4, side, side + 1, dtype=torch.float64)
    pool, reference = AveragePool2x2(stride), nn.AvgPool2d(2, stride)
    torch.testing.assert_close(pool(x), reference(x))
    weight = torch.randn_like(reference(x))
    torch.testing.assert_close(gradients(pool, x, weight), gradients(reference, x, weight))


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
def test_dropout_drops_its_rate_and_keeps_the_mean(rate):
    torch.manual_seed(0)
    x = torch.ones(1000, 1000)
    y = Dropout(rate)(x)
    assert (y == 0).double().mean().item() == pytest.approx(rate, abs=0.003)
    assert y.mean().item() == pytest.approx(1, abs=0.01)
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - rate)], rel=1e-4)


def test_dropout_masks_are_independent_between_places_and_calls():
    torch.manual_seed(0)
    drop = Dropout(0.5)
    masks = torch.stack([drop(torch.ones(64, 1024)).flatten() for _ in range(8)])  # (8, 65536)
    correlations = torch.corrcoef(masks) - torch.eye(8)
    assert correlations.abs().max() < 0.02
    for shift in (1, 2, 3, 4, 7):
        pair = torch.stack((masks[0, :-shift], masks[0, shift:]))
        assert torch.corrcoef(pair)[0, 1].abs() < 0.02


def test_dropout_is_the_identity_in_evaluation_and_passes_the_kept_gradients():
    x = torch.randn(5, 7, 3, 3)
    assert Dropout(0.5).eval()(x) is x
    x.requires_grad_()
    y = Dropout(0.5)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad != 0, y != 0)


def test_copies_share_one_mask():
    y = Dropout(0.5, copies=2)(torch.ones(4, 6, 5, 5))
    torch.testing.assert_close(y[:, :3], y[:, 3:])
    assert not torch.equal(y[:, 0], y[:, 1])


@pytest.mark.parametrize("training", [True, False])
def test_an_input_batch_norm_applied_by_the_convolution_is_batch_norm_then_convolution(training):
    torch.manual_seed(0)
    norm = InputNorm("batch", (0.5,) * 3, (0.2,) * 3).double()
    with torch.no_grad():
        norm.norm.weight.uniform_(0.5, 2)
        norm.norm.bias.normal_()
    conv = AffineConv2d(norm.norm, 8, 5, 1, 2, bias=True).double()
    reference_norm, reference_conv = (
        copy.deepcopy(norm.norm),
        nn.Conv2d(3, 8, 5, padding=2).double(),
    )
    reference_conv.load_state_dict(conv.state_dict())
    x = torch.randn(4, 3, 9, 9, dtype=torch.float64)
    ours = nn.Sequential(norm, conv).train(training)(x)
    theirs = nn.Sequential(reference_norm, reference_conv).train(training)(x)
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    for ours_parameter, theirs_parameter in (
        (norm.norm.weight, reference_norm.weight),
        (norm.norm.bias, reference_norm.bias),
        (conv.weight, reference_conv.weight),
        (conv.bias, reference_conv.bias),
    ):
        torch.testing.assert_close(ours_parameter.grad, theirs_parameter.grad)
    torch.testing.assert_close(norm.norm.running_mean, reference_norm.running_mean)
    torch.testing.assert_close(norm.norm.running_var, reference_norm.running_var)


def test_input_dropout_acts_after_the_input_batch_norm():
    """A dropped pixel is zero to the convolution, whatever γ and β are."""
    network = build(RunSpec(norm="batch", input_norm="batch", input_dropout=0.5))
    with torch.no_grad():
        network.input.norm.weight.fill_(3.0)
        network.input.norm.bias.fill_(7.0)
    x = torch.rand(2, 1, 28, 28)
    coordinates = network.input_dropout(network.input(x))  # (2, 2, 28, 28)
    image = 3 * coordinates[:, :1] + 7 * coordinates[:, 1:]
    assert ((image == 0).float().mean() - 0.5).abs() < 0.05
    torch.testing.assert_close(
        network.conv1.conv(coordinates),
        F.conv2d(image, network.conv1.conv.weight, network.conv1.conv.bias, padding=2),
        rtol=1e-4,
        atol=1e-4,
    )
