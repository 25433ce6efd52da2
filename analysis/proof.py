"""Proofs checked by sympy: what stacked convolutions see, why a batch norm needs no bias before it.

The recurrence is the one of `analysis.receptive_field`: r(l) = r(l−1) + (k(l) − 1) j(l−1), j(l) =
j(l−1) s(l).
"""

from dataclasses import dataclass
from functools import cached_property

from sympy import (
    Derivative,
    Eq,
    Expr,
    Function,
    IndexedBase,
    Integer,
    Product,
    Sum,
    Symbol,
    evaluate,
    rsolve,
    simplify,
)
from sympy import latex as sympy_latex

from analysis.errors import AnalysisError

F = Symbol("F", integer=True, positive=True)
N = Symbol("N", integer=True, nonnegative=True)
S = Symbol("s", integer=True, positive=True)
R, J = Function("r"), Function("j")
SIZE = Symbol("m", integer=True, positive=True)
ONE, EACH = Symbol("j", integer=True), Symbol("i", integer=True)
X = IndexedBase("x")
BIAS = Symbol("b", real=True)


@dataclass(frozen=True)
class Step:
    """One equation of a proof, and why it holds.

    `assumed`: taken as given (the induction hypothesis).
    """

    name: str
    equation: Eq
    reason: str
    assumed: bool = False

    @property
    def latex(self) -> str:
        """The equation, for math mode."""
        return str(sympy_latex(self.equation))

    @cached_property
    def difference(self) -> Expr:
        """Left side minus right side, simplified once: 0 where the equation is an identity."""
        return simplify((simplify(self.equation.lhs) - simplify(self.equation.rhs)).doit())


@dataclass(frozen=True)
class Proof:
    """A statement, the recurrence it starts from, and the steps between.

    The steps are base, hypothesis, step and conclusion.

    Making one checks every step that is not an assumption.

    Raises:
        AnalysisError: If a step is no identity.
    """

    statement: Eq
    recurrence: Eq
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        for step in self.steps:
            if not step.assumed and step.difference != 0:
                raise AnalysisError(
                    f"{step.name}: no proof, the two sides differ by {step.difference}"
                )

    def step(self, name: str) -> Step:
        """Return the step of that name.

        Raises:
            AnalysisError: If there is none.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise AnalysisError(
            f"this proof has no step {name!r}; it has {', '.join(step.name for step in self.steps)}"
        )


def prove_stacked() -> Proof:
    """Prove that N stacked F x F convolutions of stride 1 see (NF − N + 1)² pixels.

    >>> proof = prove_stacked()
    >>> proof.statement
    Eq(r(N)**2, (F*N - N + 1)**2)
    >>> proof.statement.rhs.subs({N: 3, F: 5})
    169
    """
    recurrence = Eq(R(N + 1), R(N) + F - 1)
    solved = rsolve(recurrence.lhs - recurrence.rhs, R(N), {R(0): 1})
    return _induction(recurrence, N * F - N + 1, F - 1, solved)


def prove_strided() -> Proof:
    """Prove what N stacked F x F convolutions of one stride s > 1 see.

    That is 1 + (F − 1)(s^N − 1)/(s − 1) pixels a side.

    The jump is solved first, j(N) = s^N; with it the side grows by (F − 1) s^N in step N + 1.

    >>> prove_strided().statement.rhs.subs({N: 2, F: 3, S: 2})
    49
    """
    jump = rsolve(J(N + 1) - S * J(N), J(N), {J(0): 1})
    growth = (F - 1) * jump
    geometric = 1 + (F - 1) * (S**N - 1) / (S - 1)
    i = Symbol("i", integer=True, nonnegative=True)
    solved = 1 + (F - 1) * Sum(S**i, (i, 0, N - 1)).doit().args[-1].expr
    return _induction(Eq(R(N + 1), R(N) + growth), geometric, growth, solved)


def prove_any_stack() -> Proof:
    """Prove what windows k(l) of strides s(l), l = 1 … N, see.

    That is 1 + Σ (k(l) − 1) Π s(i) pixels a side, i running below l.

    >>> prove_any_stack().steps[0].difference
    0
    """
    index, below = (Symbol(name, integer=True, positive=True) for name in ("l", "i"))
    kernel, stride = IndexedBase("k"), IndexedBase("s")

    def grows(first: Expr, last: Expr) -> Sum:
        return Sum(
            (kernel[index] - 1) * Product(stride[below], (below, 1, index - 1)),
            (index, first, last),
        )

    last_term = grows(N + 1, N + 1)
    closed = 1 + grows(Integer(1), N)
    return _induction(Eq(R(N + 1), R(N) + last_term.doit()), closed, last_term, closed)


def _induction(recurrence: Eq, closed: Expr, growth: Expr, solved: Expr) -> Proof:
    """Prove r(N) = `closed` from r(0) = 1 and r(N + 1) = r(N) + `growth`.

    `solved` is a second solution.
    """
    with evaluate(
        closed.has(Sum)
    ):  # as a reader would write it, nothing collected; a sum stays as it is by itself
        base, following = closed.subs(N, 0), closed.subs(N, N + 1)
        growing = closed + growth
    steps = (
        Step("base", Eq(Integer(1), base, evaluate=False), "without a layer, a pixel sees itself"),
        Step("hypothesis", Eq(R(N), closed), "let it hold for N layers", assumed=True),
        Step(
            "step",
            Eq(growing, following, evaluate=False),
            "one layer more, by the recurrence, is N + 1 in the formula",
        ),
        Step(
            "conclusion",
            Eq(solved**2, closed**2, evaluate=False),
            "so it holds for all N, along both axes",
        ),
    )
    return Proof(Eq(R(N) ** 2, closed**2), recurrence, steps)


def prove_bias_is_cancelled() -> tuple[Step, ...]:
    """Prove that batch norm cancels a constant b added to all m values of a channel.

    It is gone from every value once the mean is taken away.

    Batch norm sees nothing else: its variance is the mean square of the centred values. Each step
    is checked by sympy; x_j is any one of the values.

    >>> [step.difference for step in prove_bias_is_cancelled()]
    [0, 0, 0]
    """
    centred, shifted = _centred(Integer(0)), _centred(BIAS)
    steps = (
        Step(
            "mean",
            Eq(_mean(BIAS), _mean(Integer(0)) + BIAS),
            "the constant moves the mean by itself",
        ),
        Step("value", Eq(shifted, centred), "so it is gone from each value less the mean"),
        Step(
            "slope",
            Eq(Derivative(shifted, BIAS), Integer(0)),
            "and nothing behind has a slope along the bias",
        ),
    )
    return checked(steps)


def checked(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps, every one an identity.

    Raises:
        AnalysisError: If one is not.
    """
    for step in steps:
        if step.difference != 0:
            raise AnalysisError(f"{step.name}: no proof, the two sides differ by {step.difference}")
    return steps


def _mean(bias: Expr) -> Expr:
    return Sum(X[EACH] + bias, (EACH, 1, SIZE)) / SIZE


def _centred(bias: Expr) -> Expr:
    return X[ONE] + bias - _mean(bias)
