"""The training loop: the one place where weights change.

The images stay uint8 in memory; a batch is picked from a random permutation, put on the scale 0..1,
and used. Every epoch starts its random numbers anew from (seed, epoch), so a run that resumes after
any finished epoch goes on exactly as if it had never stopped: only weights, optimizer and schedule
need to be carried over. Long epochs offer snapshots in between, with the random states in them.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.data.loading import Dataset, split_validation, subset
from models.networks.build import build
from models.progress import Progress, Silent
from models.records import Epoch, strict
from models.specs import RunSpec
from models.training.augmentation import augment
from models.training.curves import NO_MARKS, Curve
from models.training.schedules import (
    batch_size_at,
    iterations_per_epoch,
    make_schedule,
    piece,
    pieces,
)

EVALUATION_BATCH = 500  # examples; measures only, so any size gives the same result
CUT_SEED = (
    0  # which examples train_size and validation_size choose: the same ones for every seed of a run
)
LOOK_EVERY = 50  # iterations between two looks at whether the loss is still a number
CONTIGUOUS = (
    "lenet5",
    "lenet-stride1",
)  # networks so narrow that channels last in memory is slower
LOST = 100.0  # an epoch whose mean loss exceeds this many times that of guessing has diverged


@dataclass(frozen=True)
class Evaluation:
    """A network judged in eval mode: mean cross-entropy (nats), accuracy, and
    confusion[truth][answer].
    """

    loss: float
    accuracy: float
    confusion: list[list[int]]


@dataclass(frozen=True)
class Examples:
    """Images uint8 (N, C, H, W) and labels int64 (N,) on the training's device."""

    images: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Examples:
        return Examples(self.images.to(device), self.labels.to(device))

    def sample(self, count: int) -> Examples:
        """So many of them, or all, drawn at random and the same ones each time.

        Every so-manieth would not do: MNIST's images come from two sources in turn, of which one is
        harder.
        """
        chosen = torch.randperm(len(self), generator=torch.Generator().manual_seed(CUT_SEED))[
            :count
        ]
        return Examples(self.images[chosen], self.labels[chosen])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Midway:
    """Where an unfinished epoch stands: examples done, its first iteration, seconds so far, sums,
    random states.
    """

    done: int
    first: int
    seconds: float
    totals: Tensor  # (2,) float64: sum of losses, right answers
    random: dict[str, Tensor]  # uint8 states of torch's generators, by name
    marks: Tensor  # (n, 3) float64: what `models.training.curves.Curve` has marked


class Probe(Protocol):
    """Looks at a training while it goes on, and leaves no trace in it."""

    def before_step(self, images: Tensor, labels: Tensor) -> None:
        """Called with each batch, uint8 (B, C, H, W) and int64 (B,), before the network learns from
        it.
        """

    def after_epoch(self) -> dict[str, Any]:
        """Called when an epoch has been judged: what was measured since the one before, for its
        history.
        """


class Training:
    """One training in progress: network, optimizer, schedule and the history so far.

    `epochs()` trains; between two epochs everything may be read. Raises
    `models.data.loading.DataError` where the spec's sizes do not fit the data set.
    """

    def __init__(
        self,
        spec: RunSpec,
        dataset: Dataset,
        device: torch.device | str = "cpu",
        progress: Progress | None = None,
    ) -> None:
        self.spec, self.device, self.progress = spec, torch.device(device), progress or Silent()
        self._place(dataset)
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
        self.midway: Midway | None = None
        self.snapshot: Callable[[], object] = lambda: (
            None
        )  # called inside long epochs, when `midway` tells the state
        self.snapshot_seconds = math.inf  # between two snapshots
        self.probe: Probe | None = None  # what it holds inside an epoch is in no snapshot

    def _place(self, dataset: Dataset) -> None:
        """Cuts the data set as the spec says and moves it to the device."""
        self.classes = len(dataset.classes)
        self.validation = None
        dataset = subset(dataset, self.spec.train_size, CUT_SEED)
        if self.spec.validation_size:
            dataset, images, labels = split_validation(dataset, self.spec.validation_size, CUT_SEED)
            self.validation = Examples(images, labels).to(self.device)
        self.train = Examples(dataset.train_images, dataset.train_labels).to(self.device)
        self.test = Examples(dataset.test_images, dataset.test_labels).to(self.device)

    def epochs(self) -> Iterator[Epoch]:
        """Trains, and yields each epoch as it ends; stops early when the loss is lost."""
        while len(self.history) < self.spec.epochs and not self.diverged:
            number = len(self.history) + 1
            with reproducible(random_seed(self.spec.seed, number), self.device) as generator:
                trained = self._train_epoch(number, generator)
                held_out = self._judge()
                measured = {"probes": self.probe.after_epoch()} if self.probe else {}
            self.history.append(
                Epoch(**strict({"epoch": number, **trained, **held_out, **measured}))
            )
            self.progress.epoch(self.history[-1])
            yield self.history[-1]

    def _train_epoch(self, number: int, generator: torch.Generator) -> dict[str, Any]:
        self.network.train()
        order = torch.cat(
            [torch.randperm(len(self.train), generator=generator) for _ in range(self.spec.passes)]
        )
        now = self.midway or Midway(
            0, self.iteration, 0.0, torch.zeros(2, dtype=torch.float64), {}, NO_MARKS
        )
        self._set_random(generator, now.random)
        started = told = time.perf_counter()
        totals, done, lr, asked = now.totals.to(self.device), now.done, math.nan, 0
        curve = Curve(self.spec.loss_every, now.marks.to(self.device))
        while done < len(order) and not self.diverged:
            asked = min(batch_size_at(self.spec, number, self.iteration), len(self.train))
            size = piece(len(order) - done, asked)
            chosen = order[done : done + size].to(self.device)  # (B,)
            images = augment(
                self.train.images[chosen], self.spec.augmentation, generator
            )  # (B, C, H, W)
            lr = self.optimizer.param_groups[0]["lr"]
            started += self._look(images, self.train.labels[chosen])
            totals += self.step(images, self.train.labels[chosen])
            done, self.iteration = done + size, self.iteration + 1
            if self.iteration % LOOK_EVERY == 0 or done == len(order):
                self.diverged = not math.isfinite(totals[0].item())
            over = done == len(order) or self.diverged
            curve.mark(self.iteration - now.first, totals, done, last=over)
            self.progress.batch(number, done, len(order))
            if time.perf_counter() - told > self.snapshot_seconds and not over:
                told = time.perf_counter()
                seconds = now.seconds + told - started
                self.midway = Midway(
                    done, now.first, seconds, totals.cpu(), self._random(generator), curve.tensor()
                )
                self.snapshot()
        self.midway = None
        loss, accuracy = (totals / done).tolist()
        self.diverged = self.diverged or self._is_lost(loss)
        self.epoch_seconds.append(now.seconds + time.perf_counter() - started)
        last = {"lr": lr, "batch_size": asked, "iterations": self.iteration - now.first}
        return {"train_loss": loss, "train_accuracy": accuracy, **last, **curve.columns()}

    def _is_lost(self, loss: float) -> bool:
        """Whether an epoch's mean loss tells that there is no way back; a range test goes on to
        show it.
        """
        return loss > LOST * math.log(self.classes) and self.spec.schedule != "range-test"

    def _look(self, images: Tensor, labels: Tensor) -> float:
        """Lets the probe look, if there is one; returns the seconds it took, which are not
        training.
        """
        if self.probe is None:
            return 0.0
        started = time.perf_counter()
        self.probe.before_step(images, labels)
        return time.perf_counter() - started

    def _random(self, generator: torch.Generator) -> dict[str, Tensor]:
        states = {"own": generator.get_state(), "cpu": torch.get_rng_state()}
        return states | (
            {"cuda": torch.cuda.get_rng_state(self.device)} if self.device.type == "cuda" else {}
        )

    def _set_random(self, generator: torch.Generator, states: dict[str, Tensor]) -> None:
        """Goes on with the random numbers where a snapshot was taken; from the epoch's start
        without one.
        """
        if states:
            generator.set_state(states["own"])
            torch.set_rng_state(states["cpu"])
        if "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self.device)

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step of the optimizer on a batch (B, C, H, W), (B,): returns its (sum of losses,
        right answers).
        """
        totals = torch.zeros(2, dtype=torch.float64, device=self.device)
        self.optimizer.zero_grad(set_to_none=True)
        for part in pieces(len(labels), self.spec.micro_batch or len(labels)):
            with self._autocast():
                logits = self.network(self.scaled(images[part]))  # (b, classes)
            losses = F.cross_entropy(logits.float(), labels[part], reduction="sum")
            (losses / len(labels)).backward()
            hits = (logits.argmax(1) == labels[part]).sum()
            totals += torch.stack((losses.detach(), hits))
        self.optimizer.step()
        self.schedule.step()
        return totals

    def scaled(self, images: Tensor) -> Tensor:
        """uint8 images (B, C, H, W) as float32 on the scale 0..1, as the network wants them in
        memory.
        """
        return images.to(torch.float32, memory_format=memory_format(self.spec)).div_(255)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.spec.precision == "bf16"
        )

    def _judge(self) -> dict[str, float]:
        """The epoch's held-out loss and accuracy: the validation set's where there is one, else the
        test set's.
        """
        if self.validation:
            judged = self.evaluate(self.validation)
            return {"validation_loss": judged.loss, "validation_accuracy": judged.accuracy}
        self.tested = self.evaluate(self.test)
        return {"test_loss": self.tested.loss, "test_accuracy": self.tested.accuracy}

    @torch.inference_mode()
    def evaluate(self, examples: Examples) -> Evaluation:
        """Judges the network as it is now, in eval mode."""
        self.network.eval()
        classes = self.classes
        loss, confusion = 0.0, torch.zeros(classes * classes, dtype=torch.int64)
        for part in pieces(len(examples), EVALUATION_BATCH):
            labels = examples.labels[part]
            with self._autocast():
                logits = self.network(self.scaled(examples.images[part])).float()  # (b, classes)
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            cells = (
                labels.cpu() * classes + logits.argmax(1).cpu()
            )  # (b,) truth and answer in one number
            confusion += torch.bincount(cells, minlength=classes * classes)
        table = confusion.view(classes, classes)  # (truth, answer)
        return Evaluation(
            loss / len(examples), table.trace().item() / len(examples), table.tolist()
        )


def memory_format(spec: RunSpec) -> torch.memory_format:
    """How a run's images and weights lie in memory: whichever trains it faster."""
    return torch.contiguous_format if spec.network in CONTIGUOUS else torch.channels_last


def make_optimizer(spec: RunSpec, network: nn.Module) -> torch.optim.Optimizer:
    """The spec's optimizer over all parameters; adam and adamw keep torch's betas (0.9, 0.999)."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if spec.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, spec.lr, momentum=spec.momentum, weight_decay=spec.weight_decay
        )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[spec.optimizer]
    return kind(parameters, spec.lr, weight_decay=spec.weight_decay)


def random_seed(seed: int, epoch: int) -> int:
    """The seed of one epoch's random numbers (of the initial weights: epoch 0), different for every
    pair.
    """
    return seed * 1_000_003 + epoch


@contextmanager
def reproducible(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """Random numbers from `seed` and deterministic algorithms inside; outside, everything as it
    was.

    fp32 means fp32: convolutions on CUDA do not round to TF32.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by deterministic cuBLAS
    forked = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    exact = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with forked, exact, _deterministic():
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


@contextmanager
def _deterministic() -> Iterator[None]:
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic
    fill = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    settings.fill_uninitialized_memory = (
        False  # it guards against reading such memory, and costs time
    )
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        settings.fill_uninitialized_memory = fill
