"""Executing one chapter with papermill, whole or not at all, in a process of its own."""

import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat

from book.builder import engine, staleness
from book.builder.chapters import Chapter
from book.builder.errors import BookError, ChapterFailed
from book.builder.notebooks import read_notebook
from book.builder.stamps import Stamp


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: after `seconds`, with what Python warned of, and the error if any.

    Of the error it has the last line.
    """

    docname: str
    seconds: float
    warnings: tuple[str, ...] = ()
    error: str | None = None


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
    """Execute a chapter, in a kernel that may use so many threads.

    Its executed copy appears whole, with the stamp of what it depends on, or not at all. A failed
    execution is kept beside it with its traceback, and reported in the outcome, never raised.
    """
    started, began = time.perf_counter(), time.time()
    try:
        source = read_notebook(chapter.source)
    except BookError as refused:
        return Outcome(chapter.docname, 0.0, error=str(refused))
    good, failed = chapter.executed, chapter.failed
    good.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=good.parent, prefix=".") as folder:
        draft = Path(folder, good.name)
        error = engine.execute(source, draft, chapter, threads)
        seconds = time.perf_counter() - started
        executed = nbformat.read(draft, as_version=4) if draft.exists() else None
        executed = executed or nbformat.from_dict(source)
        _dependencies(
            source,
            executed,
            chapter,
            began,
            seconds=round(seconds, 1),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            error=error,
        ).write(executed)
        nbformat.write(executed, draft)
        os.replace(draft, failed if error else good)
    if error is None:
        failed.unlink(missing_ok=True)
    last_line = error.strip().splitlines()[-1] if error else None
    return Outcome(chapter.docname, seconds, warnings_in(executed), last_line)


def _dependencies(
    source: Any, executed: Any, chapter: Chapter, began: float, **outcome: Any
) -> Stamp:
    book = chapter.book
    ignored = book.options.ignored.split()
    return staleness.stamp(
        source, executed, chapter.parameters, book.root, book.runs, began, ignored, **outcome
    )


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
