"""Obtaining a run: a finished one is found, a new one is trained, once.

Nothing else may train. Two processes that ask for the same run train it once; a killed run goes on
from its last checkpoint.
"""

from __future__ import annotations

from models.progress import Progress, live
from models.runs.locking import locked
from models.runs.store import Store, StoredRun
from models.specs import RunSpec


def obtain(
    spec: RunSpec,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    device: str | None = None,
) -> StoredRun:
    """Return a run, found in the store (by default the environment's) or else trained now."""
    store = store or Store.default()
    if found := store.find(spec):
        return found
    progress = progress or live()

    def waiting() -> None:
        progress.note(f"another process is training the run {spec.key}: waiting for it")

    with locked(store.runs / f"{spec.key}.lock", waiting):
        if found := store.find(spec):  # the process that held the lock has trained it
            return found
        from models.runs.making import make  # brings torch along, which a lookup does not need

        record = make(spec, store, progress, device)
        return StoredRun(record, store.record_file(spec.key), cached=False)


def require_device(device: str | None) -> None:
    """Refuse a device that is not there, before anything is done for any run.

    Raises:
        SpecError: It is not there.
    """
    if device == "cuda":  # there is a processor in any case, and torch takes a second to load
        from models.runs.making import available_device

        available_device(device)
