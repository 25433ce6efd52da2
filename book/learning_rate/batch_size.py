"""What growing the batch did beside lowering the rate: noise scales, updates, and the table of
both, epoch by epoch.
"""

from collections.abc import Sequence

from book.learning_rate.iterations import updates
from book.learning_rate.range_test import examples
from book.report.experiments import Results
from models.records import Record
from models.specs import RunSpec

PAIR = GROWING, SHRINKING = "growing batch", "shrinking rate"


def noise_scales(record: Record) -> list[float]:
    """The noise scale ε N / (B (1 − m)) in each epoch, of its last step (Smith et al. 2018, section
    3, for B ≪ N).

    ε is the learning rate, N the training images, B the batch and m the momentum.
    """
    per_image = record.diagnostics["train_examples"] / (1 - record.spec.momentum)
    return [epoch.lr * per_image / epoch.batch_size for epoch in record.history]


def rows(results: Results) -> list[list[object]]:
    """A row an epoch: the growing batch and its updates, the shrinking rate and its updates, both
    noise scales.
    """
    growing, shrinking = results[GROWING][0], results[SHRINKING][0]
    noises = zip(
        noise_scales(growing), noise_scales(shrinking), strict=False
    )  # one may have diverged
    return [
        [
            one.epoch,
            one.batch_size,
            one.iterations,
            f"{other.lr:.2g}",
            other.iterations,
            *(f"{g:.3g}" for g in noise),
        ]
        for one, other, noise in zip(growing.history, shrinking.history, noises, strict=False)
    ]


def total(records: Sequence[Record]) -> int:
    """Updates of a whole run; the seeds of one that did not diverge all have as many."""
    return max(updates(record)[-1] for record in records)


def reach_text(spec: RunSpec, asked: int) -> str:
    """How far the batch really grows, as a sentence without its full stop."""
    largest, images = spec.max_batch_size or asked, examples(spec)
    if largest == asked:
        return f"The batch grows up to {largest:,} images"
    limit = f"the {images:,} training images" if images < asked else f"{asked:,}"
    return f"The batch grows up to {largest:,} images and the rate falls as often, for twice as many exceed {limit}"


def ghosts_text(spec: RunSpec) -> str:
    """What the accumulation of gradients means in this run, as a sentence without its full stop."""
    micro, largest = spec.micro_batch or spec.batch_size, spec.max_batch_size or spec.batch_size
    if largest <= micro:
        return f"here no batch is larger than {micro:,}, so that nothing is accumulated"
    return f"here batches of more than {micro:,} images are accumulated, up to {-(-largest // micro)} parts a batch"
