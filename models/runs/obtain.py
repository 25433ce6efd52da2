"""Obtaining a run: a finished one is found, a new one is trained, once.

Nothing else may train. Two processes that ask for the same run train it once; a killed run goes on
from its last checkpoint.
"""

from __future__ import annotations

from models.progress import Progress, live
from models.runs.locking import locked
from models.runs.store import Found, find, own_folder
from models.specs import RunSpec


def obtain(spec: RunSpec, *, progress: Progress | None = None, device: str | None = None) -> Found:
    """The record of a run, found or else trained now; where the record is and whether it was there."""
    if found := find(spec):
        return found
    progress = progress or live()

    def waiting() -> None:
        progress.note(f"another process is training the run {spec.key}: waiting for it")

    with locked(own_folder() / f"{spec.key}.lock", waiting):
        if found := find(spec):  # the process that held the lock has trained it
            return found
        from models.runs.making import make  # brings torch along, which a lookup does not need

        record = make(spec, own_folder(), progress, device)
        return Found(record, own_folder() / f"{spec.key}.json", cached=False)
