"""What a Dask worker does for a sweep: it trains one run at a time and sends back what came of it.

Only a worker, and who sends work to one, import this module: it needs Dask.
"""

from __future__ import annotations

import threading
import time
import warnings
from typing import Any

from distributed import Reschedule, Worker, get_worker

from models.progress import Progress
from models.records import Epoch
from models.runs.obtain import obtain
from models.runs.store import Store, StoredRun
from models.specs import RunSpec

TOPIC = "convbook"  # the Dask topic under which progress is reported
REPORT_EVERY = 1.0  # seconds between two reports inside an epoch
PATIENCE = 2.0  # seconds that a run waits for the worker it came to, before it looks for another
ONE_AT_A_TIME = threading.Lock()  # two trainings in a process would share their random numbers

Result = tuple[bytes, bytes | None]


class Unwanted(Exception):  # noqa: N818 - what the run is, rather than that it is an error
    """Nobody waits for this run any more."""


class Relay(Progress):
    """The progress of a training on a worker: whoever listens to `TOPIC` hears it."""

    def __init__(self, worker: Worker, spec: RunSpec) -> None:
        self.worker, self.task = worker, task_key(spec)
        self.reported = time.monotonic()

    def _report(self, call: str, *arguments: Any) -> None:
        self.worker.log_event(TOPIC, [self.task, call, list(arguments)])

    def start(self, spec: RunSpec, finished: int) -> None:
        """Report the start."""
        self._report("start", finished)

    def batch(self, epoch: int, done: int, examples: int) -> None:
        """Report the batch, unless another one was reported a moment ago.

        Raises:
            Unwanted: The asker has gone away.
        """
        if time.monotonic() - self.reported < REPORT_EVERY:
            return
        self.reported = time.monotonic()
        if self.is_unwanted():
            raise Unwanted(self.task)
        self._report("batch", epoch, done, examples)

    def is_unwanted(self) -> bool:
        """Return whether the asker has gone away: a thread cannot be stopped from outside."""
        task = self.worker.state.tasks.get(self.task)
        return task is None or task.state == "cancelled"

    def epoch(self, epoch: Epoch) -> None:
        """Report the epoch."""
        self._report("epoch", epoch.model_dump(mode="json", exclude_unset=True))

    def note(self, message: str) -> None:
        """Report the message."""
        self._report("note", message)

    def close(self) -> None:
        """Report the end."""
        self._report("close")


def task_key(spec: RunSpec) -> str:
    """Return a run's Dask key: all who ask one scheduler for it share it, so it is trained once."""
    return f"convbook-{spec.key}"


def train(spec_json: str, store: Store | None = None, device: str | None = None) -> Result:
    """Return the content of a run's record file, and its weights (safetensors) where there are.

    It is found in the store (by default that of the worker's environment) or trained here. torch
    uses as many threads as Dask gave this worker, for it trains one run at a time. When it is busy
    with another, Dask is asked to place this one anew.
    """
    if not ONE_AT_A_TIME.acquire(timeout=PATIENCE):
        raise Reschedule
    try:
        found = _obtain(RunSpec.model_validate_json(spec_json), store, device)
    finally:
        ONE_AT_A_TIME.release()
    weights = found.path.with_suffix(".safetensors")
    return found.path.read_bytes(), weights.read_bytes() if weights.is_file() else None


def _obtain(spec: RunSpec, store: Store | None, device: str | None) -> StoredRun:
    import torch

    worker = get_worker()
    torch.set_num_threads(worker.state.nthreads)
    relay = Relay(worker, spec)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: relay.note(f"warning: {message}")
        return obtain(spec, store=store, progress=relay, device=device)
