"""Training a published run again, from nothing, as it was trained when it was recorded.

`python -m book.commands.retraining` reads a request and keeps what comes of it in a file: so
`book.commands.side_by_side` trains several at once, each in a process of its own.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from models.files import read_model, write_atomically
from models.progress import Progress, Silent
from models.records import CorruptRecord, Epoch, Provenance, Record
from models.runs.locking import locked
from models.runs.store import Store
from models.specs import RunSpec


class Start(BaseModel):
    """The first epochs of a run that was trained again: all of them where it is so short."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str
    diverged: bool
    history: tuple[Epoch, ...] = Field(min_length=1)
    provenance: Provenance


@dataclass(frozen=True)
class Place:
    """Where a run would be trained now, and with what."""

    device: str
    device_name: str
    processor_features: str
    platform: str
    versions: dict[str, str | None]

    @classmethod
    def here(cls, device: str | None = None) -> Place:
        """Return this place; by default with its GPU, where there is one."""
        import torch

        from models.runs import making

        device = device or making.default_device()
        versions = {name: making.version(name) for name in making.PACKAGES if name != "convbook"}
        return cls(
            device=device,
            device_name=making.device_name(torch.device(device)),
            processor_features=making.processor_features(),
            platform=f"{platform.system()} {platform.machine()}",
            versions=versions | {"python": platform.python_version()},
        )


def retrain(record: Record, progress: Progress, device: str | None = None) -> Record:
    """Return the record of a run trained again, with as many threads as then if there are so many.

    It is trained in an empty store: nothing that was trained before is used, neither a record nor
    a checkpoint.
    """
    from models.runs.making import make

    with (
        TemporaryDirectory(prefix="convbook-verify-") as folder,
        _threads(threads_here(record)),
    ):
        return make(record.spec, Store(Path(folder)), progress, device)


def retrain_start(
    record: Record, epochs: int, progress: Progress, device: str | None = None
) -> Start:
    """Return the first epochs of a run trained again; no file is read or written but the data."""
    with _threads(threads_here(record)):
        return _start(record.spec, epochs, progress, device)


def threads_here(record: Record) -> int:
    """Return with how many threads a run is trained again: as recorded, if there are so many."""
    return min(record.provenance.threads, os.cpu_count() or 1)


def _start(
    spec: RunSpec,
    epochs: int,
    progress: Progress,
    device: str | None = None,
    store: Store | None = None,
) -> Start:
    """Train the first epochs of a run, in a store from its last checkpoint there on."""
    from models.runs import checkpoints
    from models.runs.making import data_of, default_device, keep_threads, provenance
    from models.training.loop import Training
    from models.training.probes import attach

    keep_threads(spec.precision)
    data = data_of(spec)
    training = Training(spec, data, device or default_device(), progress)
    attach(training)
    resumed = checkpoints.resume(training, store, progress) if store else None
    progress.start(spec, resumed or 0)
    try:
        for _ in itertools.islice(training.epochs(), max(0, epochs - len(training.history))):
            if store and not training.diverged:
                checkpoints.write(training, store)
    finally:
        progress.close()
    return Start(
        key=spec.key,
        diverged=training.diverged,
        history=tuple(training.history),
        provenance=provenance(training, data.source_kind, resumed),
    )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use so many threads meanwhile."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def kept(key: str, folder: Path, epochs: int, place: Place) -> Start | None:
    """Return what was kept of a run trained again here, if that is as long as asked for.

    A file that cannot be believed counts as absent: the run is trained again.
    """
    try:
        start = read_model(folder / f"{key}.json", Start, CorruptRecord)
    except (CorruptRecord, FileNotFoundError):
        return None
    made = start.provenance
    same = (made.device, made.device_name) == (place.device, place.device_name)
    whole = len(start.history) >= epochs or start.diverged
    return start if start.key == key and same and whole else None


def keep(spec: RunSpec, epochs: int, threads: int, device: str, folder: Path) -> None:
    """Train the first epochs of a run, from its last checkpoint in the folder on, and keep them.

    Two processes that are told the same train it one after the other, the second in no time.
    """
    from models.runs import checkpoints

    with locked(folder / f"{spec.key}.lock"), _threads(threads):
        if kept(spec.key, folder, epochs, Place.here(device)):
            return
        start = _start(spec, epochs, Silent(), device, Store(folder))
        write_atomically(folder / f"{spec.key}.json", start.model_dump_json(indent=1).encode())
        checkpoints.drop(spec.key, Store(folder))


def answer(request: dict[str, Any]) -> None:
    """Keep the run that a request in JSON names."""
    spec, folder = RunSpec(**request.pop("spec")), Path(request.pop("folder"))
    keep(spec, folder=folder, **request)


if __name__ == "__main__":
    answer(json.load(sys.stdin))
