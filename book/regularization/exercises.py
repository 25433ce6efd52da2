"""The experiments of the chapter on exercises: for each exercise, the variants of LeNet-5 that
answer it.

Each function takes a spec and gives specs by name; nothing here trains
(`book.report.experiments.ask_groups` does).
"""

from collections.abc import Sequence
from itertools import combinations, permutations

from book.report.experiments import Groups, Variants, each
from models.networks.architectures import STEPS, layer_names
from models.specs import RunSpec

#: The thread's activation, and LeNet's own.
ACTIVATIONS = ("sigmoid", "tanh")

#: The two that most exercises compare; the names are those of `figures.METHOD_COLOURS`.
METHODS = ("neither", "batch norm")

#: Learning rates from hopeless to hopeless, half a decade apart.
RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)

#: Factors on the initial weights of the hidden layers.
SCALES = (0.1, 0.3, 1.0, 3.0, 10.0)

#: What a variant's moving averages are called when they take so much of each new batch.
MOMENTA = (0.01, 0.5)

DROPOUT = 0.5


def group(*parts: str) -> str:
    """The name of a group of runs.

    >>> group("rates", "tanh", "batch norm")
    'rates, tanh, batch norm'
    """
    return ", ".join(parts)


def methods(base: RunSpec) -> Variants:
    """`base` without and with batch norm in its hidden layers."""
    return {"neither": base, "batch norm": base.with_(norm="batch")}


def textbook(base: RunSpec, lower_lr: float) -> Variants:
    """The thread's comparison: both methods at one rate, and the network without batch norm at a
    lower one, too.
    """
    return {**methods(base), "neither, lower rate": base.with_(lr=lower_lr)}


def rates(spec: RunSpec, values: Sequence[float] = RATES) -> Variants:
    """A run at each learning rate, named by it."""
    return {f"{rate:g}": spec.with_(lr=rate) for rate in values}


def scales(spec: RunSpec, values: Sequence[float] = SCALES) -> Variants:
    """A run from initial weights times each factor, named by it."""
    return {f"{scale:g}": spec.with_(initial_scale=scale) for scale in values}


def biases(base: RunSpec) -> Variants:
    """Batch norm behind layers that keep their biases, and behind layers that have none."""
    normed = base.with_(norm="batch")
    return {"with bias": normed, "without bias": normed.with_(bias_before_norm=False)}


def subsets(base: RunSpec) -> Variants:
    """Batch norm in every subset of the hidden layers, named by its layers.

    >>> list(subsets(RunSpec()))[:3], len(subsets(RunSpec()))
    (['none', 'conv1', 'conv2'], 16)
    """
    layers = layer_names(base.network)
    chosen = [subset for size in range(1, len(layers) + 1) for subset in combinations(layers, size)]
    return {
        "none": base,
        **{" + ".join(some): base.with_(norm="batch", norm_layers=some) for some in chosen},
    }


def regularized(base: RunSpec, epochs: int) -> Variants:
    """Neither, batch norm, dropout in the hidden layers, and both, for so many epochs."""
    variants = {**methods(base), "dropout": base.with_(dropout=DROPOUT)}
    return each({**variants, "both": base.with_(norm="batch", dropout=DROPOUT)}, epochs=epochs)


def orders(base: RunSpec) -> Variants:
    """Batch norm and dropout in every order with the activation, after each hidden layer."""
    both = base.with_(norm="batch", dropout=DROPOUT)
    return {name: both.with_(order=name) for name in map("-".join, permutations(STEPS))}


def frozen(base: RunSpec) -> Variants:
    """Batch norm with parts of it held still: what it learns, or what it averages."""
    normed = base.with_(norm="batch")
    return {
        "batch norm": normed,
        "γ and β held at 1 and 0": base.with_(norm="batch-unlearned"),
        "averages held at 0 and 1": normed.with_(norm_momentum=0.0),
        "statistics held after 100 steps": base.with_(norm="batch-frozen-statistics"),
    }


def options(base: RunSpec) -> Variants:
    """What else a framework's batch norm lets one set."""
    normed = base.with_(norm="batch")
    slow_and_fast = {f"momentum {value:g}": normed.with_(norm_momentum=value) for value in MOMENTA}
    return {
        "batch norm": normed,
        **slow_and_fast,
        "no tracking": base.with_(norm="batch-no-tracking"),
    }


def ideas(base: RunSpec) -> Variants:
    """The thread's research ideas beside batch norm, and batch norm written from its formula."""
    named = {
        "from the formula": "formula-batch",
        "integral transform": "pit",
        "whitening": "whitening",
    }
    return {**methods(base), **{name: base.with_(norm=norm) for name, norm in named.items()}}


def small_groups(base: RunSpec, lower_lr: float, seeds: int, long_epochs: int) -> Groups:
    """All exercises but the textbook's comparison; `base` has no norm, its activation is set here.

    The sigmoid, whose slopes are small, has the base's learning rate; tanh has the lower one.
    """
    first = base.with_(activation="sigmoid")
    by_activation = {"sigmoid": first, "tanh": base.with_(activation="tanh", lr=lower_lr)}
    groups: dict[str, Variants] = {
        "biases": biases(first),
        "orders": orders(first),
        "frozen": frozen(first),
        "options": options(first),
        "ideas": ideas(first),
    }
    for activation, spec in by_activation.items():
        groups[group("subsets", activation)] = subsets(spec)
        groups[group("regularized", activation)] = regularized(spec, long_epochs)
        for method, variant in methods(spec).items():
            groups[group("rates", activation, method)] = rates(variant)
            groups[group("scales", activation, method)] = scales(variant)
    return {name: (variants, seeds) for name, variants in groups.items()}


def textbook_groups(base: RunSpec, lower_lr: float, seeds: int) -> Groups:
    """The textbook's setting with each activation."""
    return {
        group("textbook", activation): (
            textbook(base.with_(activation=activation), lower_lr),
            seeds,
        )
        for activation in ACTIVATIONS
    }


def count(groups: Groups) -> int:
    """Trainings that the groups ask for; one that several groups share counts once."""
    return len(
        {
            spec.with_(seed=seed)
            for variants, n in groups.values()
            for spec in variants.values()
            for seed in range(n)
        }
    )
