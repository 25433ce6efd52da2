"""Live progress of a training on stderr: a bar on a terminal with tqdm, else lines."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import Any, TextIO

from models.records import Epoch
from models.specs import RunSpec

LINE_EVERY = 15.0  # seconds between two lines inside a long epoch


class Progress:
    """What a training reports to while it runs; each kind shows of it what it can."""

    def start(self, spec: RunSpec, finished: int) -> None:
        """Show that training begins, after so many finished epochs."""

    def batch(self, epoch: int, done: int, examples: int) -> None:
        """Show that so many of the epoch's examples have been used."""

    def epoch(self, epoch: Epoch) -> None:
        """Show an epoch that has ended."""

    def note(self, message: str) -> None:
        """Show something the user should know."""

    def close(self) -> None:
        """Show nothing more: training is over, whatever the reason."""


class Silent(Progress):
    """Nothing is shown."""


class Lines(Progress):
    """A line an epoch, and one every quarter of a minute inside a longer one."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr

    def start(self, spec: RunSpec, finished: int) -> None:
        """Start the clock."""
        self.name, self.epochs, self.finished = title(spec), spec.epochs, finished
        self.started = self.last_line = time.monotonic()

    def batch(self, epoch: int, done: int, examples: int) -> None:
        """Print a line if the last one is a while ago."""
        if time.monotonic() - self.last_line >= LINE_EVERY:
            text = f"epoch {epoch}/{self.epochs}  {done:,} of {examples:,} examples"
            self._print(text, epoch - 1 + done / examples)

    def epoch(self, epoch: Epoch) -> None:
        """Print the epoch."""
        self._print(f"epoch {epoch.epoch}/{self.epochs}  {summary(epoch)}", epoch.epoch)

    def _print(self, text: str, position: float) -> None:
        """Print a line with the time that the rest takes, judged by the time since the start."""
        self.last_line = time.monotonic()
        elapsed, trained = self.last_line - self.started, position - self.finished
        left = elapsed / trained * (self.epochs - position) if trained > 0 else 0.0
        rest = f"{clock(left)} left" if position < self.epochs else f"{clock(elapsed)} in all"
        self.note(f"{self.name}  {text}  {rest}")

    def note(self, message: str) -> None:
        """Print the message."""
        print(message, file=self.stream, flush=True)


class Bar(Progress):
    """tqdm's bar, in epochs: the batches move it inside each."""

    def __init__(self) -> None:
        self.bar: Any = None

    def start(self, spec: RunSpec, finished: int) -> None:
        """Draw the bar."""
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
        """Move the bar."""
        self.bar.set_description_str(f"{self.name} epoch {epoch}/{self.epochs}", refresh=False)
        self.bar.update(epoch - 1 + done / examples - self.bar.n)

    def epoch(self, epoch: Epoch) -> None:
        """Show the epoch's losses and accuracies behind the bar."""
        self.bar.set_postfix_str(summary(epoch))

    def note(self, message: str) -> None:
        """Print the message above the bar."""
        if self.bar is None:
            print(message, file=sys.stderr, flush=True)
        else:
            self.bar.write(message, file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()


def live() -> Progress:
    """Return the progress that suits stderr."""
    return Bar() if draws_bars() else Lines()


def draws_bars() -> bool:
    """Return whether stderr is a terminal and tqdm is installed."""
    return sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None


def title(spec: RunSpec) -> str:
    """Return the run in a few words.

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
    """Return an epoch's losses and accuracies in a line; a loss that is no number is a dash."""
    parts = []
    for name in ("train", "validation", "test"):
        loss, accuracy = getattr(epoch, f"{name}_loss"), getattr(epoch, f"{name}_accuracy")
        if accuracy is not None:
            shown = "–" if loss is None else f"{loss:.4f}"
            parts.append(f"{name} loss {shown} accuracy {accuracy:.4f}")
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """Return a duration for people.

    >>> clock(75), clock(3 * 3600 + 60)
    ('1:15', '3:01:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
