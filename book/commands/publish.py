"""`python -m book publish`: the records that a chapter uses, copied to the published ones.

Which ones a chapter uses is known from its executed copy. Records only: weights stay in the cache.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from book import settings
from book.builder.chapters import Chapter, find_book, named
from book.builder.errors import BookError
from book.commands.published import Published, used_runs
from models.files import write_atomically
from models.runs.store import Store

MOST_NAMED, FEW = 10, 3  # runs that are all named, and of more how many


@dataclass(frozen=True)
class Publication:
    """The runs that a chapter uses, and those of them that were not published before."""

    docname: str
    used: tuple[str, ...]
    new: tuple[str, ...]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the chapters, and whether to prune."""
    command.add_argument("chapters", nargs="*", metavar="CHAPTER")
    prune = "then remove the records that no chapter uses"
    command.add_argument("--prune", action="store_true", help=prune)


def main(options: argparse.Namespace) -> int:
    """Publish, and say what was new and what no chapter uses any more."""
    chapters = find_book(Path.cwd(), published=True).chapters()
    if not options.chapters and not options.prune:
        docnames = ", ".join(chapter.docname for chapter in chapters)
        raise BookError(f"expected a CHAPTER; this book has {docnames}")
    store = settings.store()
    published = Published.of(store)
    for chapter in named(chapters, options.chapters) if options.chapters else []:
        done = publish(chapter, store)
        print(f"{done.docname}: records used: {len(done.used)}, newly published: {len(done.new)}")
    if options.prune:
        print(f"pruned: {_names(prune(chapters, published))}")
    elif unused := published.unused(chapters):
        print(f"note: published, but used by no chapter as last executed here: {_names(unused)}")
    return 0


def publish(chapter: Chapter, store: Store) -> Publication:
    """Copy the records that a chapter uses to the published ones, each whole or not at all.

    Raises:
        ChapterFailed: The chapter had to be executed, and failed.
        OSError: The folder of published records cannot be written.
    """
    published = Published.of(store)
    used = used_runs(chapter)
    known = published.files()
    new = tuple(key for key in used if key not in known)
    for key in new:
        own = store.record_file(key)
        if not own.is_file():
            raise BookError(
                f"{chapter.docname} used the run {key}, which is gone from {own.parent}: "
                "execute it again"
            )
        store.read(own)  # nothing that cannot be believed is published
        write_atomically(published.folder / own.name, own.read_bytes())
    return Publication(chapter.docname, used, new)


def prune(chapters: Sequence[Chapter], published: Published) -> list[Path]:
    """Remove the published records that no chapter uses; return what was removed.

    Raises:
        BookError: Some chapter's executed copy is not fresh, so that nobody knows what it uses:
            nothing is removed.
    """
    stale = [
        f"{chapter.docname} ({causes[0]})" for chapter in chapters if (causes := chapter.causes())
    ]
    if stale:
        raise BookError(
            "nothing pruned: which records are unused is known only when every chapter is freshly "
            "executed, with its published defaults; build the book first, "
            f"for {', '.join(stale)}"
        )
    removed = published.unused(chapters)
    for path in removed:
        path.unlink()
    return removed


def _names(paths: Sequence[Path]) -> str:
    """Return the records' keys, and of many a few and how many there are."""
    keys = [path.stem for path in paths]
    if len(keys) <= MOST_NAMED:
        return ", ".join(keys) or "nothing"
    return f"{len(keys)} runs: {', '.join(keys[:FEW])} and {len(keys) - FEW} more"
