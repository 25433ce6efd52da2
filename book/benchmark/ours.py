"""convbook's bare rates: the steps of its training in this process, with the threads it has."""

import statistics
import time
from collections.abc import Iterable

import torch
from torch import Tensor

from book.benchmark.asked import lenet
from book.benchmark.contest import GOOGLENET_BATCH, LR, Measured, Sizes, Trainer, timed
from book.report.methods import BATCH_NORM
from models.data.loading import load
from models.networks.build import count_parameters
from models.runs.making import keep_freed_memory, keep_threads
from models.specs import RunSpec
from models.training.loop import Training
from models.training.precision import multiplies_fast
from models.training.randomness import reproducible


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
    """Measure FLOP/s of a product of square matrices with all threads, as training has it done.

    2 n³ FLOPs each; the median of many.
    """
    side, rates = sizes.matrix_side, {}
    half = torch.bfloat16 if multiplies_fast("cpu") else torch.float32
    for kind, dtype in (("fp32", torch.float32), ("bf16", half)):
        left, right = (torch.randn(side, side).to(dtype) for _ in range(2))
        product = left @ right  # the first one is slower: it lays out memory
        seconds: list[float] = []
        while sum(seconds) < sizes.rate_seconds:
            started = time.perf_counter()
            torch.matmul(left, right, out=product)
            seconds.append(time.perf_counter() - started)
        rates[kind] = 2 * side**3 / statistics.median(seconds)
    return rates
