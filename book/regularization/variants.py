"""The five networks that the chapters on batch norm and dropout compare, and how they are varied.

Each function takes specs and gives specs by name; nothing here trains
(`book.report.experiments.ask` does).
"""

from collections.abc import Iterable, Mapping
from itertools import permutations

from book.report.experiments import Variants, each
from book.report.methods import BATCH_NORM, BATCH_NORM_INPUT, BOTH, DROPOUT, NEITHER
from models.networks.architectures import STEPS
from models.specs import RunSpec

#: The four that differ in their hidden layers: without the batch norm on the input.
FOUR = (NEITHER, BATCH_NORM, DROPOUT, BOTH)

#: Dropout rates of the hidden layers that chapter `dropout` sweeps.
DROPOUT_RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def five(base: RunSpec, dropout: float = 0.5, input_dropout: float = 0.2) -> Variants:
    """Return `base` with neither, batch norm, batch norm on the input too, dropout, and both.

    Rates: 0.5 in the hidden layers and 0.2 on the input (Srivastava et al. 2014, appendix A.4).

    >>> list(five(RunSpec()))
    ['neither', 'batch norm', 'batch norm, input too', 'dropout', 'both']
    """
    dropped = base.with_(dropout=dropout, input_dropout=input_dropout)
    return {
        NEITHER: base,
        BATCH_NORM: base.with_(norm="batch"),
        BATCH_NORM_INPUT: base.with_(norm="batch", input_norm="batch"),
        DROPOUT: dropped,
        BOTH: dropped.with_(norm="batch"),
    }


def four(variants: Mapping[str, RunSpec]) -> Variants:
    """Return those of the five whose input is standardised."""
    return {name: variants[name] for name in FOUR}


def dropout_rates(
    spec: RunSpec,
    rates: Iterable[float] = DROPOUT_RATES,
    layers: tuple[str, ...] | None = None,
) -> Variants:
    """Return a run with each dropout rate, named by it, in some hidden layers or else in all.

    The input has none.
    """
    bare = spec.with_(dropout=0.0, input_dropout=0.0, dropout_layers=None)
    return {
        f"{rate:g}": bare.with_(dropout=rate, dropout_layers=layers) if rate else bare
        for rate in rates
    }


def in_every_order(spec: RunSpec) -> Variants:
    """Return a run with each order of norm, activation and dropout after a layer, named by it."""
    orders = ("-".join(parts) for parts in permutations(STEPS))
    return {order: spec.with_(order=order) for order in orders}


def measured_orders(variants: Mapping[str, RunSpec]) -> Variants:
    """Return `both` in every order, and batch norm alone beside them.

    Each run measures the variance shift (`models.training.probes`).
    """
    ordered = {BATCH_NORM: variants[BATCH_NORM], **in_every_order(variants[BOTH])}
    return each(ordered, probes=("variances",))
