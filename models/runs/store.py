"""Where finished runs and checkpoints are kept, and how a finished run is found.

Looking a run up imports no torch.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from dataclasses import dataclass
from pathlib import Path

from models import records
from models.files import set_aside
from models.records import CorruptRecord, Record, UnsealedRecord
from models.settings import Settings
from models.specs import RunSpec


@dataclass(frozen=True)
class StoredRun:
    """A record, the file it is in, and whether it was there before it was asked for."""

    record: Record
    path: Path
    cached: bool


@dataclass(frozen=True)
class Store:
    """The user's own runs and checkpoints in the folder `own`, and records that are published."""

    own: Path
    published: Path | None = None

    @classmethod
    def default(cls) -> Store:
        """Return the store that the environment chooses (see `models.settings`)."""
        settings = Settings.from_environment()
        return cls(settings.cache, settings.published)

    @property
    def runs(self) -> Path:
        """Folder of the user's own records and weights."""
        return self.own / "runs"

    def record_file(self, key: str) -> Path:
        """Return the file of a run's record among the user's own, perhaps not there yet."""
        return self.runs / f"{key}.json"

    def weights_file(self, key: str) -> Path:
        """Return the file of a run's weights, beside its record."""
        return self.runs / f"{key}.safetensors"

    def find(self, spec: RunSpec) -> StoredRun | None:
        """Return a finished run, published or the user's own, without training anything.

        A corrupt record is named in a warning and counts as absent. One of the user's own is set
        aside; a published one is not ours to rename.
        """
        for path in self.record_files(spec.key):
            try:
                return StoredRun(self.read(path), path, cached=True)
            except FileNotFoundError:
                continue
            except CorruptRecord as error:
                warnings.warn(self._reject(path, error), stacklevel=1)  # each said once a process
        return None

    def read(self, path: Path) -> Record:
        """Return the record of one of the store's files.

        One of the user's own from before records held a digest of themselves is given its own.

        Raises:
            CorruptRecord: It cannot be believed; of the published ones, neither one without digest.
            FileNotFoundError: There is none.
        """
        try:
            return records.read(path)
        except UnsealedRecord as error:
            if path.parent != self.runs:
                raise
            with contextlib.suppress(OSError):  # one that cannot be written is as good
                records.write(error.record, self.runs)
            return error.record

    def _reject(self, path: Path, error: CorruptRecord) -> str:
        """Set a corrupt record of the user's own aside; return what is said of it."""
        if path.parent == self.runs:
            return f"set aside a corrupt record: {error} (now {_set_aside(path)})"
        return f"a published record is corrupt: {error}; restore it from its repository"

    def locate(self, key: str) -> Path | None:
        """Return the file in which `find` would find a run, changing nothing; None without one."""
        return next((path for path in self.record_files(key) if self._would_find(path)), None)

    def _would_find(self, path: Path) -> bool:
        try:
            facts = path.stat()
        except OSError:
            return False
        own = path.parent == self.runs
        return _is_record(path, own, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size)

    def record_files(self, key: str) -> list[Path]:
        """Return the files that may hold a run's record, the published one first."""
        published = [self.published / f"{key}.json"] if self.published else []
        return [*published, self.record_file(key)]

    def checkpoint_folder(self, key: str) -> Path:
        """Return the folder of a run's checkpoints while it has not ended."""
        return self.own / "checkpoints" / key

    def checkpoint_files(self, key: str) -> list[Path]:
        """Return a run's checkpoints, newest first.

        They are called `epoch-000003`, or `epoch-000003-000006400` inside the next epoch.
        """
        files = self.checkpoint_folder(key).glob("epoch-*.safetensors")
        return sorted(files, key=lambda path: path.stem.split("-"), reverse=True)

    def last_epoch(self, key: str) -> int:
        """Return the last finished epoch that a run left a checkpoint of; 0 without one."""
        files = self.checkpoint_files(key)
        return int(files[0].stem.split("-")[1]) if files else 0


@functools.cache  # a builder asks for each record several times
def _is_record(path: Path, own: bool, *state: int) -> bool:
    """Return whether a file in a state holds a record that is believed; an old one if it is own."""
    try:
        records.read(path)
    except UnsealedRecord:
        return own
    except (CorruptRecord, FileNotFoundError):
        return False
    return True


def _set_aside(path: Path) -> str:
    """Set a corrupt record aside; return where it is now, for a message."""
    try:
        return set_aside(path).name
    except OSError as error:  # such as a read-only installation
        return f"still there: {error.strerror}"
