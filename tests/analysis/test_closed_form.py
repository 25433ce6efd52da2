"""Every network in batch, height, width and channels: the closed form, and what it gives at given
numbers.
"""

import pytest
import sympy

import analysis
from analysis import SYMBOLS, B, C, H, W
from analysis.operators import floor_divide, output_side

SIZES = [
    {"batch": 1, "height": 224, "width": 224, "channels": 3},
    {"batch": 5, "height": 231, "width": 258, "channels": 2},
]


def at(value, sizes):
    return sympy.sympify(value).subs({SYMBOLS[name]: size for name, size in sizes.items()})


@pytest.mark.parametrize("sizes", SIZES, ids=["usual", "odd"])
@pytest.mark.parametrize("name", analysis.NETWORKS)
def test_closed_forms_give_the_numbers_of_every_layer(name, sizes):
    builder = analysis.NETWORKS[name]
    symbolic, numeric = builder(**SYMBOLS), builder(**sizes)
    for form, number in zip(symbolic.rows, numeric.rows, strict=True):
        assert form.layer == number.layer
        assert tuple(at(size, sizes) for size in form.output) == number.output
        for quantity in ("activations", "weights", "biases", "buffers", "macs"):
            assert at(getattr(form, quantity), sizes) == getattr(number, quantity), (
                form.layer,
                quantity,
            )
        for shown, expected in zip(
            form.receptive_field_shown, number.receptive_field_shown, strict=True
        ):
            assert at(shown.value, sizes) == expected.value
    for quantity in ("activations", "parameters", "keras_parameters", "buffers", "macs", "flops"):
        assert at(getattr(symbolic.total, quantity), sizes) == getattr(numeric.total, quantity)


@pytest.mark.parametrize("name", analysis.NETWORKS)
def test_numbers_are_plain_integers_where_the_input_is_known(name):
    derivation = analysis.NETWORKS[name]()
    for row in derivation.rows:
        numbers = (
            row.activations,
            row.parameters,
            row.buffers,
            row.flops,
            row.receptive_field,
            row.jump,
            *row.output,
        )
        assert {type(number) for number in numbers} == {int}, row.layer


def test_the_total_is_the_sum_of_the_rows():
    derivation = analysis.minigooglenet(batch=7)
    for quantity in ("activations", "weights", "biases", "buffers", "macs", "parameters", "flops"):
        assert getattr(derivation.total, quantity) == sum(
            getattr(row, quantity) for row in derivation.rows
        )


def test_vgg19_halves_its_input_five_times_in_one_floor():
    assert analysis.vgg19(**SYMBOLS).row("pool5").output == (
        sympy.floor(H / 32),
        sympy.floor(W / 32),
        512,
    )


def test_floors_vanish_where_the_side_is_a_multiple():
    n = sympy.Symbol("n", integer=True, positive=True)
    assert analysis.vgg19(height=32 * n, width=32 * n).row("pool5").output == (n, n, 512)


def test_convolutional_weights_do_not_depend_on_height_width_or_batch():
    for row in analysis.vgg19(**SYMBOLS).rows:
        if row.kind == "conv":
            assert not sympy.sympify(row.weights).free_symbols & {B, H, W}


def test_macs_and_activations_grow_with_the_batch_and_parameters_do_not():
    total = analysis.lenet5(**SYMBOLS, normalization="hidden").total
    assert sympy.expand(total.macs / B).free_symbols == {H, W, C}
    assert sympy.expand(total.activations / B).free_symbols == {H, W, C}
    assert B not in sympy.sympify(total.keras_parameters).free_symbols


def test_inception_is_linear_in_the_number_of_pixels():
    assert analysis.inception_naive(**SYMBOLS).total.macs == 4256 * B * C * H * W


def test_filters_may_be_symbols_too():
    filters, reduction = sympy.symbols("f r", integer=True, positive=True)
    saved = (
        analysis.inception_naive(filters_5x5=filters).row("5x5").macs
        - analysis.inception_reduced(filters_5x5=filters, reduce_5x5=reduction).row("5x5").macs
    )
    assert sympy.expand(saved - 32 * 32 * 25 * filters * (256 - reduction)) == 0


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 2, 3, 11])
def test_merged_floors_equal_nested_floors(kernel, stride):
    nested = floor_divide(output_side(H, kernel, 3, 1), stride)
    for side in range(20, 40):
        assert nested.subs(H, side) == ((side + 2 - kernel) // 3 + 1) // stride


def test_calculations_are_shown_in_text_and_latex():
    row = analysis.vgg19(**SYMBOLS).row("conv2_1")
    assert row.macs_shown.text == "B·(⌊H/2⌋·⌊W/2⌋)·(3·3·64)·128 = 73,728·B·⌊H/2⌋·⌊W/2⌋"
    assert (
        analysis.vgg19().row("fc8").weights_shown.latex == r"4{,}096 \cdot 1{,}000 = 4{,}096{,}000"
    )
    sides = analysis.alexnet().row("conv1").sides_shown
    assert [side.text for side in sides] == ["⌊(227 − 11)/4⌋ + 1 = 55"] * 2


@pytest.mark.parametrize("name", analysis.NETWORKS)
def test_every_shown_calculation_is_right(name):
    """Read the text as arithmetic: left of the last equals sign must come out what stands right of
    it.
    """
    for row in analysis.NETWORKS[name]().rows:
        shown = [
            row.activations_shown,
            row.weights_shown,
            row.biases_shown,
            row.buffers_shown,
            row.macs_shown,
        ]
        if row.kind != "concat":
            shown += row.receptive_field_shown
        for calculation in (*shown, *row.start_shown, *row.jump_shown, *row.sides_shown):
            left, _, right = calculation.text.rpartition(" = ")
            assert int(right.replace(",", "")) == calculation.value
            assert arithmetic(left or right) == calculation.value, calculation.text


def arithmetic(text):
    plain = (
        text.replace(",", "")
        .replace("·", "*")
        .replace("−", "-")
        .replace("⌊", "floor(")
        .replace("⌋", ")")
    )
    return sympy.sympify(plain)
