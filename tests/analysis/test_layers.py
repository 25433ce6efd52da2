"""What a layer refuses, and says so in one line that names it."""

import pytest
import sympy

import analysis
from analysis import (
    AdaptivePool,
    AnalysisError,
    Branches,
    Conv,
    Flatten,
    GlobalPool,
    Linear,
    Network,
    Norm,
    Pool,
    derive,
)
from analysis.layers import flattened


def refuse(message, *layers, size=(8, 8, 3)):
    with pytest.raises(AnalysisError, match=message):
        derive(Network("net", layers, *size))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Conv("a", 4, 9),
            "net with input 8x8x3: a cannot slide its 9x9 window over a map of 8x8x3",
        ),
        (Conv("a", 4, 3, dilation=4), "a cannot slide its 9x9 window"),
        (
            Conv("a", 4, 3, groups=2),
            "a: 2 groups do not divide its 3 input channels; choose a divisor of 3",
        ),
        (
            Conv("a", 4, 3, groups=3),
            "a: 3 groups do not divide its 4 filters; choose a divisor of 4",
        ),
        (Conv("a", 4, 3, stride=0), "a: stride must be a whole number from 1 up, not 0"),
        (Conv("a", 4, 3, padding=-1), "a: padding must be a whole number from 0 up, not -1"),
        (Conv("a", 4, 1.5), "a: kernel must be a whole number from 1 up, not 1.5"),
        (Conv("a", 0, 3), "a: filters must be a whole number from 1 up, not 0"),
        (Conv("a", True, 3), "a: filters must be a whole number from 1 up, not True"),
        (
            Conv("a", sympy.Rational(1, 2), 3),
            "a: filters must be a whole number from 1 up, not 1/2",
        ),
        (Linear("a", "ten"), "a: units must be a whole number from 1 up, not 'ten'"),
        (Pool("a", (2, 9)), "a cannot slide its 2x9 window over a map of 8x8x3"),
        (Pool("a", 2, padding=5), "a: a padding of 5 is more than half of its window of 2"),
        (Pool("a", 3, padding=(1, 2)), "a: a padding of 2 is more than half of its window of 3"),
        (AdaptivePool("a", 0, 7), "a: height must be a whole number from 1 up, not 0"),
    ],
)
def test_an_impossible_layer_is_named(layer, message):
    refuse(message, layer)


def test_nothing_slides_over_a_vector():
    refuse(
        "b slides over a map of height x width x channels, not 5", Linear("a", 5), Conv("b", 1, 1)
    )
    refuse("b needs a map of height x width x channels, not 192", Flatten(), GlobalPool("b"))
    refuse(
        "b needs a map of height x width x channels, not 192", Flatten(), AdaptivePool("b", 1, 1)
    )


def test_what_reads_the_whole_map_says_so():
    rows = derive(Network("net", (Conv("a", 4, 3), Pool("b", 2), Linear("c", 5)), 8, 8, 3)).rows
    assert [row.status for row in rows] == ["exact", "exact", "exact", "global"]
    pooled = derive(
        Network("net", (Conv("a", 4, 3), AdaptivePool("b", 4, 4), Linear("c", 5)), 8, 9, 3)
    )
    assert [row.status for row in pooled.rows] == ["exact", "exact", "upper bound", "global"]
    assert pooled.row("c").receptive_field == (8, 9)
    assert pooled.row("c").output == (5,)


def test_branches_must_fit_together():
    refuse(
        "cat: branches of 8x8x3 and 6x6x2 do not fit together",
        Branches("cat", ((), (Conv("b", 2, 3),))),
    )


def test_layers_need_names_of_their_own():
    refuse(
        "net: layers need names of their own, but a comes more than once",
        Linear("a", 5),
        Linear("a", 5),
    )


@pytest.mark.parametrize("size", [(0, 8, 3), (8, 2.5, 3), (8, 8, None)])
def test_an_impossible_input_is_refused(size):
    refuse(
        "net: (height|width|channels) must be a whole number from 1 up", Linear("a", 5), size=size
    )


def test_an_unknown_layer_name_gets_a_suggestion():
    with pytest.raises(AnalysisError, match="vgg19 has no layer 'conv11'; did you mean conv1_1"):
        analysis.vgg19().row("conv11")


def test_an_unknown_kind_of_layer_is_refused():
    refuse("'relu' is no layer that this package knows", "relu")


def test_an_empty_branch_passes_its_input_on():
    rows = derive(
        Network("net", (Branches("cat", ((), (Conv("b", 2, 3, padding=1),))),), 8, 8, 3)
    ).rows
    assert rows[-1].output == (8, 8, 5)


def test_an_elementwise_norm_learns_two_numbers_a_position():
    row = derive(Network("net", (Norm("n", tracked=False, elementwise=True),), 8, 6, 3)).row("n")
    assert (row.weights, row.biases, row.buffers) == (144, 144, 0)
    assert row.weights_shown.text == "8·6·3 = 144"


def test_a_norm_without_affine_learns_nothing_but_keeps_its_statistics():
    row = derive(Network("net", (Norm("n", affine=False),), 8, 8, 3)).row("n")
    assert (row.parameters, row.buffers) == (0, 6)


def test_every_layer_of_a_network_is_found_inside_its_branches():
    names = [layer.name for layer in flattened(analysis.inception_reduced().network.layers)]
    assert names == [row.layer for row in analysis.inception_reduced().rows[1:]]
