"""One contender of a benchmark in a process of its own.

`python -m book.benchmark.contenders MEASUREMENT CONTENDER SIZES`, the sizes
(`book.benchmark.contest.Sizes`) in JSON.

It says what it measured as the last line on stdout, in JSON. Each imports only what it needs, for
its imports count.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from book.benchmark.contest import GOOGLENET_BATCH, LENET_BATCH, LR, VARIANTS, Measured, Sizes
from book.report.methods import BATCH_NORM
from models.specs import RunSpec
from models.sweeps import sweep
from models.sweeps.cores import available_cores

if TYPE_CHECKING:
    from models.training.loop import Training

WARM_UP = 5  # batches


def lenet(sizes: Sizes, variant: str, epochs: int) -> RunSpec:
    """Return one of the experiment's networks, as a run."""
    choices = VARIANTS[variant]
    return RunSpec(
        network="lenet5",
        dataset=sizes.lenet_data,
        norm="batch" if choices["norm"] else "none",
        input_norm="batch" if choices["input_norm"] else "standard",
        dropout=choices["dropout"],
        input_dropout=choices["input_dropout"],
        epochs=epochs,
        batch_size=LENET_BATCH,
        lr=LR,
    )


def experiment(sizes: Sizes) -> Measured:
    """Train every variant with every seed, asked for together as a chapter asks."""
    specs = {name: lenet(sizes, name, sizes.epochs) for name in VARIANTS}
    records = sweep.ask(
        [spec.with_(seed=seed) for spec in specs.values() for seed in range(sizes.seeds)]
    )
    counts = [record.diagnostics["parameter_count"] for record in records[:: sizes.seeds]]
    return {
        "accuracies": [record.final.test_accuracy for record in records],
        "parameters": dict(zip(specs, counts, strict=True)),
    }


def side_by_side(sizes: Sizes, processes: int | None = None) -> Measured:
    """Train LeNet-5 with batch norm in so many processes at once (by default one a core).

    The value is examples a second of all, in epoch 2.
    """
    spec = lenet(sizes, BATCH_NORM, epochs=2)
    count = processes or available_cores()
    records = sweep.ask([spec.with_(seed=seed) for seed in range(count)])
    rates = [r.diagnostics["train_examples"] / r.provenance.epoch_seconds[-1] for r in records]
    return {
        "value": sum(rates),
        "parameters": {"lenet5": records[0].diagnostics["parameter_count"]},
    }


def one_process(sizes: Sizes) -> Measured:
    """Train the same in a single process with all its threads."""
    return side_by_side(sizes, processes=1)


def minigooglenet(sizes: Sizes) -> Measured:
    """Train MiniGoogLeNet in bf16 with all threads.

    The machine's own matrix-product rate is measured right before and after.
    """
    from models.data.loading import load
    from models.networks.build import count_parameters
    from models.runs.making import keep_freed_memory
    from models.training.loop import Training

    keep_freed_memory()
    spec = googlenet(sizes)
    training = Training(spec, load(spec.dataset))
    before = matrix_rates(sizes)
    seconds = _epoch_seconds(training, spec.batch_size)
    after = matrix_rates(sizes)
    return {
        "value": len(training.train) / seconds,
        "rates": {kind: (before[kind] + after[kind]) / 2 for kind in before},
        "parameters": {"minigooglenet": count_parameters(training.network).total},
    }


def googlenet(sizes: Sizes) -> RunSpec:
    """Return the run whose epoch is timed."""
    return RunSpec(
        network="minigooglenet",
        dataset=sizes.googlenet_data,
        train_size=sizes.googlenet_examples,
        norm="batch",
        dropout=0.5,
        batch_size=GOOGLENET_BATCH,
        lr=LR,
        precision="bf16",
    )


def _epoch_seconds(training: "Training", batch_size: int) -> float:
    """Time the steps of one epoch, after a few to warm up."""
    import torch

    from models.training.randomness import reproducible

    training.network.train()
    with reproducible(seed=0, device=training.device) as generator:
        batches = torch.randperm(len(training.train), generator=generator).split(batch_size)
        for chosen in batches[:WARM_UP]:
            training.step(training.train.images[chosen], training.train.labels[chosen])
        started = time.perf_counter()
        for chosen in batches:
            training.step(training.train.images[chosen], training.train.labels[chosen])
        return time.perf_counter() - started


def matrix_rates(sizes: Sizes) -> dict[str, float]:
    """Measure FLOP/s of a product of square matrices with all threads.

    2 n³ FLOPs each; the median of many.
    """
    import torch

    side, rates = sizes.matrix_side, {}
    for kind, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        left, right = (torch.randn(side, side).to(dtype) for _ in range(2))
        product = left @ right  # the first one is slower: it lays out memory
        seconds: list[float] = []
        while sum(seconds) < sizes.rate_seconds:
            started = time.perf_counter()
            torch.matmul(left, right, out=product)
            seconds.append(time.perf_counter() - started)
        rates[kind] = 2 * side**3 / statistics.median(seconds)
    return rates


def tutorial(sizes: Sizes, network: str) -> Measured:
    """Train as the tutorial does."""
    from book.benchmark import tutorial

    return tutorial.measure(network, *_work(sizes, network), LR)


def keras(sizes: Sizes, network: str, policy: str = "float32") -> Measured:
    """Train with Keras."""
    from book.benchmark import keras_peer

    return keras_peer.measure(network, *_work(sizes, network), LR, policy)


def keras_experiment(sizes: Sizes) -> Measured:
    """Train every variant with every seed, with Keras."""
    from book.benchmark import keras_peer

    return keras_peer.experiment(sizes.lenet_data, VARIANTS, sizes.seeds, sizes.epochs, LR)


def _work(sizes: Sizes, network: str) -> tuple[str, int, int | None]:
    """Return data set, batch size and number of training images (None is all)."""
    if network == "lenet5":
        return sizes.lenet_data, LENET_BATCH, None
    return sizes.googlenet_data, GOOGLENET_BATCH, sizes.googlenet_examples


def effects(sizes: Sizes) -> Measured:
    """Measure what each of our measures for speed brings."""
    from book.benchmark import effects

    return effects.measure(sizes)


CONTENDERS: dict[str, dict[str, Callable[[Sizes], Measured]]] = {
    "experiment": {"convbook": experiment, "keras": keras_experiment},
    "lenet5": {
        "convbook": side_by_side,
        "convbook, one process": one_process,
        "tutorial": lambda sizes: tutorial(sizes, "lenet5"),
        "keras": lambda sizes: keras(sizes, "lenet5"),
    },
    "minigooglenet": {
        "convbook": minigooglenet,
        "tutorial": lambda sizes: tutorial(sizes, "minigooglenet"),
        "keras": lambda sizes: keras(sizes, "minigooglenet"),
        "keras, bf16": lambda sizes: keras(sizes, "minigooglenet", "mixed_bfloat16"),
    },
    "effects": {"convbook": effects},
}


if __name__ == "__main__":
    measurement, contender, sizes = sys.argv[1:]
    measured = CONTENDERS[measurement][contender](Sizes(**json.loads(sizes)))
    print(json.dumps(measured, allow_nan=False))
