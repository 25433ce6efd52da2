"""What a benchmark's contenders are asked to do: the same for ours and for its peers.

No torch, no TensorFlow here.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from book.report.methods import BATCH_NORM, BATCH_NORM_INPUT, BOTH, DROPOUT

Measured = dict[str, Any]  # what a contender says: value, parameters, accuracies, …

LR = 0.1  # of plain stochastic gradient descent, everywhere
LENET_BATCH = 128
GOOGLENET_BATCH = 64
WARM_UP = 5  # batches before anything is measured: memory is laid out, graphs are compiled

TORCHVISION = {"mnist": "MNIST", "mnist5k": "MNIST", "fashion-mnist": "FashionMNIST"}
"""The folders of torchvision's layout, in which every contender finds the same files."""

VARIANTS: dict[str, dict[str, Any]] = {
    BATCH_NORM: {"norm": True, "input_norm": False, "dropout": 0.0, "input_dropout": 0.0},
    BATCH_NORM_INPUT: {"norm": True, "input_norm": True, "dropout": 0.0, "input_dropout": 0.0},
    DROPOUT: {"norm": False, "input_norm": False, "dropout": 0.5, "input_dropout": 0.2},
    BOTH: {"norm": True, "input_norm": True, "dropout": 0.5, "input_dropout": 0.2},
}
"""The experiment's four LeNets; without batch norm on the input, the input is standardised."""


@dataclass(frozen=True)
class Sizes:
    """How much work a benchmark is.

    `lenet_data` and `googlenet_data` are data sets; an experiment has `seeds` trainings of `epochs`
    of each variant; a training's rate is measured for `train_seconds`, under load for
    `load_seconds`; matrices have `matrix_side` rows and columns, and their rate is measured for
    `rate_seconds`, an effect for `effect_seconds`; `compiled` is whether to try torch.compile.
    """

    lenet_data: str = "mnist"
    googlenet_data: str = "fashion-mnist"
    seeds: int = 1
    epochs: int = 2
    train_seconds: float = 3.0
    load_seconds: float = 2.0
    matrix_side: int = 2048
    rate_seconds: float = 1.0
    effect_seconds: float = 2.0
    compiled: bool = True


QUICK = Sizes("mnist5k", "mnist5k", 1, 1, 0.3, 0.3, 256, 0.1, 0.5, compiled=False)

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Trainer:
    """A training that is warmed up.

    `rate` trains for so many seconds, a batch at least, and returns examples a second.
    """

    rate: Callable[[float], float]
    parameters: int


def timed(
    train: Callable[[Iterable[Batch]], int], batches: Iterable[Batch]
) -> Callable[[float], float]:
    """Return the `rate` of what trains on batches, again and again, and counts its examples.

    A few batches warm it up.

    >>> timed(lambda batches: sum(map(len, batches)), ["ab", "cd"])(0.01) > 0
    True
    """

    def rate(seconds: float) -> float:
        started = time.perf_counter()
        examples = train(until(started + seconds, batches))
        return examples / (time.perf_counter() - started)

    train(islice(until(float("inf"), batches), WARM_UP))
    return rate


def until(end: float, batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches, from the first on again after the last, until the clock shows `end`.

    >>> list(until(0.0, "ab"))
    ['a']
    """
    while True:
        for batch in batches:
            yield batch
            if time.perf_counter() >= end:
                return
