"""What a Dask worker does for a sweep: one run at a time, its progress told, its record and weights
sent back.

Only a worker, and who sends work to one, import this module: it needs Dask.
"""

from __future__ import annotations

import threading
import time
import warnings
from typing import Any

from distributed import Reschedule, Worker, get_worker

from models.records import Epoch
from models.runs.obtain import obtain
from models.runs.store import Store, StoredRun
from models.specs import RunSpec

TOPIC = "convbook"  # the Dask topic under which progress is told
TELL_EVERY = 1.0  # seconds between two messages inside an epoch
PATIENCE = 2.0  # seconds that a run waits for the worker it came to, before it looks for another
ONE_AT_A_TIME = (
    threading.Lock()
)  # two trainings in one process would draw from the same random numbers

Result = tuple[bytes, bytes | None]


class Unwanted(Exception):  # noqa: N818 - what the run is, rather than that it is an error
    """Nobody waits for this run any more."""


class Relay:
    """The `models.progress.Progress` of a training on a worker: whoever listens to `TOPIC` hears
    it.
    """

    def __init__(self, worker: Worker, spec: RunSpec) -> None:
        self.worker, self.key = worker, task_key(spec)
        self.told = time.monotonic()

    def _tell(self, call: str, *arguments: Any) -> None:
        self.worker.log_event(TOPIC, {"key": self.key, "call": call, "arguments": list(arguments)})

    def start(self, spec: RunSpec, finished: int) -> None:
        self._tell("start", finished)

    def batch(self, epoch: int, done: int, examples: int) -> None:
        if time.monotonic() - self.told < TELL_EVERY:
            return
        self.told = time.monotonic()
        if self.unwanted():
            raise Unwanted(self.key)
        self._tell("batch", epoch, done, examples)

    def unwanted(self) -> bool:
        """Whether the asker has gone away: a thread cannot be stopped from outside, so it asks."""
        task = self.worker.state.tasks.get(self.key)
        return task is None or task.state == "cancelled"

    def epoch(self, epoch: Epoch) -> None:
        self._tell("epoch", epoch.model_dump(mode="json", exclude_unset=True))

    def note(self, message: str) -> None:
        self._tell("note", message)

    def close(self) -> None:
        self._tell("close")


def task_key(spec: RunSpec) -> str:
    """The Dask key of a run: the same for all who ask one scheduler for it, so it is trained once."""
    return f"convbook-{spec.key}"


def train(spec_json: str, store: Store | None = None, device: str | None = None) -> Result:
    """The record file's content of a run, trained here or found here, and its weights (safetensors)
    where there are.

    torch uses as many threads as Dask gave this worker, for it trains one run at a time. When it is
    busy with another, Dask is asked to place this one anew.
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
