"""The methods that the book compares: each name once, with its colour, its dash and how it is said.

A method keeps its colour through the whole book. One whose line may lie on another's is dashed, so
that both are seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from book.report.colours import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY


@dataclass(frozen=True, eq=False, repr=False)
class Method(str):
    """A method's name, which also says how sentences call it and how figures draw it.

    It is text and equals its name: a key, a cell of a table and a figure's label take it as it is.
    """

    name: str
    spoken: str
    colour: str
    dash: str = "-"

    def __new__(cls, name: str, *_: str) -> Self:
        """Make the text; the fields are the dataclass's to fill in."""
        return super().__new__(cls, name)


NEITHER = Method("neither", "neither of the two", GREY)
NEITHER_LOWER_RATE = Method("neither, lower rate", "neither, at a lower rate,", BLACK)
NEITHER_STANDARD = Method("neither, standardised", "neither, on a standardised input,", BLACK)
BATCH_NORM = Method("batch norm", "batch norm alone", BLUE)
BATCH_NORM_ONE_SEED = Method(
    "batch norm at one seed's rate", "batch norm at the rate that one seed chose", BLACK
)
BATCH_NORM_INPUT = Method("batch norm, input too", "batch norm on the input too", GREEN, "--")
NOISY_BATCH_NORM = Method("noisy batch norm", "batch norm with noise", SKY)
DROPOUT = Method("dropout", "dropout alone", ORANGE)
BOTH = Method("both", "their combination", PINK, "--")

NO_NORM = Method("no norm", "no norm", GREY)
LAYER_NORM = Method("layer norm", "layer norm", ORANGE)
GROUP_NORM = Method("group norm", "group norm", GREEN)
INSTANCE_NORM = Method("instance norm", "instance norm", PINK)
CONV_BATCH_NORM = Method(
    "batch norm, convs only", "batch norm in the convolutions alone", BLUE, "--"
)

PLAIN = Method("plain, no norm", "the plain network without a norm", GREY, "--")
PLAIN_NORM = Method("plain, batch norm", "the plain network with batch norm", BLUE, "--")
RESIDUAL = Method("residual, no norm", "the residual network without a norm", GREY)
RESIDUAL_NORM = Method("residual, batch norm", "the residual network with batch norm", BLUE)

BEFORE_TANH = Method("before tanh", "batch norm before tanh", BLUE)
AFTER_TANH = Method("after tanh", "batch norm after tanh", RED)

CONSTANT_RATE = Method("constant", "the constant rate", GREY)
EXP_RANGE = Method("exp_range", "the policy exp_range", BLUE)
TRIANGULAR = Method("triangular", "the policy triangular", SKY)
TRIANGULAR2 = Method("triangular2", "the policy triangular2", GREEN)
ONE_CYCLE = Method("one-cycle", "the policy one-cycle", ORANGE)
LONG_EXP_RANGE = Method("exp_range, long", "the policy exp_range with long cycles", BLUE, "--")
LONG_TRIANGULAR = Method("triangular, long", "the policy triangular with long cycles", SKY, "--")
COSINE = Method("cosine", "half a cosine", BLACK)

GROWING_BATCH = Method("growing batch", "the growing batch", PINK)
SMALL_PARTS = Method("growing, small parts", "the growing batch in small parts", GREEN, "--")
SHRINKING_RATE = Method("shrinking rate", "the shrinking rate", RED)
BOTH_FIXED = Method("both fixed", "keeping both fixed", GREY)

#: Every method by its name.
METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        *(NEITHER, NEITHER_LOWER_RATE, NEITHER_STANDARD),
        *(BATCH_NORM, BATCH_NORM_ONE_SEED, BATCH_NORM_INPUT, NOISY_BATCH_NORM),
        *(DROPOUT, BOTH),
        *(NO_NORM, LAYER_NORM, GROUP_NORM, INSTANCE_NORM, CONV_BATCH_NORM),
        *(PLAIN, PLAIN_NORM, RESIDUAL, RESIDUAL_NORM),
        *(BEFORE_TANH, AFTER_TANH),
        *(CONSTANT_RATE, EXP_RANGE, TRIANGULAR, TRIANGULAR2, ONE_CYCLE),
        *(LONG_EXP_RANGE, LONG_TRIANGULAR, COSINE),
        *(GROWING_BATCH, SMALL_PARTS, SHRINKING_RATE, BOTH_FIXED),
    )
}


def named(name: str) -> Method:
    """Return the method of a name.

    Raises:
        ValueError: No method has that name.

    >>> named("both").colour == BOTH.colour
    True
    """
    if name not in METHODS:
        raise ValueError(
            f"expected a method, one of {', '.join(map(repr, METHODS))}; got {name!r}: use a "
            "constant of book.report.methods, or give the colours of what is no method"
        )
    return METHODS[name]


def spoken(name: str) -> str:
    """Return what a sentence calls a variant: a method's spoken form, or a name as it is.

    >>> spoken("both"), spoken("without bias")
    ('their combination', 'without bias')
    """
    return METHODS[name].spoken if name in METHODS else name
