"""Publishing: the records that a chapter uses, copied from the user's own to the published ones.

Which ones a chapter uses is known from its executed copy. Records only: weights stay in the cache.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from book.builder import execution
from book.builder.chapters import BookError, Chapter
from models import records
from models.files import write_atomically
from models.runs.store import Store


@dataclass(frozen=True)
class Published:
    """The runs that a chapter uses with its published defaults, and those of them that were not
    published before.
    """

    docname: str
    used: tuple[str, ...]
    new: tuple[str, ...]


def used_runs(chapter: Chapter) -> tuple[str, ...]:
    """Keys of the runs that a chapter uses, executed now if its executed copy is stale.

    Raises:
        ChapterFailed: With the last line of the chapter's error.
    """
    execution.refresh(chapter)
    stamp = chapter.stamp()
    return tuple(stamp["runs"]) if stamp else ()


def publish(chapter: Chapter) -> Published:
    """Copy the records that a chapter uses to the published ones, each whole or not at all.

    Raises:
        ChapterFailed: the chapter had to be executed, and failed.
        OSError: the folder of published records cannot be written.
    """
    used = used_runs(chapter)
    published = published_records()
    new = tuple(key for key in used if key not in published)
    for key in new:
        own = Store.default().record_file(key)
        if not own.is_file():
            raise BookError(
                f"{chapter.docname} used the run {key}, which is gone from {own.parent}: execute it again"
            )
        records.read(own)  # nothing that cannot be believed is published
        write_atomically(published_folder() / own.name, own.read_bytes())
    return Published(chapter.docname, used, new)


def published_folder() -> Path:
    """Return the folder of the published records.

    Raises:
        BookError: there is none, for this book is not installed.
    """
    folder = Store.default().published
    if folder is None:
        raise BookError(
            "no folder of published records: install this book (make book) or set CONVBOOK_RUNS"
        )
    return folder


def published_records() -> dict[str, Path]:
    """The files of all published records, by their run's key."""
    return {path.stem: path for path in sorted(published_folder().glob("*.json"))}


def unused(chapters: Iterable[Chapter]) -> list[Path]:
    """Published records that no executed copy of these chapters uses, be it fresh or not."""
    stamps = [stamp for chapter in chapters if (stamp := chapter.stamp())]
    used = {key for stamp in stamps for key in stamp["runs"]}
    return [path for key, path in published_records().items() if key not in used]


def prune(chapters: Sequence[Chapter]) -> list[Path]:
    """Remove the published records that no chapter uses; returns what was removed.

    Raises:
        BookError: some chapter's executed copy is not fresh, so that nobody knows what it uses:
            nothing is removed.
    """
    stale = [
        f"{chapter.docname} ({causes[0]})" for chapter in chapters if (causes := chapter.causes())
    ]
    if stale:
        raise BookError(
            "nothing pruned: which records are unused is known only when every chapter is freshly executed, "
            f"with its published defaults; build the book first, for {', '.join(stale)}"
        )
    removed = unused(chapters)
    for path in removed:
        path.unlink()
    return removed
