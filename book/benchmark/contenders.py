"""One contender of a benchmark in a process of its own.

`python -m book.benchmark.contenders MEASUREMENT CONTENDER SIZES`, the sizes
(`book.benchmark.contest.Sizes`) in JSON.

It says what it measured as the last line on stdout, in JSON. Each imports only what it needs, for
its imports count.
"""

import json
import sys
from collections.abc import Callable

from book.benchmark import cold_start, trainers, under_load
from book.benchmark.contest import LR, VARIANTS, Measured, Sizes
from book.benchmark.under_load import Crew

Contender = Callable[[Sizes], Measured]


def asked(work: str) -> Contender:
    """Return what convbook does when a chapter asks: a function of `book.benchmark.asked`."""

    def measure(sizes: Sizes) -> Measured:
        from book.benchmark import asked

        measured: Measured = getattr(asked, work)(sizes)
        return measured

    return measure


def minigooglenet(sizes: Sizes) -> Measured:
    """Measure our own training of MiniGoogLeNet."""
    from book.benchmark import ours

    return ours.minigooglenet(sizes)


def effects(sizes: Sizes) -> Measured:
    """Measure what each of our measures for speed brings."""
    from book.benchmark import effects

    return effects.measure(sizes)


def training(name: str, network: str) -> Contender:
    """Return a contender that trains a network, and nothing else."""
    return lambda sizes: trainers.training(name, network, sizes)


def keras_experiment(form: str) -> Contender:
    """Return a contender that trains every variant with every seed, with Keras."""

    def measure(sizes: Sizes) -> Measured:
        from book.benchmark import keras_peer

        work = (sizes.lenet_data, VARIANTS, sizes.seeds, sizes.epochs, LR)
        return keras_peer.experiment(*work, keras_peer.FORMS[form])

    return measure


def loaded(crew: Crew) -> Contender:
    """Return a contender whose trainings go on beside busy processes."""
    return lambda sizes: under_load.measure(crew, sizes)


LENET_PEERS = ("tutorial", "tutorial, compiled", "keras", "keras, joined", "keras, jit")
GOOGLENET_PEERS = ("tutorial", "tutorial, compiled", "keras", "keras, bf16", "keras, bf16 jit")

CONTENDERS: dict[str, dict[str, Contender]] = {
    "experiment": {
        "convbook": asked("experiment"),
        "keras": keras_experiment("keras"),
        "keras, joined": keras_experiment("keras, joined"),
    },
    "lenet5": {
        "convbook": asked("side_by_side"),
        "convbook, one process": asked("one_process"),
        **{name: training(name, "lenet5") for name in (*LENET_PEERS, "keras, bf16", "jax")},
    },
    "minigooglenet": {
        "convbook": minigooglenet,
        **{name: training(name, "minigooglenet") for name in (*GOOGLENET_PEERS, "jax")},
    },
    "load": {name: loaded(crew) for name, crew in under_load.CREWS.items()},
    "start": {"convbook": cold_start.measure},
    "effects": {"convbook": effects},
}
"""What measures what: a measurement's contenders by name."""


if __name__ == "__main__":
    measurement, contender, sizes = sys.argv[1:]
    measured = CONTENDERS[measurement][contender](Sizes(**json.loads(sizes)))
    print(json.dumps(measured, allow_nan=False))
