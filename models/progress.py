"""Live progress of a training on stderr: a bar on a terminal where tqdm is installed, else a line
an epoch.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import Any, Protocol, TextIO

from models.records import Epoch
from models.specs import RunSpec

LINE_EVERY = 15.0  # seconds between two lines inside a long epoch


class Progress(Protocol):
    """What a training reports while it runs."""

    def start(self, spec: RunSpec, finished: int) -> None:
        """Training begins after so many finished epochs."""

    def batch(self, epoch: int, done: int, examples: int) -> None:
        """So many of the epoch's examples have been used."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch has ended."""

    def note(self, message: str) -> None:
        """Something the user should know."""

    def close(self) -> None:
        """Training is over, whatever the reason."""


class Silent:
    """Reports nothing."""

    def start(self, spec: RunSpec, finished: int) -> None: ...

    def batch(self, epoch: int, done: int, examples: int) -> None: ...

    def epoch(self, epoch: Epoch) -> None: ...

    def note(self, message: str) -> None: ...

    def close(self) -> None: ...


class Lines:
    """A line an epoch, and one every quarter of a minute inside a longer one."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr

    def start(self, spec: RunSpec, finished: int) -> None:
        self.name, self.epochs, self.first = title(spec), spec.epochs, finished
        self.started = self.told = time.monotonic()

    def batch(self, epoch: int, done: int, examples: int) -> None:
        if time.monotonic() - self.told >= LINE_EVERY:
            share = epoch - 1 + done / examples
            self._tell(f"epoch {epoch}/{self.epochs}  {done:,} of {examples:,} examples", share)

    def epoch(self, epoch: Epoch) -> None:
        self._tell(f"epoch {epoch.epoch}/{self.epochs}  {summary(epoch)}", epoch.epoch)

    def _tell(self, text: str, share: float) -> None:
        """Writes a line with the time that the rest takes, judged by the time since the start."""
        self.told = now = time.monotonic()
        trained = share - self.first
        left = (now - self.started) / trained * (self.epochs - share) if trained > 0 else 0.0
        rest = (
            f"{clock(left)} left" if share < self.epochs else f"{clock(now - self.started)} in all"
        )
        self.note(f"{self.name}  {text}  {rest}")

    def note(self, message: str) -> None:
        print(message, file=self.stream, flush=True)

    def close(self) -> None: ...


class Bar:
    """tqdm's bar, in epochs: the batches move it inside each."""

    def __init__(self) -> None:
        self.bar: Any = None

    def start(self, spec: RunSpec, finished: int) -> None:
        from tqdm import tqdm

        layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        self.name, self.epochs = title(spec), spec.epochs
        self.bar = tqdm(
            total=spec.epochs,
            initial=finished,
            bar_format=layout,
            file=sys.stderr,
            dynamic_ncols=True,
        )
        self.bar.set_description_str(f"{self.name} epoch {finished + 1}/{self.epochs}")

    def batch(self, epoch: int, done: int, examples: int) -> None:
        self.bar.set_description_str(f"{self.name} epoch {epoch}/{self.epochs}", refresh=False)
        self.bar.update(epoch - 1 + done / examples - self.bar.n)

    def epoch(self, epoch: Epoch) -> None:
        self.bar.set_postfix_str(summary(epoch))

    def note(self, message: str) -> None:
        if self.bar is None:
            print(message, file=sys.stderr, flush=True)
        else:
            self.bar.write(message, file=sys.stderr)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def live() -> Progress:
    """The progress that suits stderr."""
    return Bar() if sys.stderr.isatty() and importlib.util.find_spec("tqdm") else Lines()


def title(spec: RunSpec) -> str:
    """The run in a few words.

    >>> title(RunSpec(norm="batch", seed=3))
    'lenet5 on mnist5k, norm batch, seed 3'
    """
    traits = [
        f"{name} {getattr(spec, name)}"
        for name in ("norm", "dropout")
        if getattr(spec, name) not in ("none", 0)
    ]
    return ", ".join([f"{spec.network} on {spec.dataset}", *traits, f"seed {spec.seed}"])


def summary(epoch: Epoch) -> str:
    """An epoch's losses and accuracies in a line; a loss that is no number shows as a dash."""
    shown = []
    for name in ("train", "validation", "test"):
        loss, accuracy = getattr(epoch, f"{name}_loss"), getattr(epoch, f"{name}_accuracy")
        if accuracy is not None:
            shown.append(
                f"{name} loss {'–' if loss is None else format(loss, '.4f')} accuracy {accuracy:.4f}"
            )
    return "  ".join(shown)


def clock(seconds: float) -> str:
    """A duration for people.

    >>> clock(75), clock(3 * 3600 + 60)
    ('1:15', '3:01:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
