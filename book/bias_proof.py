"""Why a layer that a batch norm follows needs no bias: a proof that sympy checks, for a batch of any size."""

from sympy import Derivative, Eq, Expr, IndexedBase, Integer, Sum, Symbol

from analysis.errors import AnalysisError
from analysis.proof import Step

SIZE = Symbol("m", integer=True, positive=True)
ONE, EACH = Symbol("j", integer=True), Symbol("i", integer=True)
X = IndexedBase("x")
BIAS = Symbol("b", real=True)


def prove_bias_is_cancelled() -> tuple[Step, ...]:
    """A constant b added to all m values of a channel is gone from every value once the mean is taken away.

    Batch norm sees nothing else: its variance is the mean square of the centred values. Each step is checked by sympy;
    x_j is any one of the values.

    >>> [step.difference for step in prove_bias_is_cancelled()]
    [0, 0, 0]
    """
    centred, shifted = _centred(Integer(0)), _centred(BIAS)
    steps = (
        Step("mean", Eq(_mean(BIAS), _mean(Integer(0)) + BIAS), "the constant moves the mean by itself"),
        Step("value", Eq(shifted, centred), "so it is gone from each value less the mean"),
        Step("slope", Eq(Derivative(shifted, BIAS), Integer(0)), "and nothing behind has a slope along the bias"),
    )
    return checked(steps)


def checked(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps, every one an identity.

    Raises:
        AnalysisError: if one is not.
    """
    for step in steps:
        if step.difference != 0:
            raise AnalysisError(f"{step.name}: no proof, the two sides differ by {step.difference}")
    return steps


def _mean(bias: Expr) -> Expr:
    return Sum(X[EACH] + bias, (EACH, 1, SIZE)) / SIZE


def _centred(bias: Expr) -> Expr:
    return X[ONE] + bias - _mean(bias)
