"""Every number that somebody published must come out of the derivation; the constants are here and
nowhere else.
"""

import pytest

import analysis


@pytest.mark.parametrize(
    ("derivation", "parameters"),
    [
        (analysis.lenet5(), 61_706),  # LeCun et al. 1998 as taught today
        (analysis.lenet5_unpadded(), 61_706),  # and on its own 32 x 32
        (
            analysis.alexnet(),
            60_965_224,
        ),  # "60 million parameters", Krizhevsky et al. 2012, abstract
        (
            analysis.alexnet_torchvision(),
            61_100_840,
        ),  # torchvision, AlexNet_Weights.meta["num_params"]
        (analysis.vgg16(), 138_357_544),  # torchvision, VGG16_Weights
        (analysis.vgg19(), 143_667_240),  # torchvision, VGG19_Weights
    ],
    ids=lambda value: (
        value.network.name if isinstance(value, analysis.Derivation) else f"{value:,}"
    ),
)
def test_parameter_totals_are_the_published_ones(derivation, parameters):
    assert derivation.total.parameters == parameters


def test_alexnet_on_two_gpus_splits_into_weights_and_biases():
    total = analysis.alexnet().total
    assert (total.weights, total.biases) == (60_954_656, 10_568)


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        ("conv1", "(11·11·3)·96 = 34,848"),
        ("conv2", "2·(5·5·48)·128 = 307,200"),
        ("conv3", "(3·3·256)·384 = 884,736"),
        ("conv4", "2·(3·3·192)·192 = 663,552"),
        ("conv5", "2·(3·3·192)·128 = 442,368"),
        ("fc6", "(6·6·256)·4,096 = 37,748,736"),
        ("fc7", "4,096·4,096 = 16,777,216"),
        ("fc8", "4,096·1,000 = 4,096,000"),
    ],
)
def test_alexnet_weights_show_their_calculation(layer, shown):
    assert analysis.alexnet().row(layer).weights_shown.text == shown


def test_alexnet_joined_into_one_tower_has_the_62_million_parameters_often_quoted():
    assert analysis.alexnet(groups=1).total.parameters == 62_378_344


def test_alexnet_paper_counts_its_neurons_right_but_for_the_first_layer():
    """Figure 2's caption: 253,440–186,624–64,896–64,896–43,264–4096–4096–1000."""
    alexnet = analysis.alexnet()
    neurons = [row.activations for row in alexnet.rows if row.kind in ("conv", "fc")]
    assert neurons[1:] == [186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert neurons[0] == 290_400 != 253_440 == 55 * 48 * 96
    assert alexnet.neurons == 659_272
    assert alexnet.neurons - 290_400 + 253_440 == 622_312  # neither is the text's 650,000


def test_alexnet_paper_counts_150528_input_dimensions_for_224_pixels():
    assert analysis.alexnet(height=224, width=224).row("input").activations == 150_528


@pytest.mark.parametrize(("side", "padding", "conv1"), [(224, 0, 54), (227, 0, 55), (224, 2, 55)])
def test_alexnet_needs_227_pixels_or_padding_for_its_55_wide_maps(side, padding, conv1):
    assert analysis.alexnet(height=side, width=side, padding=padding).row("conv1").output == (
        conv1,
        conv1,
        96,
    )


VGG19_SHEET = [
    ("input", "150K", 0),
    ("conv1_1", "3.2M", 1_728),
    ("conv1_2", "3.2M", 36_864),
    ("pool1", "800K", 0),
    ("pool2", "400K", 0),
    ("pool3", None, 0),
    ("pool4", None, 0),
    ("pool5", None, 0),
    ("conv3_2", "800K", 589_824),
    ("conv4_1", "400K", 1_179_648),
    ("conv4_3", "400K", None),
    ("fc6", "4096", None),
    ("fc7", "4096", 16_777_216),
    ("fc8", "1000", None),
]


def as_on_the_sheet(activations: int) -> str:
    """Up to 9,999 exact, thousands in steps of fifty, millions with one decimal."""
    if activations < 10_000:
        return str(activations)
    return (
        f"{activations / 1e6:.1f}M"
        if activations >= 1e6
        else f"{round(activations / 50_000) * 50}K"
    )


@pytest.mark.parametrize(
    ("layer", "activations", "weights"), VGG19_SHEET, ids=[row[0] for row in VGG19_SHEET]
)
def test_vgg19_fills_the_lab_sheets_cells(layer, activations, weights):
    row = analysis.vgg19().row(layer)
    assert activations in (None, as_on_the_sheet(row.activations))
    assert weights in (None, row.weights)


def test_vgg19_weighs_143652544_without_biases_and_takes_19_6_billion_macs():
    total = analysis.vgg19().total
    assert (total.weights, total.macs) == (143_652_544, 19_632_062_464)


@pytest.mark.parametrize(
    ("normalization", "keras", "trainable"),
    [
        ("hidden", 546_538, 546_042),
        ("input_and_hidden", 546_542, 546_044),
        ("none", 545_546, 545_546),
    ],
)
def test_worked_solution_has_the_parameters_of_its_keras_summaries(normalization, keras, trainable):
    total = analysis.lenet_stride1(normalization=normalization).total
    assert (total.keras_parameters, total.parameters) == (keras, trainable)


def test_worked_solution_shrinks_28_27_23_11_7_and_flattens_to_5880():
    rows = [row for row in analysis.lenet_stride1(normalization="none").rows if row.kind != "fc"]
    assert [row.output[0] for row in rows] == [28, 28, 27, 23, 11, 7]
    assert rows[-1].activations == 5_880


def test_worked_solutions_default_is_its_first_model():
    assert analysis.lenet_stride1() == analysis.lenet_stride1(normalization="hidden")


def test_cifar_note_shows_the_cells_of_its_summary():
    first = analysis.cifar_note().rows[1:5]
    assert [row.parameters + row.buffers for row in first] == [12, 896, 128, 9_248]


def test_cifar_sketch_learns_two_numbers_a_channel_whatever_its_norm():
    plain = analysis.lenet5_norm(norm="none").total.parameters
    for norm in ("batch", "layer", "group"):
        assert analysis.lenet5_norm(norm=norm).total.parameters - plain == 2 * (6 + 16 + 120 + 84)
    assert analysis.lenet5_norm(norm="instance").total.parameters - plain == 2 * (6 + 16)


def test_only_the_cifar_sketchs_batch_norm_keeps_moving_statistics():
    buffers = {
        norm: analysis.lenet5_norm(norm=norm).total.buffers
        for norm in ("batch", "layer", "group", "instance")
    }
    assert buffers == {"batch": 2 * 226, "layer": 0, "group": 0, "instance": 0}


def test_inception_naive_takes_the_slides_854_million_macs():
    naive = analysis.inception_naive(height=28, width=28)
    assert round(naive.total.macs / 1e6) == 854


def test_inception_reduced_takes_271_million_and_the_slides_358_count_its_3x3_twice():
    reduced = analysis.inception_reduced(height=28, width=28)
    assert round(reduced.total.macs / 1e6) == 271
    assert round((reduced.total.macs + reduced.row("3x3").macs) / 1e6) == 358


def test_no_other_term_counted_twice_makes_the_slides_358_million():
    reduced = analysis.inception_reduced(height=28, width=28)
    doubled = {row.layer: round((reduced.total.macs + row.macs) / 1e6) for row in reduced.rows}
    assert [layer for layer, millions in doubled.items() if millions == 358] == ["3x3"]


def test_inception_outputs_672_channels_naive_and_480_reduced():
    assert analysis.inception_naive().rows[-1].output == (32, 32, 672)
    assert analysis.inception_reduced().rows[-1].output == (32, 32, 480)


def test_minigooglenet_without_norms_has_the_1649402_parameters_of_zhang_et_al():
    rows = analysis.minigooglenet(channels=3).rows
    assert sum(row.parameters for row in rows if row.kind != "norm") == 1_649_402


def test_minigooglenet_goes_28_14_7_padded_and_32_15_7_unpadded():
    def sides(derivation):
        return list(dict.fromkeys(row.output[0] for row in derivation.rows if row.kind == "concat"))

    assert sides(analysis.minigooglenet()) == [28, 14, 7]
    assert sides(analysis.minigooglenet_unpadded()) == [32, 15, 7]


def test_both_minigooglenets_learn_the_same_number_of_parameters():
    padded, unpadded = analysis.minigooglenet().total, analysis.minigooglenet_unpadded().total
    assert padded.parameters == unpadded.parameters
    assert padded.macs < unpadded.macs


def test_vgg_receptive_fields_are_those_of_araujo_norris_and_sim():
    """They list (Distill, 2019): VGG16 sees 212 pixels at stride 32, AlexNet 195 at 32."""
    vgg16, alexnet = analysis.vgg16().row("pool5"), analysis.alexnet().row("pool5")
    assert (vgg16.receptive_field, vgg16.jump) == (212, 32)
    assert (alexnet.receptive_field, alexnet.jump) == (195, 32)
