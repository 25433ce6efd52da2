"""Live progress of many runs at once on stderr: bars on a terminal with tqdm, else lines.

A board hands out one `models.progress.Progress` a run, and shows what they all report: of trainings
in this process or on the other side of a cluster.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from models.progress import LINE_EVERY, Progress, clock, draws_bars, summary, title
from models.records import Epoch
from models.specs import RunSpec

MOST_BARS = 12  # running runs that have a bar of their own


class Board:
    """The state of many runs; this one shows nothing.

    The time left is judged by the epochs that were trained since the first run started, whoever
    trained them.
    """

    @contextmanager
    def showing(self, runs: Mapping[RunSpec, str]) -> Iterator[None]:
        """Show these runs, each called by its name here, until all is over."""
        self.begin(runs)
        try:
            yield
        finally:
            self.close()

    def begin(self, runs: Mapping[RunSpec, str]) -> None:
        """Set the board up."""
        labels = [f"[{number}/{len(runs)}] {name}" for number, name in enumerate(runs.values(), 1)]
        self.members = {
            spec.key: Member(self, spec, label) for spec, label in zip(runs, labels, strict=True)
        }
        self.begun = time.monotonic()
        self.first_start: float | None = None  # before the first run, workers only come up
        self.trained = 0.0  # epochs, also those that a dead worker took with it

    def of(self, spec: RunSpec) -> Member:
        """Return the progress of one of the runs."""
        return self.members[spec.key]

    @property
    def elapsed(self) -> float:
        """Seconds since `begin`."""
        return time.monotonic() - self.begun

    def left(self) -> float | None:
        """Return the seconds that the rest takes; None while nothing is trained yet."""
        running = [member for member in self.members.values() if not member.ended]
        rest = sum(member.spec.epochs - member.position for member in running)
        if self.first_start is None or not self.trained:
            return None
        return (time.monotonic() - self.first_start) / self.trained * rest

    def show_start(self, member: Member) -> None:
        """Show that a run starts, or starts again."""

    def show_batch(self, member: Member, epoch: int, done: int, examples: int) -> None:
        """Show that so many of the epoch's examples have been used."""

    def show_epoch(self, member: Member, epoch: Epoch) -> None:
        """Show that a run has finished an epoch."""

    def show_end(self, member: Member) -> None:
        """Show that a run is over, whatever the reason."""

    def note(self, message: str) -> None:
        """Show something the user should know."""

    def close(self) -> None:
        """Leave the board as it is: all is over."""


class Member(Progress):
    """One run's progress, on its board."""

    def __init__(self, board: Board, spec: RunSpec, label: str) -> None:
        self.board, self.spec, self.label = board, spec, label
        self.position = 0.0  # epochs finished, in parts too
        self.running = self.ended = False

    def start(self, spec: RunSpec, finished: int) -> None:
        """Put the run after its finished epochs; it is running from now on."""
        if self.running:  # no end was reported: who trained it is dead
            place = f"after epoch {finished}" if finished else "from nothing"
            self.note(f"its worker was lost: starts again {place}")
        self.running, self.ended, self.position = True, False, finished
        self.board.first_start = self.board.first_start or time.monotonic()
        self.board.show_start(self)

    def batch(self, epoch: int, done: int, examples: int) -> None:
        """Move the run inside its epoch."""
        self._move(epoch - 1 + done / examples)
        self.board.show_batch(self, epoch, done, examples)

    def epoch(self, epoch: Epoch) -> None:
        """Move the run to the epoch's end."""
        self._move(epoch.epoch)
        self.board.show_epoch(self, epoch)

    def _move(self, position: float) -> None:
        self.board.trained += max(0.0, position - self.position)
        self.position = position

    def note(self, message: str) -> None:
        """Pass the message on, with the run's label."""
        self.board.note(f"{self.label}  {message}")

    def close(self) -> None:
        """End the run, unless its end was reported before."""
        if not self.ended:
            self.running, self.ended = False, True
            self.board.show_end(self)


class LineBoard(Board):
    """A line an epoch of any run, and one every quarter of a minute when there is none."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr

    def show_start(self, member: Member) -> None:
        """Print nothing: the first line comes with an epoch."""
        self.last_line = time.monotonic()

    def show_batch(self, member: Member, epoch: int, done: int, examples: int) -> None:
        """Print a line if the last one is a while ago."""
        if time.monotonic() - self.last_line >= LINE_EVERY:
            self._print(member, epoch, f"{done:,} of {examples:,} examples")

    def show_epoch(self, member: Member, epoch: Epoch) -> None:
        """Print the epoch."""
        self._print(member, epoch.epoch, summary(epoch))

    def _print(self, member: Member, epoch: int, text: str) -> None:
        left = self.left()
        rest = f"{clock(left)} left" if left else f"{clock(self.elapsed)} in all"
        self.note(f"{member.label}  epoch {epoch}/{member.spec.epochs}  {text}  {rest}")

    def note(self, message: str) -> None:
        """Print the message."""
        self.last_line = time.monotonic()
        print(message, file=self.stream, flush=True)


class BarBoard(Board):
    """tqdm's bars, in epochs: one for all, and below it one for each run that is being trained.

    A run's last epoch stays above them as a line.
    """

    def begin(self, runs: Mapping[RunSpec, str]) -> None:
        """Draw the bar for all."""
        super().begin(runs)
        self.rows: list[Any] = []  # bars; one that its run has left is used again
        self.row_of: dict[str, Any] = {}
        self.last_epoch: dict[str, str] = {}
        self.total = self._bar(sum(spec.epochs for spec in runs), place=0)
        self._refresh_total()

    def _bar(self, total: int, place: int) -> Any:
        from tqdm import tqdm

        return tqdm(
            total=total,
            bar_format="{desc} {percentage:3.0f}%|{bar}|{postfix}",
            file=sys.stderr,
            dynamic_ncols=True,
            position=place,
            leave=place == 0,
        )

    def show_start(self, member: Member) -> None:
        """Give the run a bar, if there is room for one."""
        row = self.row_of.get(member.spec.key) or self._free_row(member.spec.epochs)
        if row is not None:
            self.row_of[member.spec.key] = row
            row.disable = False
            row.reset(total=member.spec.epochs)
            self._show(member, f"epoch {int(member.position) + 1}/{member.spec.epochs}")

    def _free_row(self, epochs: int) -> Any:
        """Return a bar that no run has, drawn anew if need be; None when the terminal is full."""
        taken = [id(row) for row in self.row_of.values()]
        for row in self.rows:
            if id(row) not in taken:
                return row
        if len(self.rows) >= min(MOST_BARS, shutil.get_terminal_size().lines - 2):
            return None
        self.rows.append(self._bar(epochs, place=len(self.rows) + 1))
        return self.rows[-1]

    def show_batch(self, member: Member, epoch: int, done: int, examples: int) -> None:
        """Move the run's bar."""
        self._show(member, f"epoch {epoch}/{member.spec.epochs}")

    def show_epoch(self, member: Member, epoch: Epoch) -> None:
        """Move the run's bar, with the held-out accuracy behind it."""
        text = f"epoch {epoch.epoch}/{member.spec.epochs}"
        self.last_epoch[member.spec.key] = f"{text}  {summary(epoch)}"
        if (row := self.row_of.get(member.spec.key)) is not None:
            row.set_postfix_str(_held_out_accuracy(epoch), refresh=False)
        self._show(member, text)

    def _show(self, member: Member, text: str) -> None:
        if (row := self.row_of.get(member.spec.key)) is not None:
            row.n = member.position
            row.set_description_str(f"{member.label} {text}")
        self._refresh_total()

    def show_end(self, member: Member) -> None:
        """Take the run's bar away; its last epoch stays as a line."""
        if (row := self.row_of.pop(member.spec.key, None)) is not None:
            row.clear()
            row.disable = True  # or else every line that is written above draws it again
        if text := self.last_epoch.pop(member.spec.key, None):
            self.note(f"{member.label}  {text}")
        self._refresh_total()

    def _refresh_total(self) -> None:
        members = self.members.values()
        ended, left = sum(member.ended for member in members), self.left()
        rest = f", {clock(left)} left" if left else ""
        self.total.n = sum(
            member.spec.epochs if member.ended else member.position for member in members
        )
        text = f"{ended} of {len(members)} runs in {clock(self.elapsed)}{rest}"
        self.total.set_description_str(text)

    def note(self, message: str) -> None:
        """Print the message above the bars."""
        self.total.write(message, file=sys.stderr)

    def close(self) -> None:
        """Take the runs' bars away; the bar for all stays."""
        for bar in [*reversed(self.rows), self.total]:
            bar.disable = False
            bar.close()


def live_board() -> Board:
    """Return the board that suits stderr."""
    return BarBoard() if draws_bars() else LineBoard()


def distinct_titles(specs: Sequence[RunSpec]) -> list[str]:
    """Return each run in a few words, among them every field in which the runs differ.

    >>> distinct_titles([RunSpec(lr=0.1), RunSpec(lr=1)])
    ['lenet5 on mnist5k, lr 0.1', 'lenet5 on mnist5k, lr 1.0']
    """
    if len(specs) < 2:
        return [title(spec) for spec in specs]
    always = ("network", "dataset", "dataset_digest")
    fields = [name for name in RunSpec.model_fields if name not in always]
    varying = [name for name in fields if len({getattr(spec, name) for spec in specs}) > 1]
    return [
        ", ".join([f"{spec.network} on {spec.dataset}", *_traits(spec, varying)]) for spec in specs
    ]


def _traits(spec: RunSpec, names: Sequence[str]) -> list[str]:
    values = [(name.replace("_", " "), getattr(spec, name)) for name in names]
    return [f"{name} {'by default' if value is None else value}" for name, value in values]


def _held_out_accuracy(epoch: Epoch) -> str:
    judged = epoch.test_accuracy if epoch.validation_accuracy is None else epoch.validation_accuracy
    return "" if judged is None else f"accuracy {judged:.4f}"
