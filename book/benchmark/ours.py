"""convbook's own part in a benchmark: used as its chapters use it, and at its bare rate."""

import statistics
import time
from collections.abc import Iterable

import torch
from torch import Tensor

from book.benchmark.contest import (
    GOOGLENET_BATCH,
    LENET_BATCH,
    LR,
    VARIANTS,
    Measured,
    Sizes,
    Trainer,
    timed,
)
from book.report.methods import BATCH_NORM
from models.data.loading import load
from models.networks.build import count_parameters
from models.runs.making import keep_freed_memory, keep_threads
from models.specs import RunSpec
from models.sweeps import sweep
from models.sweeps.cores import available_cores
from models.training.loop import Training
from models.training.randomness import reproducible


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


def googlenet(sizes: Sizes) -> RunSpec:
    """Return MiniGoogLeNet in bf16, as a run."""
    return RunSpec(
        network="minigooglenet",
        dataset=sizes.googlenet_data,
        norm="batch",
        dropout=0.5,
        batch_size=GOOGLENET_BATCH,
        lr=LR,
        precision="bf16",
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
    training = trainer("minigooglenet", sizes)
    before = matrix_rates(sizes)
    rate = training.rate(sizes.train_seconds)
    after = matrix_rates(sizes)
    return {
        "value": rate,
        "rates": {kind: (before[kind] + after[kind]) / 2 for kind in before},
        "parameters": {"minigooglenet": training.parameters},
    }


def trainer(network: str, sizes: Sizes) -> Trainer:
    """Return the steps of a training in this process, warmed up."""
    keep_freed_memory()
    spec = lenet(sizes, BATCH_NORM, epochs=1) if network == "lenet5" else googlenet(sizes)
    keep_threads(spec.precision)
    training = Training(spec, load(spec.dataset))
    images, labels = training.train.images, training.train.labels

    def train(batches: Iterable[Tensor]) -> int:
        seen = 0
        training.network.train()
        with reproducible(seed=0, device=training.device):
            for chosen in batches:  # (B,)
                training.step(images[chosen], labels[chosen])
                seen += len(chosen)
        return seen

    batches = torch.randperm(len(images)).split(spec.batch_size)[:-1]
    return Trainer(timed(train, batches), count_parameters(training.network).total)


def matrix_rates(sizes: Sizes) -> dict[str, float]:
    """Measure FLOP/s of a product of square matrices with all threads.

    2 n³ FLOPs each; the median of many.
    """
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
