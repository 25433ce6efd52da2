"""The training loop: the one place where weights change.

The images stay uint8 in memory; a batch is picked from a random permutation, put on the scale 0..1,
and used. Every epoch starts its random numbers anew from (seed, epoch), so a run that resumes after
any finished epoch goes on exactly as if it had never stopped: only weights, optimizer and schedule
need to be carried over. Long epochs offer snapshots in between, with the random states in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from models.data.loading import Dataset
from models.networks.build import build
from models.progress import Progress, Silent
from models.records import Epoch, strict
from models.specs import RunSpec
from models.training.augmentation import augment
from models.training.batches import (
    Examples,
    batches,
    iterations_per_epoch,
    shuffled,
    slices,
    split,
)
from models.training.curves import NO_MARKS, NO_TOTALS, RunningSums
from models.training.optimizers import make_optimizer
from models.training.precision import computing
from models.training.randomness import (
    random_seed,
    random_states,
    reproducible,
    restore_random_states,
)
from models.training.schedules import batch_size_at, batch_sizes, make_schedule
from models.training.stopwatch import Stopwatch

EVALUATION_BATCH = 500  # examples; measures only, so its size changes nothing but rounding
CHECK_EVERY = 50  # iterations between two checks that the loss is still a number
LOST = 100.0  # an epoch whose mean loss exceeds this many times that of guessing has diverged

#: Networks so narrow that channels last in memory is slower.
CONTIGUOUS = ("lenet5", "lenet-stride1")


@dataclass(frozen=True)
class Evaluation:
    """A network in eval mode: mean cross-entropy (nats), accuracy, confusion[truth][answer]."""

    loss: float
    accuracy: float
    confusion: list[list[int]]


@dataclass(frozen=True)
class Midway:
    """Where an unfinished epoch stands: examples done, its first iteration, seconds so far."""

    done: int
    first: int
    seconds: float
    totals: Tensor  # (2,) float64: sum of losses, right answers
    random: dict[str, Tensor]  # uint8 states by name, see `models.training.randomness`
    marks: Tensor  # (n, 3) float64: see `models.training.curves.RunningSums`


@dataclass
class OpenEpoch:
    """An epoch while it goes on."""

    number: int
    examples: int  # in all
    order: Tensor  # (N,): those that are left, as they come
    first: int  # iteration
    sums: RunningSums
    stopwatch: Stopwatch
    saved: float  # seconds on the stopwatch at the last snapshot


class Probe(Protocol):
    """Measures a training while it goes on, and leaves no trace in it."""

    def before_step(self, X: Tensor, y: Tensor) -> None:
        """Measure before the network learns from a batch, uint8 (B, C, H, W) and int64 (B,)."""

    def after_epoch(self) -> dict[str, Any]:
        """Return what was measured since the last epoch, for the history of this one."""


class Training:
    """One training in progress: network, optimizer, schedule and the history so far.

    `epochs()` trains; between two epochs everything may be read. Inside long epochs `snapshot` is
    called every `snapshot_seconds`, and `midway` then says where the epoch stands; what a probe
    holds is not in it.

    Raises:
        models.data.loading.DataError: The spec's sizes do not fit the data set.
    """

    def __init__(
        self,
        spec: RunSpec,
        dataset: Dataset,
        device: torch.device | str = "cpu",
        progress: Progress | None = None,
    ) -> None:
        self.spec, self.device, self.progress = spec, torch.device(device), progress or Silent()
        self.classes = len(dataset.classes)
        self.train, self.validation, self.test = split(dataset, spec, self.device)
        with reproducible(random_seed(spec.seed, epoch=0), self.device):
            self.network = build(spec).to(self.device).to(memory_format=memory_format(spec))
        self.optimizer = make_optimizer(spec, self.network)
        size = min(spec.batch_size, len(self.train))
        self.schedule = make_schedule(
            spec, self.optimizer, iterations_per_epoch(len(self.train) * spec.passes, size)
        )
        self.history: list[Epoch] = []
        self.epoch_seconds: list[float] = []
        self.iteration = 0
        self.diverged = False
        self.tested: Evaluation | None = None  # on the test set, after the latest epoch
        self.probe: Probe | None = None
        self.midway: Midway | None = None
        self.snapshot: Callable[[], object] = lambda: None
        self.snapshot_seconds = math.inf

    def epochs(self) -> Iterator[Epoch]:
        """Train, and yield each epoch as it ends; stop early when the training has diverged."""
        while len(self.history) < self.spec.epochs and not self.diverged:
            number = len(self.history) + 1
            # the generator draws order and augmentation; dropout and noise draw from torch's own
            with reproducible(random_seed(self.spec.seed, number), self.device) as generator:
                trained = self._train_epoch(number, generator)
                held_out = self._evaluate_held_out()
                probed = {"probes": self.probe.after_epoch()} if self.probe else {}
            epoch = Epoch(**strict({"epoch": number, **trained, **held_out, **probed}))
            self.history.append(epoch)
            self.progress.epoch(epoch)
            yield epoch

    def _train_epoch(self, number: int, generator: torch.Generator) -> dict[str, Any]:
        """Train one epoch; return what its history says of the training set."""
        self.network.train()
        epoch, lr = self._open_epoch(number, generator), math.nan
        sizes = batch_sizes(self.spec, number, self.iteration, len(self.train))
        for X, y in batches(self.train, epoch.order, sizes):  # (B, C, H, W), (B,)
            X = augment(X, self.spec.augmentation, generator)
            self._probe(X, y, epoch.stopwatch)
            lr = self.lr  # of this step: the schedule moves on in it
            epoch.sums.add(self.step(X, y), len(y))
            self.iteration += 1
            self.progress.batch(number, epoch.sums.examples, epoch.examples)
            if self.iteration % CHECK_EVERY == 0 and not epoch.sums.are_finite:
                break  # lost: closing the epoch says so
            self._save_if_due(epoch, generator)
        return self._close_epoch(epoch, lr)

    def _open_epoch(self, number: int, generator: torch.Generator) -> OpenEpoch:
        """Shuffle the examples, and go to where a snapshot was taken or else to the start."""
        order = shuffled(len(self.train), self.spec.passes, generator)
        at = self.midway or Midway(0, self.iteration, 0.0, NO_TOTALS, {}, NO_MARKS)
        restore_random_states(at.random, generator, self.device)
        sums = RunningSums(
            self.spec.loss_every,
            totals=at.totals.to(self.device),
            examples=at.done,
            iterations=self.iteration - at.first,
            marks=at.marks.to(self.device),
        )
        return OpenEpoch(
            number,
            examples=len(order),
            order=order[at.done :],
            first=at.first,
            sums=sums,
            stopwatch=Stopwatch(at.seconds),
            saved=at.seconds,
        )

    def _probe(self, X: Tensor, y: Tensor, stopwatch: Stopwatch) -> None:
        """Let the probe measure, if there is one; its time is not training's."""
        if self.probe:
            with stopwatch.paused():
                self.probe.before_step(X, y)

    def step(self, X: Tensor, y: Tensor) -> Tensor:
        """Take one step of the optimizer on a batch, uint8 (B, C, H, W) and int64 (B,).

        Return its sum of losses and its right answers, (2,) float64.
        """
        totals = torch.zeros(2, dtype=torch.float64, device=self.device)
        self.optimizer.zero_grad(set_to_none=True)
        for part in slices(len(y), self.spec.micro_batch or len(y)):
            with self._in_precision():
                logits = self.network(self.scaled(X[part]))  # (b, classes)
            losses = F.cross_entropy(logits.float(), y[part], reduction="sum")
            (losses / len(y)).backward()
            right = (logits.argmax(1) == y[part]).sum()
            totals += torch.stack((losses.detach(), right))
        self.optimizer.step()
        self.schedule.step()
        return totals

    def _save_if_due(self, epoch: OpenEpoch, generator: torch.Generator) -> None:
        """Offer a snapshot where the last one is long enough ago and the epoch goes on."""
        seconds, ended = epoch.stopwatch.seconds, epoch.sums.examples == epoch.examples
        if ended or seconds - epoch.saved <= self.snapshot_seconds:
            return
        epoch.saved = seconds
        self.midway = Midway(
            done=epoch.sums.examples,
            first=epoch.first,
            seconds=seconds,
            totals=epoch.sums.totals.cpu(),
            random=random_states(generator, self.device),
            marks=epoch.sums.marks,
        )
        self.snapshot()

    def _close_epoch(self, epoch: OpenEpoch, lr: float) -> dict[str, Any]:
        """Judge whether the epoch has diverged; return its columns of the history."""
        self.midway = None
        epoch.sums.close()
        loss, accuracy = epoch.sums.means()
        self.diverged = self._has_diverged(loss)
        self.epoch_seconds.append(epoch.stopwatch.seconds)
        requested = batch_size_at(self.spec, epoch.number, self.iteration - 1)
        return {
            "train_loss": loss,
            "train_accuracy": accuracy,
            "lr": lr,
            "batch_size": min(requested, len(self.train)),
            "iterations": epoch.sums.iterations,
            **epoch.sums.curves(),
        }

    def _has_diverged(self, loss: float) -> bool:
        """Return whether an epoch's mean loss shows that there is no way back.

        A high one does not end a range test, which goes on to show it.
        """
        lost = loss > LOST * math.log(self.classes) and self.spec.schedule != "range-test"
        return lost or not math.isfinite(loss)

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        lr: float = self.optimizer.param_groups[0]["lr"]
        return lr

    def scaled(self, X: Tensor) -> Tensor:
        """Return uint8 images (B, C, H, W) as float32 on the scale 0..1."""
        return X.to(torch.float32, memory_format=memory_format(self.spec)).div_(255)

    def _in_precision(self) -> AbstractContextManager[None]:
        return computing(self.spec.precision, self.device.type)

    def _evaluate_held_out(self) -> dict[str, float]:
        """Return loss and accuracy on the validation set, or else on the test set."""
        if self.validation:
            judged = self.evaluate(self.validation)
            return {"validation_loss": judged.loss, "validation_accuracy": judged.accuracy}
        self.tested = self.evaluate(self.test)
        return {"test_loss": self.tested.loss, "test_accuracy": self.tested.accuracy}

    @torch.inference_mode()
    def evaluate(self, examples: Examples) -> Evaluation:
        """Judge the network as it is now, in eval mode."""
        self.network.eval()
        classes = self.classes
        loss, confusion = 0.0, torch.zeros(classes * classes, dtype=torch.int64)
        for part in slices(len(examples), EVALUATION_BATCH):
            y = examples.labels[part]
            with self._in_precision():
                logits = self.network(self.scaled(examples.images[part])).float()  # (b, classes)
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            cells = y.cpu() * classes + logits.argmax(1).cpu()  # (b,) truth and answer in one
            confusion += torch.bincount(cells, minlength=classes * classes)
        table = confusion.view(classes, classes)  # (truth, answer)
        return Evaluation(
            loss / len(examples), table.trace().item() / len(examples), table.tolist()
        )


def memory_format(spec: RunSpec) -> torch.memory_format:
    """Return how a run's images and weights lie in memory: whichever trains it faster."""
    return torch.contiguous_format if spec.network in CONTIGUOUS else torch.channels_last
