"""The five networks that the chapters on batch norm and dropout compare, and how they are varied.

Each function takes specs and gives specs by name; nothing here trains
(`book.report.experiments.ask` does).
"""

from collections.abc import Iterable, Mapping
from itertools import permutations

from book.report.experiments import Variants, each
from models.networks.architectures import STEPS
from models.specs import RunSpec

#: The four that differ in their hidden layers: without the batch norm on the input.
FOUR = ("neither", "batch norm", "dropout", "both")

#: Dropout rates of the hidden layers that chapter `dropout` sweeps.
DROPOUT_RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def five(base: RunSpec, dropout: float = 0.5, input_dropout: float = 0.2) -> Variants:
    """`base` with neither, with batch norm, batch norm on the input too, dropout, and both.

    Rates: 0.5 in the hidden layers and 0.2 on the input (Srivastava et al. 2014, appendix A.4).

    >>> list(five(RunSpec()))
    ['neither', 'batch norm', 'batch norm, input too', 'dropout', 'both']
    """
    rates = {"dropout": dropout, "input_dropout": input_dropout}
    return {
        "neither": base,
        "batch norm": base.with_(norm="batch"),
        "batch norm, input too": base.with_(norm="batch", input_norm="batch"),
        "dropout": base.with_(**rates),
        "both": base.with_(norm="batch", **rates),
    }


def four(variants: Mapping[str, RunSpec]) -> Variants:
    """Those of the five whose input is standardised."""
    return {name: variants[name] for name in FOUR}


def dropout_rates(spec: RunSpec, rates: Iterable[float] = DROPOUT_RATES) -> Variants:
    """A run with each of some dropout rates in its hidden layers, named by the rate, and none on
    its input.
    """
    return {f"{rate:g}": spec.with_(dropout=rate, input_dropout=0.0) for rate in rates}


def orders(variants: Mapping[str, RunSpec]) -> Variants:
    """`both` in every order of batch norm, activation and dropout after a layer, and batch norm
    alone beside them.

    Each run measures the variance shift (`models.training.probes`).
    """
    names = ["-".join(order) for order in permutations(STEPS)]
    ordered = {name: variants["both"].with_(order=name) for name in names}
    return each({"batch norm": variants["batch norm"], **ordered}, probes=("variances",))
