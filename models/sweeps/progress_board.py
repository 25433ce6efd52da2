"""Live progress of many runs at once on stderr: bars on a terminal where tqdm is installed, else
lines.

A board hands out one `models.progress.Progress` a run, and shows what they all tell. Who tells may
be a training in this process or one on the other side of a cluster.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from models.progress import LINE_EVERY, clock, summary, title
from models.records import Epoch
from models.specs import RunSpec

MOST_BARS = 12  # running runs that have a bar of their own


class Board:
    """The state of many runs; this one shows nothing.

    The time left is judged by the epochs that were trained since the first run started, whoever
    trained them.
    """

    def begin(self, specs: Sequence[RunSpec], names: Sequence[str]) -> None:
        """These runs, called so, are about to be trained."""
        labels = [f"[{number}/{len(specs)}] {name}" for number, name in enumerate(names, start=1)]
        self.members = {
            spec.key: Member(self, spec, label) for spec, label in zip(specs, labels, strict=True)
        }
        self.began = time.monotonic()
        self.first: float | None = (
            None  # when the first run started: before that, workers only come up
        )
        self.trained = 0.0  # epochs, also those that a dead worker took with it

    def of(self, spec: RunSpec) -> Member:
        """The progress of one of the runs."""
        return self.members[spec.key]

    @property
    def elapsed(self) -> float:
        """Seconds since `begin`."""
        return time.monotonic() - self.began

    def left(self) -> float | None:
        """Seconds that the rest takes; None while nothing is trained yet."""
        rest = sum(
            member.spec.epochs - member.at for member in self.members.values() if not member.over
        )
        if self.first is None or not self.trained:
            return None
        return (time.monotonic() - self.first) / self.trained * rest

    def show_start(self, member: Member) -> None:
        """A run starts, or starts again."""

    def show_batch(self, member: Member, epoch: int, done: int, examples: int) -> None:
        """So many of the epoch's examples have been used."""

    def show_epoch(self, member: Member, epoch: Epoch) -> None:
        """A run has finished an epoch."""

    def show_end(self, member: Member) -> None:
        """A run is over, whatever the reason."""

    def note(self, message: str) -> None:
        """Something the user should know."""

    def close(self) -> None:
        """All is over."""


class Member:
    """One run's `Progress`, on its board."""

    def __init__(self, board: Board, spec: RunSpec, label: str) -> None:
        self.board, self.spec, self.label = board, spec, label
        self.at = 0.0  # epochs finished, in parts too
        self.running = self.over = False

    def start(self, spec: RunSpec, finished: int) -> None:
        if self.running:  # no end was told: who trained it is dead
            self.note(
                f"its worker was lost: starts again {f'after epoch {finished}' if finished else 'from nothing'}"
            )
        self.running, self.over, self.at = True, False, finished
        self.board.first = self.board.first or time.monotonic()
        self.board.show_start(self)

    def batch(self, epoch: int, done: int, examples: int) -> None:
        self._move(epoch - 1 + done / examples)
        self.board.show_batch(self, epoch, done, examples)

    def epoch(self, epoch: Epoch) -> None:
        self._move(epoch.epoch)
        self.board.show_epoch(self, epoch)

    def _move(self, at: float) -> None:
        self.board.trained += max(0.0, at - self.at)
        self.at = at

    def note(self, message: str) -> None:
        self.board.note(f"{self.label}  {message}")

    def close(self) -> None:
        if not self.over:
            self.running, self.over = False, True
            self.board.show_end(self)


class LineBoard(Board):
    """A line an epoch of any run, and one every quarter of a minute when there is none."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr

    def show_start(self, member: Member) -> None:
        self.told = time.monotonic()

    def show_batch(self, member: Member, epoch: int, done: int, examples: int) -> None:
        if time.monotonic() - self.told >= LINE_EVERY:
            self._tell(member, epoch, f"{done:,} of {examples:,} examples")

    def show_epoch(self, member: Member, epoch: Epoch) -> None:
        self._tell(member, epoch.epoch, summary(epoch))

    def _tell(self, member: Member, epoch: int, text: str) -> None:
        left = self.left()
        rest = f"{clock(left)} left" if left else f"{clock(self.elapsed)} in all"
        self.note(f"{member.label}  epoch {epoch}/{member.spec.epochs}  {text}  {rest}")

    def note(self, message: str) -> None:
        self.told = time.monotonic()
        print(message, file=self.stream, flush=True)


class BarBoard(Board):
    """tqdm's bars, in epochs: one for all, and below it one for each run that is being trained.

    A run's last epoch stays above them as a line.
    """

    def begin(self, specs: Sequence[RunSpec], names: Sequence[str]) -> None:
        super().begin(specs, names)
        self.rows: list[Any] = []  # bars; one that its run has left is used again
        self.row_of: dict[str, Any] = {}
        self.last: dict[str, str] = {}
        self.total = self._bar(total=sum(spec.epochs for spec in specs))
        self._refresh_total()

    def _bar(self, total: int) -> Any:
        from tqdm import tqdm

        layout = "{desc} {percentage:3.0f}%|{bar}|{postfix}"
        place = len(self.rows) + 1 if hasattr(self, "total") else 0
        return tqdm(
            total=total,
            bar_format=layout,
            file=sys.stderr,
            dynamic_ncols=True,
            position=place,
            leave=place == 0,
        )

    def show_start(self, member: Member) -> None:
        key = member.spec.key
        if key not in self.row_of:
            taken = [id(row) for row in self.row_of.values()]
            row = next((row for row in self.rows if id(row) not in taken), None)
            if row is None:
                if len(self.rows) >= min(MOST_BARS, shutil.get_terminal_size().lines - 2):
                    return
                row = self._bar(total=member.spec.epochs)
                self.rows.append(row)
            self.row_of[key] = row
        self.row_of[key].disable = False
        self.row_of[key].reset(total=member.spec.epochs)
        self._show(member, f"epoch {int(member.at) + 1}/{member.spec.epochs}")

    def show_batch(self, member: Member, epoch: int, done: int, examples: int) -> None:
        self._show(member, f"epoch {epoch}/{member.spec.epochs}")

    def show_epoch(self, member: Member, epoch: Epoch) -> None:
        self.last[member.spec.key] = f"epoch {epoch.epoch}/{member.spec.epochs}  {summary(epoch)}"
        if row := self.row_of.get(member.spec.key):
            row.set_postfix_str(_accuracy(epoch), refresh=False)
        self._show(member, f"epoch {epoch.epoch}/{member.spec.epochs}")

    def _show(self, member: Member, text: str) -> None:
        if row := self.row_of.get(member.spec.key):
            row.n = member.at
            row.set_description_str(f"{member.label} {text}")
        self._refresh_total()

    def show_end(self, member: Member) -> None:
        if row := self.row_of.pop(member.spec.key, None):
            row.clear()
            row.disable = True  # or else every line that is written above draws it again
        if text := self.last.pop(member.spec.key, None):
            self.note(f"{member.label}  {text}")
        self._refresh_total()

    def _refresh_total(self) -> None:
        over = sum(member.over for member in self.members.values())
        left = self.left()
        rest = f", {clock(left)} left" if left else ""
        self.total.n = sum(
            member.spec.epochs if member.over else member.at for member in self.members.values()
        )
        self.total.set_description_str(
            f"{over} of {len(self.members)} runs in {clock(self.elapsed)}{rest}"
        )

    def note(self, message: str) -> None:
        self.total.write(message, file=sys.stderr)

    def close(self) -> None:
        for bar in [*reversed(self.rows), self.total]:
            bar.disable = False
            bar.close()


def live_board() -> Board:
    """The board that suits stderr."""
    return BarBoard() if sys.stderr.isatty() and importlib.util.find_spec("tqdm") else LineBoard()


def distinct_titles(specs: Sequence[RunSpec]) -> list[str]:
    """Each run in a few words, among them every field in which the runs differ.

    >>> distinct_titles([RunSpec(lr=0.1), RunSpec(lr=1)])
    ['lenet5 on mnist5k, lr 0.1', 'lenet5 on mnist5k, lr 1.0']
    """
    if len(specs) < 2:
        return [title(spec) for spec in specs]
    fields = [
        name
        for name in RunSpec.model_fields
        if name not in ("network", "dataset", "dataset_digest")
    ]
    varying = [name for name in fields if len({getattr(spec, name) for spec in specs}) > 1]
    return [
        ", ".join([f"{spec.network} on {spec.dataset}", *_traits(spec, varying)]) for spec in specs
    ]


def _traits(spec: RunSpec, names: Sequence[str]) -> list[str]:
    values = [(name.replace("_", " "), getattr(spec, name)) for name in names]
    return [f"{name} {'by default' if value is None else value}" for name, value in values]


def _accuracy(epoch: Epoch) -> str:
    """The held-out accuracy, short."""
    judged = epoch.test_accuracy if epoch.validation_accuracy is None else epoch.validation_accuracy
    return "" if judged is None else f"accuracy {judged:.4f}"
