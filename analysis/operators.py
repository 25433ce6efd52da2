"""What each operator costs: one small function each, its convention beside it.

MACs are multiply-accumulates of convolutions and matrix products only: no bias additions, no
pooling, no normalization. FLOPs = 2 × MACs. MACs and activations are counted for the whole batch.
"""

from collections.abc import Sequence

from sympy import Add, Expr, Integer, Mod, expand, floor, sympify

from analysis.errors import AnalysisError
from analysis.layers import Window
from analysis.notation import Calculation, Dimension, calculation, product


def output_side(
    side: Dimension,
    kernel: Dimension,
    stride: Dimension = 1,
    padding: Dimension = 0,
    dilation: Dimension = 1,
) -> Expr:
    """Return the side of a convolution's or pool's output along one axis, in pixels.

    The last, incomplete window is dropped.

    >>> output_side(227, kernel=11, stride=4)
    55
    """
    reach = dilation * (kernel - 1) + 1
    return floor_divide(side + 2 * padding - reach, stride) + 1


def floor_divide(numerator: Dimension, divisor: Dimension) -> Expr:
    """Return ⌊numerator / divisor⌋, a floor within the floor merged.

    ⌊(⌊x⌋ + n) / m⌋ = ⌊(x + n) / m⌋ holds for whole n and whole m > 0 (Graham, Knuth & Patashnik,
    *Concrete Mathematics*, eq. 3.11).

    >>> from analysis.notation import H
    >>> floor_divide(floor_divide(H, 2), 2)
    floor(H/4)
    """
    numerator, divisor = sympify(numerator), sympify(divisor)
    if isinstance(numerator, Integer) and isinstance(divisor, Integer):
        return numerator // divisor
    terms = Add.make_args(numerator)
    floors = [term for term in terms if isinstance(term, floor)]
    rest = Add(*(term for term in terms if not isinstance(term, floor)))
    if len(floors) == 1 and rest.is_integer and divisor.is_integer and divisor.is_positive:
        numerator = floors[0].args[0] + rest
    return floor(expand(numerator / divisor))


def adaptive_windows(sides: Sequence[Expr], counts: tuple[Expr, Expr]) -> tuple[Window, Window]:
    """Return the largest windows and steps with which an adaptive pool covers a map.

    Window i of k over n positions reaches from ⌊i·n/k⌋ to ⌈(i + 1)·n/k⌉. Where k divides n, all
    have n/k; elsewhere none has more than ⌊n/k⌋ + 2 = 2·⌈n/k⌉ − ⌊n/k⌋.

    >>> adaptive_windows((Integer(14), Integer(10)), (Integer(7), Integer(7)))[1].kernel
    3
    """
    height, width = (
        Window(
            2 * _ceiling(side, count) - floor_divide(side, count),
            _ceiling(side, count),
            Integer(0),
            Integer(1),
        )
        for side, count in zip(sides, counts, strict=True)
    )
    return height, width


def _ceiling(numerator: Expr, divisor: Expr) -> Expr:
    return floor_divide(numerator + divisor - 1, divisor)


def side_calculation(side: Dimension, window: Window) -> Calculation:
    """Return `output_side`, with its calculation.

    >>> side_calculation(27, Window(5, 1, 2, 1)).text
    '27 + 2·2 − 5 + 1 = 27'
    """
    value = output_side(side, *window)
    template, operands = "{}", [side]
    if window.padding != 0:
        template, operands = template + " + 2·{}", [*operands, window.padding]
    if window.dilation == 1:
        template, operands = template + " − {}", [*operands, window.kernel]
    else:
        template, operands = (
            template + " − {}·({} − 1) − 1",
            [*operands, window.dilation, window.kernel],
        )
    if window.stride != 1:
        template, operands = f"⌊({template})/{{}}⌋", [*operands, window.stride]
    return calculation(value, f"{template} + 1", *operands)


def activations(batch: Dimension, shape: tuple[Dimension, ...]) -> Calculation:
    """Count the numbers in a layer's output, for the whole batch.

    >>> activations(1, (55, 55, 96)).text
    '55·55·96 = 290,400'
    """
    return product(*_batch(batch), *shape)


def saved(itemsize: int, batch: Dimension, shape: tuple[Dimension, ...]) -> Calculation:
    """Return the bytes that training keeps of a layer's output for the backward pass.

    The layer behind needs it for its weights' gradient, or the activation function for its own.

    >>> saved(4, 1, (55, 55, 96)).text
    '4·(55·55·96) = 1,161,600'
    """
    return product(itemsize, (*_batch(batch), *shape))


def conv_weights(
    kernel: tuple[Dimension, Dimension],
    channels: Dimension,
    filters: Dimension,
    groups: Dimension = 1,
) -> Calculation:
    """Count the weights of a convolution, without biases.

    Each filter sees the channels of its own group only.

    >>> conv_weights((11, 11), 3, 96).text
    '(11·11·3)·96 = 34,848'
    """
    if groups == 1:
        return product((*kernel, channels), filters)
    return product(groups, (*kernel, sympify(channels) / groups), sympify(filters) / groups)


def conv_macs(
    batch: Dimension,
    sides: tuple[Dimension, Dimension],
    kernel: tuple[Dimension, Dimension],
    channels: Dimension,
    filters: Dimension,
    groups: Dimension = 1,
) -> Calculation:
    """Count the multiply-accumulates of a convolution.

    Each weight counts once per output position (`sides`) and image.

    >>> conv_macs(1, (55, 55), (11, 11), 3, 96).text
    '(55·55)·(11·11·3)·96 = 105,415,200'
    """
    if groups == 1:
        return product(*_batch(batch), sides, (*kernel, channels), filters)
    split = sympify(channels) / groups, sympify(filters) / groups
    return product(*_batch(batch), sides, groups, (*kernel, split[0]), split[1])


def linear_weights(shape: tuple[Dimension, ...], units: Dimension) -> Calculation:
    """Count the weights of a fully connected layer, without biases.

    It reads a map or a vector of the given shape.

    >>> linear_weights((7, 7, 512), 4096).text
    '(7·7·512)·4,096 = 102,760,448'
    """
    return product(_group(shape), units)


def linear_macs(batch: Dimension, shape: tuple[Dimension, ...], units: Dimension) -> Calculation:
    """Count the multiply-accumulates of a fully connected layer: each weight once per image.

    >>> linear_macs(64, (4096,), 1000).text
    '64·4,096·1,000 = 262,144,000'
    """
    return product(*_batch(batch), _group(shape), units)


def check_groups(name: str, channels: Dimension, filters: Dimension, groups: Dimension) -> None:
    """Check that channels and filters split evenly; a symbol is taken to.

    Raises:
        AnalysisError: If they do not.
    """
    for what, count in (("input channels", channels), ("filters", filters)):
        remainder = Mod(count, groups)
        if remainder.is_number and remainder != 0:
            raise AnalysisError(
                f"{name}: {groups} groups do not divide its {count} {what}; "
                f"choose a divisor of {count}"
            )


def _batch(batch: Dimension) -> tuple[Dimension, ...]:
    return () if batch == 1 else (batch,)


def _group(shape: tuple[Dimension, ...]) -> Dimension | tuple[Dimension, ...]:
    return shape[0] if len(shape) == 1 else shape
