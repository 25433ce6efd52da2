"""The convolution and receptive-field calculator: windows one on another, each as one enters it."""

from itertools import chain

from sympy import Expr, Mod, Symbol

from analysis import Conv, H, Network, Row, derive
from analysis.layers import Window, windows
from book.report.calculator_parts import Calculator, Cell, Input, Words

LAYERS = 5  # windows on top of one another; one of 1 × 1 changes nothing
HEADERS = ("layer", "kernel", "stride", "padding", "dilation")
FOLLOWS = ("map", "pixels left over", "field", "jump")
LIMITS = {
    "kernel": ("positive", 1, 31),
    "stride": ("positive", 1, 4),
    "padding": ("nonnegative", 0, 15),
    "dilation": ("positive", 1, 8),
}
SAID = Words(
    "A position of the last map sees {:,} × {:,} pixels, neighbours {:,} apart; "
    "there are {:,} × {:,} positions."
)


def calculator(kernel: int, layers: int, side: int) -> Calculator:
    """Return the calculator of a stack, with as many of the page's own layers as it has room for.

    `side` is the image's, in pixels.
    """
    inputs = [_inputs(layer, kernel if layer <= layers else 1) for layer in range(1, LAYERS + 1)]
    stack = tuple(_window(layer, one) for layer, one in enumerate(inputs, start=1))
    _, *rows = derive(Network("stack", stack, H, H, 1)).rows
    befores = [H, *(row.output[0] for row in rows)]
    lines = zip(inputs, rows, stack, befores, strict=False)
    last, seen = rows[-1], rows[-1].receptive_field
    return Calculator(
        "calc-receptive-field",
        "Convolutions and pools, one on another",
        "Enter up to five square windows, each on the map before it; one of 1 × 1 changes nothing.",
        (Input(H, "side of the image, pixels", side, 1, 1024), *chain(*inputs)),
        Words(SAID.template, (seen, seen, last.jump, *last.output[:2])),
        (*HEADERS, *FOLLOWS),
        tuple(
            (row.layer, *entered, *_follows(row, windows(layer)[0], before))
            for entered, row, layer, before in lines
        ),
        checks={
            row.output[0] - 1: f"{row.layer}'s window is larger than the map that it is given."
            for row in rows
        },
    )


def _inputs(layer: int, kernel: int) -> tuple[Input, ...]:
    """Return what is entered of a layer: its kernel, stride, padding and dilation."""
    defaults = {"kernel": kernel, "stride": 1, "padding": 0, "dilation": 1}
    return tuple(
        Input(
            Symbol(f"{name}{layer}", integer=True, **{sign: True}),
            f"{name} of layer {layer}",
            defaults[name],
            least,
            most,
        )
        for name, (sign, least, most) in LIMITS.items()
    )


def _window(layer: int, inputs: tuple[Input, ...]) -> Conv:
    kernel, stride, padding, dilation = (one.symbol for one in inputs)
    return Conv(f"layer {layer}", 1, kernel, stride, padding, dilation)


def _follows(row: Row, window: Window, before: Expr) -> tuple[Cell, ...]:
    """Return a map's side, the pixels that the last window leaves over, the field and the jump."""
    travel = before + 2 * window.padding - window.reach
    return row.output[0], Mod(travel, window.stride), row.receptive_field, row.jump
