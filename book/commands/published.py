"""The published records, and which of them chapters use: what publish, verify and certify share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from book.builder import execution
from book.builder.chapters import Chapter
from book.builder.errors import BookError
from models import records
from models.records import CorruptRecord, Record
from models.runs.store import Store
from models.sweeps.cores import available_cores

#: A published record; the error in place of one that cannot be believed.
Readable = Record | CorruptRecord


def load_data(found: Mapping[str, Readable]) -> None:
    """Load each data set that the runs need once: a missing one is found before any training.

    Raises:
        DataError: A data set is missing or damaged.
    """
    from models.data.loading import load

    for name in sorted({one.spec.dataset for one in found.values() if isinstance(one, Record)}):
        load(name)


def used_runs(chapter: Chapter) -> tuple[str, ...]:
    """Return the keys of the runs that a chapter uses, executed now if its copy is stale.

    Raises:
        ChapterFailed: With the last line of the chapter's error.
    """
    execution.refresh(chapter, available_cores())
    stamp = chapter.stamp()
    return tuple(stamp.runs) if stamp else ()


@dataclass(frozen=True)
class Published:
    """The published records: one file a run, in one folder."""

    folder: Path

    @classmethod
    def of(cls, store: Store) -> "Published":
        """Return the published records of a store.

        Raises:
            BookError: It has no folder for them, as where this book is not installed.
        """
        if store.published is None:
            raise BookError(
                "no folder of published records: install this book (make book) or set CONVBOOK_RUNS"
            )
        return cls(store.published)

    def files(self) -> dict[str, Path]:
        """Return the records' files by their run's key."""
        return {path.stem: path for path in sorted(self.folder.glob("*.json"))}

    def read(self, keys: Iterable[str]) -> dict[str, Readable]:
        """Return records by key, with the error in place of one whose spec is none any more."""
        files = self.files()
        return {key: _read(files[key]) for key in keys}

    def readable(self) -> list[Record]:
        """Return all records, without those that cannot be believed."""
        found = self.read(self.files()).values()
        return [record for record in found if isinstance(record, Record)]

    def used(self, chapters: Sequence[Chapter]) -> list[list[str]]:
        """Return the published runs of each chapter, executed now where its copy is stale.

        Raises:
            ChapterFailed: With the last line of the chapter's error.
        """
        files = self.files()
        return [[key for key in used_runs(chapter) if key in files] for chapter in chapters]

    def all(self, chapters: Sequence[Chapter]) -> list[list[str]]:
        """Return the published runs that each chapter used last, then those that none used."""
        files = self.files()
        used = [[key for key in _last_used(chapter) if key in files] for chapter in chapters]
        return [*used, [path.stem for path in self.unused(chapters)]]

    def unused(self, chapters: Sequence[Chapter]) -> list[Path]:
        """Return the records that no executed copy of these chapters uses, be it fresh or not."""
        used = {key for chapter in chapters for key in _last_used(chapter)}
        return [path for key, path in self.files().items() if key not in used]


def _read(path: Path) -> Readable:
    try:
        return records.read(path)
    except CorruptRecord as error:
        return error


def _last_used(chapter: Chapter) -> list[str]:
    stamp = chapter.stamp()
    return list(stamp.runs) if stamp else []
