"""Where finished runs and checkpoints are kept, and how a finished run is found.

Looking a run up imports no torch.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from models import records
from models.folders import absolute, cache_folder
from models.records import CorruptRecord, Record
from models.specs import RunSpec


@dataclass(frozen=True)
class Found:
    """A record, the file it is in, and whether it was there before it was asked for."""

    record: Record
    path: Path
    cached: bool


def published_folder() -> Path:
    """Folder of the published records: `CONVBOOK_RUNS`, else `book/runs` beside this package."""
    chosen = os.environ.get("CONVBOOK_RUNS")
    return absolute(chosen) if chosen else Path(__file__).resolve().parents[2] / "book" / "runs"


def locate(key: str) -> Path | None:
    """The file of a finished run, published or the user's own; None when there is none."""
    paths = (folder / f"{key}.json" for folder in (published_folder(), own_folder()))
    return next((path for path in paths if path.is_file()), None)


def own_folder() -> Path:
    """Folder of the user's own records and weights, in the cache folder."""
    return cache_folder() / "runs"


def checkpoint_folder(key: str) -> Path:
    """Folder of a run's checkpoints while it has not ended."""
    return cache_folder() / "checkpoints" / key


def checkpoint_files(key: str) -> list[Path]:
    """A run's checkpoints, newest first: `epoch-000003`, or `epoch-000003-000006400` inside the
    next epoch.
    """
    files = checkpoint_folder(key).glob("epoch-*.safetensors")
    return sorted(files, key=lambda path: path.stem.split("-"), reverse=True)


def last_epoch(key: str) -> int:
    """The number of the last finished epoch that a run left a checkpoint of; 0 without one."""
    files = checkpoint_files(key)
    return int(files[0].stem.split("-")[1]) if files else 0


def find(spec: RunSpec) -> Found | None:
    """The spec's finished run, published or the user's own, without training anything.

    A corrupt record is named in a warning, set aside, and counts as absent.
    """
    for folder in (published_folder(), own_folder()):
        path = folder / f"{spec.key}.json"
        try:
            return Found(records.read(path), path, cached=True)
        except FileNotFoundError:
            continue
        except CorruptRecord as error:
            warnings.warn(
                f"set aside a corrupt record: {error} (now {_set_aside(path)})", stacklevel=2
            )
    return None


def _set_aside(path: Path) -> str:
    try:
        return records.set_aside(path).name
    except OSError as error:  # such as a read-only installation
        return f"still there: {error.strerror}"
