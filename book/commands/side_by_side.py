"""Published runs trained again side by side, each in a process of its own, and kept.

What was kept is not trained again, and a run whose process died goes on from its last checkpoint:
nothing is lost by an interruption but an epoch. All lies below one folder, named for the training
code's fingerprint, for what other code gave is of no use.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from book.builder.errors import BookError
from book.commands import retraining
from book.commands.retraining import Place, Start, threads_here
from models.records import Record

HERE = Path(retraining.__file__).resolve().parents[2]


@dataclass(frozen=True)
class Task:
    """A published run, and how many of its epochs are to be trained again."""

    record: Record
    epochs: int

    @property
    def seconds(self) -> float:
        """How long these epochs took when they were recorded."""
        return sum(self.record.provenance.epoch_seconds[: self.epochs])

    @property
    def core_seconds(self) -> float:
        """The same, times the cores that it kept busy."""
        return self.seconds * self.record.provenance.threads


@dataclass(frozen=True)
class Workshop:
    """Where tasks are done: how many cores there are, on which device, and where runs are kept."""

    cores: int
    place: Place
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def kept(self, task: Task) -> Start | None:
        """Return the run if it was trained before."""
        return retraining.kept(task.record.key, self.folder, task.epochs, self.place)

    def do_all(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Start, float]]:
        """Yield each task, what it gave and how many seconds it took, as soon as it is done.

        As many run side by side as the cores have room for with the threads of each.
        """
        ordered = sorted(tasks, key=lambda task: (threads_here(task.record), -task.seconds))
        for threads, group in groupby(ordered, key=lambda task: threads_here(task.record)):
            with ThreadPoolExecutor(max(1, self.cores // threads)) as pool:
                futures = {pool.submit(self.do, task): task for task in group}
                try:
                    for future in as_completed(futures):
                        yield (futures[future], *future.result())
                finally:  # after an error or an interruption, of those that have not ended
                    self._stop(futures)

    def do(self, task: Task) -> tuple[Start, float]:
        """Train one run in a process of its own, unless that was done before.

        Raises:
            BookError: It cannot be trained.
        """
        if found := self.kept(task):
            return found, 0.0
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", retraining.__name__],
            env={**os.environ, **_environment(threads_here(task.record))},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            self.processes.append(process)
            errors = process.communicate(json.dumps(self._request(task)))[1]
        if (found := self.kept(task)) is None:
            reason = (errors.strip().splitlines() or [f"status {process.returncode}"])[-1]
            raise BookError(f"{task.record.key} cannot be trained again: {reason}")
        return found, time.perf_counter() - started

    def _stop(self, futures: Iterable[Future[tuple[Start, float]]]) -> None:
        for future in futures:
            future.cancel()
        for process in self.processes:
            process.terminate()

    def _request(self, task: Task) -> dict[str, object]:
        return {
            "spec": json.loads(task.record.spec.canonical_json()),
            "epochs": task.epochs,
            "threads": threads_here(task.record),
            "device": self.place.device,
            "folder": str(self.folder),
        }


def _environment(threads: int) -> dict[str, str]:
    """Return what the process of a run is told: its threads, and where this code is."""
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
