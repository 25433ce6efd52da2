"""The five networks that the chapters on batch norm and dropout compare, and how they are varied.

Each function takes specs and gives specs by name; nothing here trains (`book.experiments.ask` does).
"""

from collections.abc import Iterable, Mapping
from itertools import permutations

from models.datasets import DATASETS
from models.specs import ORDER_PARTS, RunSpec

#: Specs by the name that tables and figures give them.
Variants = dict[str, RunSpec]

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


def each(variants: Mapping[str, RunSpec], **changes: object) -> Variants:
    """Every variant with the same fields changed, such as ``epochs=60`` or ``width=2``."""
    return {name: spec.with_(**changes) for name, spec in variants.items()}


def training_size(spec: RunSpec) -> int:
    """Images that a run may choose its training and validation sets from.

    >>> training_size(RunSpec(dataset="mnist")), training_size(RunSpec(dataset="mnist", train_size=600))
    (60000, 600)
    """
    return spec.train_size or DATASETS[spec.dataset].train_size


def part(variants: Mapping[str, RunSpec], divisor: int) -> Variants:
    """Every variant on a part of its training set, one in `divisor` images and at least one a class."""
    return {name: spec.with_(train_size=_part_size(spec, divisor)) for name, spec in variants.items()}


def fewer(variants: Mapping[str, RunSpec], divisor: int) -> Variants:
    """As :func:`part`, but seen so often that an epoch has as many images as before, and so as many updates."""
    return {
        name: spec.with_(train_size=size, passes=spec.passes * (training_size(spec) // size))
        for name, spec in variants.items()
        for size in [_part_size(spec, divisor)]
    }


def _part_size(spec: RunSpec, divisor: int) -> int:
    return max(len(DATASETS[spec.dataset].classes), training_size(spec) // divisor)


def dropout_rates(spec: RunSpec, rates: Iterable[float] = DROPOUT_RATES) -> Variants:
    """A run with each of some dropout rates in its hidden layers, named by the rate, and none on its input."""
    return {f"{rate:g}": spec.with_(dropout=rate, input_dropout=0.0) for rate in rates}


def orders(variants: Mapping[str, RunSpec]) -> Variants:
    """`both` in every order of batch norm, activation and dropout after a layer, and batch norm alone beside them.

    Each run measures the variance shift (`models.probes`).
    """
    names = ["-".join(order) for order in permutations(ORDER_PARTS)]
    ordered = {name: variants["both"].with_(order=name) for name in names}
    return each({"batch norm": variants["batch norm"], **ordered}, probes=("variances",))
