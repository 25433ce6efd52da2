"""What a batch norm becomes in use, proved and checked by sympy.

In use its mean and variance are fixed numbers, so that it is a straight line in what comes in.
"""

from sympy import Eq, Expr, IndexedBase, Sum, Symbol, sqrt

from analysis.proof import Step, checked

COUNT = Symbol("n", integer=True, positive=True)
EACH = Symbol("i", integer=True)
X, WEIGHT = IndexedBase("x"), IndexedBase("w")
INPUT, BIAS, MEAN, GAMMA, BETA, SCALE = (
    Symbol(name, real=True) for name in ("y", "b", "mu", "gamma", "beta", "s")
)
DEVIATION, EPSILON = (Symbol(name, positive=True) for name in ("sigma", "epsilon"))


def prove_norm_folds() -> tuple[Step, ...]:
    """Prove that a batch norm in use goes into the layer before it.

    With s = γ/√(σ² + ε), a layer's weights w become s·w, and its bias b becomes s·(b − μ) + β.

    >>> [step.difference for step in prove_norm_folds()]
    [0, 0]
    """
    scale = GAMMA / sqrt(DEVIATION**2 + EPSILON)
    line = Eq(scale * (INPUT - MEAN) + BETA, scale * INPUT + (BETA - scale * MEAN), evaluate=False)
    layer = Sum(WEIGHT[EACH] * X[EACH], (EACH, 1, COUNT)) + BIAS
    folded = Sum(SCALE * WEIGHT[EACH] * X[EACH], (EACH, 1, COUNT)) + _folded_bias()
    steps = (
        Step("line", line, "with μ and σ fixed, a batch norm is a straight line in its input y"),
        Step(
            "layer",
            Eq(SCALE * (layer - MEAN) + BETA, folded, evaluate=False),
            "a convolution and a dense layer are sums over what they read, so a line behind them "
            "is another such sum; s is short for the slope",
        ),
    )
    return checked(steps)


def _folded_bias() -> Expr:
    return SCALE * (BIAS - MEAN) + BETA
