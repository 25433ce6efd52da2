"""Executing one chapter: its executed copy appears whole or not at all."""

import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from book.builder import edition, engine, environment, staleness
from book.builder.chapters import USED_RUNS, Book, Chapter
from book.builder.errors import BookError, ChapterFailed
from book.builder.kernels import Kernels, Settings
from book.builder.trace import Seen

SYNTAX = threading.Lock()  # CPython 3.11 fails when two threads make syntax trees at once


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: after `seconds`, with what Python warned of, and the error if any.

    Of the error it has the last line. It `began` so many seconds after the epoch, and used what was
    `seen`, as far as it came.
    """

    docname: str
    seconds: float
    warnings: tuple[str, ...] = ()
    error: str | None = None
    began: float = 0.0
    seen: Seen = field(default_factory=Seen)


def refresh(chapter: Chapter, threads: int) -> None:
    """Execute the chapter in this process, unless its copy is fresh; say why on stderr.

    Raises:
        ChapterFailed: With the last line of the chapter's error.
    """
    causes = chapter.causes()
    if not causes:
        return
    reason = f"chapter {chapter.docname}: executing, because {'; '.join(causes)}"
    print(reason, file=sys.stderr, flush=True)
    outcome = execute(chapter, threads)
    if outcome.error:
        raise ChapterFailed(f"chapter {chapter.docname} failed: {outcome.error}")


def execute(chapter: Chapter, threads: int = 1) -> Outcome:
    """Execute a chapter alone, in a kernel that may use so many threads; see `execute_in`."""
    with kernels_of(chapter.book, threads) as kernels:
        return execute_in(kernels, chapter)


def kernels_of(book: Book, threads: int, *, many: bool = False) -> Kernels:
    """Return kernels for a book's chapters, each of which may use so many threads.

    `many` of them share the libraries that `convbook_preload` names: a few load what they need.
    """
    given = environment.of_kernel(threads)
    own = {name: value for name, value in given.items() if not name.startswith("JPY_")}
    own[environment.USED_RUNS] = str((book.build / USED_RUNS).resolve())
    options = book.options
    preload = options.preload.split() if many else []
    return Kernels(Settings(book.root, own, preload, options.environment.split()))


def execute_in(kernels: Kernels, chapter: Chapter) -> Outcome:
    """Execute a chapter in a new kernel of `kernels`.

    Its executed copy appears whole, with the stamp of what it depends on, or not at all. A failed
    execution is kept beside it with its traceback, and reported in the outcome, never raised.
    Nothing is kept of one that was interrupted.
    """
    began = time.time()
    try:
        source = chapter.notebook()
        done = engine.execute(source, chapter, kernels)
        if kernels.closed:
            return failure(chapter, began, "interrupted")
        seconds = time.time() - began
        _keep(chapter, source, done, began, seconds)
    except BookError as refused:
        return failure(chapter, began, str(refused))
    except OSError as refused:
        return failure(chapter, began, f"{refused.filename}: {refused.strerror}")
    last_line = done.error.strip().splitlines()[-1] if done.error else None
    said = warnings_in(done.notebook)
    return Outcome(chapter.docname, seconds, said, last_line, began, done.seen)


def failure(chapter: Chapter, began: float, error: str) -> Outcome:
    """Return the outcome of an execution that left nothing."""
    return Outcome(chapter.docname, time.time() - began, error=error, began=began)


def _keep(
    chapter: Chapter, source: Any, done: engine.Execution, began: float, seconds: float
) -> None:
    """Write the executed copy with its stamp, in the place of a good or of a failed one."""
    book, executed = chapter.book, done.notebook
    with SYNTAX:
        stamp = staleness.stamp(
            source,
            executed,
            chapter.parameters,
            book.root,
            book.runs,
            began,
            seconds=round(seconds, 1),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            error=done.error,
            version=str(edition.read_citation(book.root).get("version", "")),
            commit=edition.commit(book.root),
        )
    stamp.write(executed)
    write_whole(executed, chapter.failed if done.error else chapter.executed)
    if done.error is None:
        chapter.failed.unlink(missing_ok=True)


def write_whole(notebook: Any, path: Path) -> None:
    """Write a notebook to a file that appears whole or stays as it was.

    Raises:
        OSError: It names the file and the reason, such as a full disk.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, draft)
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be removed
            draft.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from None


def warnings_in(notebook: Any) -> tuple[str, ...]:
    """Return the lines on stderr in which Python warns.

    Progress is written there too, and is none of the page's business.
    """
    streams = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]
    return tuple(line for text in streams for line in text.splitlines() if "Warning: " in line)
