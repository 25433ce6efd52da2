"""AlexNet's and VGG19's tables for an input of any size, as calculators."""

from dataclasses import replace

from sympy import Expr, Integer, Symbol, sympify

from analysis import Derivation, H, Row, W, alexnet, vgg19
from book.report.calculator_parts import Calculator, Cell, Input, Words

CHANNELS, CLASSES, GROUPS = (
    Symbol(name, integer=True, positive=True) for name in ("channels", "classes", "groups")
)
PADDING = Symbol("padding", integer=True, nonnegative=True)
LARGEST = 4096  # pixels a side
LAST = "pool5"  # what must leave something of the map
HEADERS = ("layer", "output", "activations", "weights", "MACs")
TOTAL = Words(
    "{:,} parameters, which take {:,.1f} MB in single precision; an image costs {:,} MACs "
    "and leaves {:,} activations behind."
)


def alexnet_calculator(height: int, width: int, channels: int, classes: int) -> Calculator:
    """Return AlexNet's calculator: its size, the padding of its first layer, and its groups."""
    derived = alexnet(
        height=H,
        width=W,
        channels=channels,
        classes=CLASSES,
        padding=PADDING,
        groups=GROUPS,
    )
    inputs = (
        *_size(height, width),
        Input(PADDING, "padding of conv1, pixels", 0, 0, 5),
        Input(GROUPS, "groups of conv2, conv4 and conv5", 2, 1, 2),
        Input(CLASSES, "classes", classes, 1, 100_000),
    )
    title = "AlexNet, for an input of any size"
    note = (
        "Try 224 without padding and with a padding of 2, and one group instead of two; fc6 "
        "follows the size of the input."
    )
    return _calculator("calc-alexnet", title, note, derived, inputs)


def vgg19_calculator(height: int, width: int, channels: int, classes: int) -> Calculator:
    """Return VGG19's calculator: its input's size and channels, and its classes."""
    derived = vgg19(height=H, width=W, channels=CHANNELS, classes=CLASSES)
    inputs = (
        *_size(height, width),
        Input(CHANNELS, "channels of the input", channels, 1, 1024),
        Input(CLASSES, "classes", classes, 1, 100_000),
    )
    note = "Only fc6 has weights that follow the size of the input; the work of all layers does."
    return _calculator("calc-vgg19", "VGG19, for an input of any size", note, derived, inputs)


def _size(height: int, width: int) -> tuple[Input, Input]:
    """Return the inputs of an image's size."""
    one = Input(H, "height of the input, pixels", height, 1, LARGEST)
    return one, replace(one, symbol=W, label="width of the input, pixels", default=width)


def _calculator(
    name: str, title: str, note: str, derived: Derivation, inputs: tuple[Input, ...]
) -> Calculator:
    """Return the calculator of a network."""
    total = derived.total
    learned = sympify(total.parameters)
    return Calculator(
        name,
        title,
        note,
        inputs,
        replace(TOTAL, values=(learned, learned * 4 / 10**6, total.macs, total.activations)),
        HEADERS,
        tuple(map(_row, derived.rows)),
        checks=dict.fromkeys(_left(derived.row(LAST)), f"The input is too small for {LAST}."),
    )


def _row(row: Row) -> tuple[Cell, ...]:
    return row.layer, row.output, row.activations, row.weights_shown, row.macs


def _left(row: Row) -> tuple[Expr, ...]:
    """Return what a map's sides are more than 1."""
    return tuple(sympify(side) - Integer(1) for side in row.output[:2])
