"""What the derivation says an output sees is what torch's gradients reach."""

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection

import analysis
from analysis import Branches, Conv, Linear, Network, Norm, Pool
from book.architectures.receptive_field import cone, deviation, extent, features, influence


def stack(kernel, layers, **options):
    return [Conv(f"conv{n}", filters=1, kernel=kernel, **options) for n in range(1, layers + 1)]


def derived(layers, side):
    row = analysis.derive(Network("layers", tuple(layers), side, side, 1)).rows[-1]
    return row.receptive_field


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_gradients_of_a_stack_reach_nf_minus_n_plus_1_pixels(kernel, layers):
    side = layers * kernel - layers + 1
    assert extent(influence(stack(kernel, layers), side + 4, side + 4)) == (side, side)


@pytest.mark.parametrize(
    "name", ["lenet5", "lenet-stride1", "alexnet", "vgg19", "minigooglenet", "inception-reduced"]
)
def test_gradients_reach_what_is_derived_for_the_networks_of_the_book(name):
    layers = features(analysis.NETWORKS[name]().network)
    side = 2 * derived(layers, 227) + 64
    assert extent(influence(layers, side, side)) == (derived(layers, 227),) * 2


def test_strides_dilation_and_windows_that_are_not_square_are_measured_as_derived():
    layers = [
        Conv("a", 4, kernel=(3, 5), stride=(2, 1), padding=(1, 2)),
        Norm("b"),
        Conv("c", 8, kernel=3, dilation=(1, 3)),
        Pool("d", kernel=2),
    ]
    assert extent(influence(layers, 80, 80)) == derived(layers, 80) == (9, 12)


def test_branches_that_look_aside_are_seen_as_their_hull():
    left = Conv("left", 1, kernel=(1, 2), padding=(0, 2))  # sees pixels -2 and -1 of its own
    right = Conv("right", 1, kernel=(1, 6), padding=(0, 4))
    assert extent(influence([Branches("both", ((left,), (right,)))], 1, 41)) == (1, 6)


def test_real_layers_with_random_weights_reach_the_same_pixels():
    torch.manual_seed(1)
    side = 17
    net = torch.nn.Sequential(*(torch.nn.Conv2d(c, 4, 5, dtype=torch.float64) for c in (1, 4, 4)))
    image = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(net(image)[0, :, 2, 2].sum(), image)
    assert extent(gradient[0, 0].numpy()) == extent(influence(stack(5, 3), side, side)) == (13, 13)


def test_shares_sum_to_one_and_spread_as_the_variance_of_a_sum_says():
    kernel, layers = 5, 6
    shares = influence(stack((1, kernel), layers), 1, 31)
    assert shares.sum() == pytest.approx(1)
    assert deviation(shares) == pytest.approx(np.sqrt(layers * (kernel**2 - 1) / 12))


def test_dilation_by_two_throughout_leaves_every_second_pixel_unseen():
    shares = influence(stack((1, 3), 3, dilation=2), 1, 21)
    assert extent(shares) == (1, 13)
    assert np.count_nonzero(shares) == 7


def test_a_layer_that_looks_at_the_whole_map_is_refused():
    with pytest.raises(ValueError, match="looks at the whole map"):
        influence([Linear("fc", units=10)], 5, 5)


def test_the_cone_of_three_5x5_convolutions_has_rows_of_1_5_9_and_13():
    (ax,) = cone(stack(5, 3)).axes
    assert [len(line.get_xdata()) for line in ax.lines[:4]] == [13, 9, 5, 1]
    assert [text.get_text() for text in ax.texts[1::2]] == ["13 pixels", "9", "5", "1"]
    links = [collection for collection in ax.collections if isinstance(collection, LineCollection)]
    assert [len(one.get_segments()) for one in links] == [45, 25, 5]


def test_the_cone_of_dilated_convolutions_draws_the_gaps_hollow():
    (ax,) = cone(stack(3, 3, dilation=2)).axes
    assert ax.texts[1].get_text() == "7 of 13 pixels"
    assert list(ax.lines[-1].get_xdata()) == [1, 3, 5, 7, 9, 11]
