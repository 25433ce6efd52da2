"""The experiments of the chapter on exercises: for each one, the LeNet-5 variants that answer it.

Each function takes a spec and gives specs by name; nothing here trains
(`book.report.experiments.ask_groups` does).
"""

from collections.abc import Sequence
from itertools import combinations

from book.regularization.variants import in_every_order
from book.report.experiments import Groups, Variants, each
from book.report.methods import BATCH_NORM, BOTH, DROPOUT, NEITHER, NEITHER_LOWER_RATE
from models.networks.architectures import layer_names
from models.specs import RunSpec

#: The thread's activation, and LeNet's own.
ACTIVATIONS = ("sigmoid", "tanh")

#: The two methods that most exercises compare.
COMPARED = (NEITHER, BATCH_NORM)

#: Learning rates from hopeless to hopeless, half a decade apart.
RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)

#: Factors on the initial weights of the hidden layers.
SCALES = (0.1, 0.3, 1.0, 3.0, 10.0)

#: Shares of each new batch in the moving averages, beside the usual one.
MOMENTA = (0.01, 0.5)

DROPOUT_RATE = 0.5


def group(*parts: str) -> str:
    """Return the name of a group of runs.

    >>> group("rates", "tanh", "batch norm")
    'rates, tanh, batch norm'
    """
    return ", ".join(parts)


def methods(base: RunSpec) -> Variants:
    """Return `base` without and with batch norm in its hidden layers."""
    return {NEITHER: base, BATCH_NORM: base.with_(norm="batch")}


def textbook(base: RunSpec, lower_lr: float) -> Variants:
    """Return the thread's comparison: both methods at one rate, and one at a lower rate, too.

    That one is the network without batch norm.
    """
    return {**methods(base), NEITHER_LOWER_RATE: base.with_(lr=lower_lr)}


def rates(spec: RunSpec, values: Sequence[float] = RATES) -> Variants:
    """Return a run at each learning rate, named by it."""
    return {f"{rate:g}": spec.with_(lr=rate) for rate in values}


def scales(spec: RunSpec, values: Sequence[float] = SCALES) -> Variants:
    """Return a run from initial weights times each factor, named by it."""
    return {f"{scale:g}": spec.with_(initial_scale=scale) for scale in values}


def biases(base: RunSpec) -> Variants:
    """Return batch norm behind layers that keep their biases, and behind layers that have none."""
    normed = base.with_(norm="batch")
    return {"with bias": normed, "without bias": normed.with_(bias_before_norm=False)}


def subsets(base: RunSpec) -> Variants:
    """Return batch norm in every subset of the hidden layers, named by its layers.

    >>> list(subsets(RunSpec()))[:3], len(subsets(RunSpec()))
    (['none', 'conv1', 'conv2'], 16)
    """
    layers = layer_names(base.network)
    chosen = [subset for size in range(1, len(layers)) for subset in combinations(layers, size)]
    return {
        "none": base,
        **{" + ".join(some): base.with_(norm="batch", norm_layers=some) for some in chosen},
        " + ".join(layers): base.with_(norm="batch"),
    }


def regularized(base: RunSpec, epochs: int) -> Variants:
    """Return neither, batch norm, dropout in the hidden layers, and both, for so many epochs."""
    dropped = base.with_(dropout=DROPOUT_RATE)
    variants = {**methods(base), DROPOUT: dropped, BOTH: dropped.with_(norm="batch")}
    return each(variants, epochs=epochs)


def orders(base: RunSpec) -> Variants:
    """Return batch norm and dropout in every order with the activation, after each hidden layer."""
    return in_every_order(base.with_(norm="batch", dropout=DROPOUT_RATE))


def frozen(base: RunSpec) -> Variants:
    """Return batch norm with parts of it held still: what it learns, or what it averages."""
    normed = base.with_(norm="batch")
    return {
        BATCH_NORM: normed,
        "γ and β held at 1 and 0": base.with_(norm="batch-unlearned"),
        "averages held at 0 and 1": normed.with_(norm_momentum=0.0),
        "statistics held after 100 steps": base.with_(norm="batch-frozen-statistics"),
    }


def options(base: RunSpec) -> Variants:
    """Return what else a framework's batch norm lets one set."""
    normed = base.with_(norm="batch")
    slow_and_fast = {f"momentum {value:g}": normed.with_(norm_momentum=value) for value in MOMENTA}
    return {
        BATCH_NORM: normed,
        **slow_and_fast,
        "no tracking": base.with_(norm="batch-no-tracking"),
    }


def ideas(base: RunSpec) -> Variants:
    """Return the thread's research ideas beside batch norm, and batch norm from its formula."""
    norms = {
        "from the formula": "formula-batch",
        "integral transform": "pit",
        "whitening": "whitening",
    }
    return {**methods(base), **{name: base.with_(norm=norm) for name, norm in norms.items()}}


def small_groups(base: RunSpec, lower_lr: float, seeds: int, long_epochs: int) -> Groups:
    """Return all exercises but the textbook's comparison; their rates fall.

    `base` has no norm; its activation is set here. The sigmoid, whose slopes are small, has the
    base's learning rate; tanh has the lower one. That on dropout takes `long_epochs`.
    """
    by_activation = activations(base.with_(schedule="cosine"), lower_lr)
    first = by_activation["sigmoid"]
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


def activations(base: RunSpec, lower_lr: float) -> Variants:
    """Return `base` with each activation, at the rate that suits it."""
    sigmoid, tanh = ACTIVATIONS
    return {
        sigmoid: base.with_(activation=sigmoid),
        tanh: base.with_(activation=tanh, lr=lower_lr),
    }


def textbook_groups(base: RunSpec, lower_lr: float, seeds: int) -> Groups:
    """Return the textbook's setting with each activation."""
    settings = {activation: base.with_(activation=activation) for activation in ACTIVATIONS}
    return {
        group("textbook", activation): (textbook(spec, lower_lr), seeds)
        for activation, spec in settings.items()
    }


def count(groups: Groups) -> int:
    """Count the trainings that the groups ask for; one that several share counts once."""
    runs = {
        spec.with_(seed=seed)
        for variants, seeds in groups.values()
        for spec in variants.values()
        for seed in range(seeds)
    }
    return len(runs)
