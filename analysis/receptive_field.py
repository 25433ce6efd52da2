"""What one output position sees of the input: the recurrence, and a proof of its closed form.

Conventions: the size is the theoretical one, padding included and not clipped at the image's border
(so it may exceed the image). It counts from the first to the last pixel seen, gaps of dilation
included. Where branches meet it is the hull of what they see, so branches that look in different
directions see more than the largest of them. (Recurrences: Araujo, Norris & Sim 2019, *Computing
Receptive Fields of Convolutional Neural Networks*, section 2.)
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sympy import Expr, Max, Min, S

from analysis.errors import AnalysisError
from analysis.layers import Window
from analysis.notation import Calculation, Dimension, calculation, text, whole


@dataclass(frozen=True)
class Field:
    """What the first output position sees along one axis, and how far apart neighbours look.

    All in input pixels.

    `size` pixels from pixel `start` on (negative: in the padding), `jump` pixels from neighbour to
    neighbour.
    """

    size: Expr = S.One
    jump: Expr = S.One
    start: Expr = S.Zero

    def through(self, window: Window) -> "Field":
        """Return the field behind one more window.

        r' = r + d (k − 1) j, j' = j s, start' = start − p j.

        >>> Field().through(Window(11, 4, 0, 1)).through(Window(3, 2, 0, 1)).size
        19
        """
        return Field(
            self.size + window.dilation * (window.kernel - 1) * self.jump,
            self.jump * window.stride,
            self.start - window.padding * self.jump,
        )


def size_calculation(before: Field, window: Window) -> Calculation:
    """Return the receptive field behind a window, with its calculation.

    >>> size_calculation(Field(11, 4), Window(3, 2, 0, 1)).text
    '11 + (3 − 1)·4 = 19'
    """
    value = before.through(window).size
    if window.dilation == 1:
        return calculation(value, "{} + ({} − 1)·{}", before.size, window.kernel, before.jump)
    return calculation(
        value, "{} + {}·({} − 1)·{}", before.size, window.dilation, window.kernel, before.jump
    )


def jump_calculation(before: Field, window: Window) -> Calculation:
    """Return the jump behind a window, with its calculation.

    >>> jump_calculation(Field(11, 4), Window(3, 2, 0, 1)).text
    '4·2 = 8'
    """
    return calculation(before.through(window).jump, "{}·{}", before.jump, window.stride)


def start_calculation(before: Field, window: Window) -> Calculation:
    """Return the first pixel seen behind a window, with its calculation; padding is negative.

    >>> start_calculation(Field(3, 2, start=1), Window(3, 1, 2, 1)).text
    '1 − 2·2 = -3'
    """
    value = before.through(window).start
    return calculation(value, "{} − {}·{}", before.start, window.padding, before.jump)


def union(name: str, fields: Iterable[Field]) -> Field:
    """Return the hull of what several branches see.

    Raises:
        AnalysisError: If they step by different jumps: then no one size holds at every position.

    >>> union("concat", [Field(1), Field(3, start=-1), Field(5, start=-2)]).size
    5
    """
    fields = tuple(fields)
    jumps = {field.jump for field in fields}
    if len(jumps) != 1:
        steps = " and ".join(sorted(map(text, jumps)))
        raise AnalysisError(
            f"{name}: its branches step by {steps} input pixels; give them the same total stride"
        )
    start = Min(*(field.start for field in fields))
    end = Max(*(field.start + field.size for field in fields))
    return Field(end - start, jumps.pop(), start)


def receptive_field(stack: Iterable[tuple[Dimension, Dimension]]) -> Expr:
    """Return the side of what a stack of `(kernel, stride)` windows sees, in input pixels.

    Raises:
        AnalysisError: If a kernel or a stride is not a positive whole number.

    >>> receptive_field([(5, 1)] * 3)
    13
    """
    field = Field()
    for kernel, stride in stack:
        field = field.through(
            Window(whole("kernel", kernel), whole("stride", stride), S.Zero, S.One)
        )
    return field.size
