"""The noise scale to try: of a batch that grows, and of a rate that shrinks instead."""

from sympy import Integer, Min, Symbol

from book.learning_rate.batch_size import noise_scale
from book.report.calculator_parts import Calculator, Cell, Input, Words
from book.report.methods import GROWING_BATCH, SHRINKING_RATE

DOUBLINGS = range(10)
RATE, MOMENTUM = (Symbol(name, nonnegative=True) for name in ("rate", "momentum"))
IMAGES, BATCH = (Symbol(name, integer=True, positive=True) for name in ("images", "batch"))
HEADERS = (
    *("doublings", GROWING_BATCH, "updates an epoch", f"noise scale, {GROWING_BATCH}"),
    *(SHRINKING_RATE, f"noise scale, {SHRINKING_RATE}", "ratio of both"),
)
SAID = Words(
    "The noise scale begins at {:,.3g}; ε N / B alone, which leaves out the momentum, is {:,.3g}. "
    "Momentum spreads a gradient over {:,.3g} updates."
)


def calculator(rate: float, images: int, batch: int, momentum: float) -> Calculator:
    """Return the calculator of the noise scale, a row a doubling of the batch."""
    inputs = (
        Input(RATE, "learning rate ε", rate, 0, 10, None),
        Input(BATCH, "batch B, images", batch, 1, 1_000_000),
        Input(IMAGES, "training images N", images, 2, 10_000_000),
        Input(MOMENTUM, "momentum m", momentum, 0, 0.999, None),
    )
    first = noise_scale(RATE, IMAGES, BATCH, MOMENTUM)
    return Calculator(
        "calc-batch-size",
        "The noise scale of a growing batch, and of a shrinking rate instead",
        "A row doubles the batch, as far as there are images, or halves the rate; the ratio of the "
        "two noise scales shows how long they are the same.",
        inputs,
        Words(SAID.template, (first, RATE * IMAGES / BATCH, 1 / (1 - MOMENTUM))),
        HEADERS,
        tuple(map(_row, DOUBLINGS)),
        checks={IMAGES - BATCH - 1: "A batch of all training images, or of more, has no noise."},
        rounded=True,
    )


def _row(doublings: int) -> tuple[Cell, ...]:
    """Return both ways after so many doublings; no batch is larger than the training set."""
    times = Integer(2) ** doublings
    grown = Min(BATCH * times, IMAGES)
    growing = noise_scale(RATE, IMAGES, grown, MOMENTUM)
    shrinking = noise_scale(RATE / times, IMAGES, BATCH, MOMENTUM)
    shown = [Words("{:,.3g}", (one,)) for one in (IMAGES / grown, growing, RATE / times, shrinking)]
    return str(doublings), grown, *shown, Words("{:,.3g}", (growing / shrinking,))
