"""Training a published run again, from nothing, as it was trained when it was recorded."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from models.progress import Progress
from models.records import Epoch, Record
from models.runs.store import Store


def retrain(record: Record, progress: Progress, device: str | None = None) -> Record:
    """Return the record of a run trained again, with as many threads as then if there are so many.

    It is trained in an empty store: nothing that was trained before is used, neither a record nor
    a checkpoint.
    """
    from models.runs.making import make

    with (
        TemporaryDirectory(prefix="convbook-verify-") as folder,
        _threads(record.provenance.threads),
    ):
        return make(record.spec, Store(Path(folder)), progress, device)


def retrain_start(
    record: Record, epochs: int, progress: Progress, device: str | None = None
) -> list[Epoch]:
    """Return the first epochs of a run trained again; no file is read or written but the data."""
    from models.runs.making import data_of, default_device
    from models.training.loop import Training
    from models.training.probes import attach

    with _threads(record.provenance.threads):
        training = Training(record.spec, data_of(record.spec), device or default_device(), progress)
        attach(training)
        progress.start(record.spec, 0)
        try:
            return list(itertools.islice(training.epochs(), epochs))
        finally:
            progress.close()


def device_name(device: str | None) -> str:
    """Return the name of the processor or GPU that trains."""
    import torch

    from models.runs import making

    return making.device_name(torch.device(device or making.default_device()))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use so many threads meanwhile, if there are so many."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(count, os.cpu_count() or 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
