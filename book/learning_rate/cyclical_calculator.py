"""The cyclical schedules to try: their bounds, half a cycle and γ, each curve drawn anew."""

from sympy import Abs, Expr, Integer, Max, Symbol, floor

from book.report.calculator_parts import Calculator, Input, Line, Panel, Words
from book.report.methods import EXP_RANGE, TRIANGULAR, TRIANGULAR2, Method

T, LAST, HALF = (Symbol(name, integer=True, nonnegative=True) for name in ("t", "last", "half"))
LOW, HIGH, GAMMA = (Symbol(name, positive=True) for name in ("low", "high", "gamma"))
SAID = Words(
    "{:,.1f} cycles. The first peak of exp_range has {:.1%} of the amplitude; after the last "
    "iteration {:.1%} is left of it, and {:.1%} of triangular2's."
)


def cycle(iteration: Expr) -> Expr:
    """Return the number of the cycle in which an iteration lies, from 1 on."""
    return floor(1 + iteration / (2 * HALF))


def amplitude(policy: Method, iteration: Expr) -> Expr:
    """Return the height of a policy's triangles, from 0 to 1, in an iteration."""
    return {
        TRIANGULAR: Integer(1),
        TRIANGULAR2: Integer(2) ** (1 - cycle(iteration)),
        EXP_RANGE: GAMMA**iteration,
    }[policy]


def rate(policy: Method, iteration: Expr = T) -> Expr:
    """Return a policy's learning rate in an iteration, in closed form (Smith 2015, section 3).

    `models.rates` has the same in numbers, as trainings use it.
    """
    height = Max(0, 1 - Abs(iteration / HALF - 2 * cycle(iteration) + 1))
    return LOW + (HIGH - LOW) * amplitude(policy, iteration) * height


def calculator(low: float, high: float, half: int, gamma: float, iterations: int) -> Calculator:
    """Return the calculator of the three policies; `half` a cycle and all are in iterations."""
    inputs = (
        Input(LOW, "lower bound of the rate", low, 0, 10, None),
        Input(HIGH, "upper bound of the rate", high, 1e-9, 10, None),
        Input(HALF, "half a cycle, iterations", half, 1, 1_000_000),
        Input(GAMMA, "γ, an iteration's decay", gamma, 0.5, 1, None),
        Input(LAST, "iterations in all", iterations, 1, 1_000_000),
    )
    left = amplitude(EXP_RANGE, LAST), amplitude(TRIANGULAR2, LAST)
    return Calculator(
        "calc-cyclical",
        "Cyclical learning rates, iteration by iteration",
        "Set the bounds, half a cycle and γ; the settings at first are those trained with here.",
        inputs,
        Words(SAID.template, (LAST / (2 * HALF), amplitude(EXP_RANGE, HALF), *left)),
        panels=tuple(map(_panel, (TRIANGULAR, TRIANGULAR2, EXP_RANGE))),
        checks={HIGH - LOW: "The upper bound lies below the lower one."},
        rounded=True,
    )


def _panel(policy: Method) -> Panel:
    line = Line(policy.name, rate(policy), policy.colour)
    return Panel("learning rate over iterations", T, LAST, HIGH, (line,))
