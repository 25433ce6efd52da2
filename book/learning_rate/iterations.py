"""What a run did inside its epochs: every iteration's learning rate, and stretches' losses."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import exp, fsum, log

from book.report.experiments import or_nan, training_images
from models.rates import every_rate, iterations_per_epoch
from models.records import Epoch, Record
from models.specs import RunSpec


@dataclass(frozen=True)
class Stretch:
    """Iterations `first` to `end` (not included) of a run, counted from 0 through all its epochs.

    `rate` is the geometric mean of their learning rates, `loss` their mean training loss in nats
    (not a number where it is none), `accuracy` their training accuracy from 0 to 1; both are
    running ones, in training mode.
    """

    first: int
    end: int
    rate: float
    loss: float
    accuracy: float


def per_epoch(spec: RunSpec, examples: int) -> int:
    """Return the iterations of an epoch over so many images, while the batch is the spec's own."""
    return iterations_per_epoch(examples * spec.passes, min(spec.batch_size, examples))


def learning_rates(spec: RunSpec, examples: int) -> list[float]:
    """Return the learning rate of every iteration of a run on so many training images.

    A run whose batch grows has fewer iterations than there are rates here, which are all the same
    then.
    """
    return every_rate(spec, per_epoch(spec, examples))


def kept_every(spec: RunSpec, points: int) -> int:
    """Return how many iterations share one kept loss, so that a run keeps about so many points."""
    return max(1, round(spec.epochs * training_images(spec) / spec.batch_size / points))


def updates(record: Record) -> list[int]:
    """Return how many iterations a run had made at the end of each epoch."""
    return list(accumulate(record.curve("iterations")))


def stretches(record: Record) -> list[Stretch]:
    """Return the losses that a run kept between its epochs' ends, in order.

    Raises:
        ValueError: The run kept none: its spec has no `loss_every`.
    """
    every = record.spec.loss_every
    if every is None:
        raise ValueError(
            f"the run {record.key} kept no losses within its epochs; its spec needs loss_every"
        )
    rates = learning_rates(record.spec, record.diagnostics["train_examples"])
    starts = [
        end - epoch.iterations for end, epoch in zip(updates(record), record.history, strict=True)
    ]
    return [
        stretch
        for start, epoch in zip(starts, record.history, strict=True)
        for stretch in _of_epoch(epoch, start, every, rates)
    ]


def _of_epoch(epoch: Epoch, start: int, every: int, rates: list[float]) -> Iterator[Stretch]:
    losses, accuracies = epoch.losses or [], epoch.accuracies or []
    for number, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True)):
        first = start + number * every
        end = min(first + every, start + epoch.iterations)
        rate = exp(fsum(map(log, rates[first:end])) / (end - first))
        yield Stretch(first, end, rate, or_nan(loss), or_nan(accuracy))
