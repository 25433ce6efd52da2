"""One build: which chapters are stale, executing them, and what came of it."""

import multiprocessing
import os
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.util import logging

from book.builder import execution, overlay, provenance
from book.builder.chapters import Book, Chapter
from book.builder.errors import BookError
from book.builder.notebooks import read_source
from book.builder.options import Options, book_root

logger = logging.getLogger(__name__)


class Build:
    """The chapters of one build of a book by Sphinx, named as Sphinx names them."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.outcomes: dict[str, execution.Outcome] = {}

    @cached_property
    def book(self) -> Book:
        """The book that is built."""
        root = book_root(Path(self.app.srcdir))
        options = Options.of({option.name: option.value for option in self.app.config})
        try:
            return Book.configured(root, Path(self.app.outdir).resolve().parent, options)
        except BookError as error:
            raise SystemExit(f"convbook: {error}") from None

    @cached_property
    def stale(self) -> dict[str, list[str]]:
        """The stale chapters, each with its causes; looked for once a build."""
        found = {name: self.chapter(name).causes() for name in self.names()}
        return {name: causes for name, causes in found.items() if causes}

    def source(self, docname: str) -> Path:
        """Return a page's source."""
        return Path(self.app.env.doc2path(docname))

    def is_chapter(self, docname: str) -> bool:
        """Whether a page is a notebook."""
        return self.source(docname).suffix == ".ipynb"

    def chapter(self, docname: str) -> Chapter:
        """Return a chapter, its name from the book's root, in whatever folder Sphinx started."""
        path = Path(self.app.srcdir).resolve() / docname
        name = path.relative_to(self.book.root).as_posix()
        return self.book.chapter(name, self.source(docname))

    def names(self) -> list[str]:
        """Return the names of all chapters."""
        return sorted(filter(self.is_chapter, self.app.env.found_docs))

    def execute(self) -> None:
        """Execute the stale chapters that have not been, each in a process of its own."""
        due = [name for name in self.stale if name not in self.outcomes]
        if not due:
            return
        cores = os.cpu_count() or 1
        workers = min(cores, len(due))
        threads = max(1, cores // workers)
        for name in due:
            logger.info("chapter %s: executing, because %s", name, "; ".join(self.stale[name]))
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn, max_tasks_per_child=1) as pool:
            futures = {
                pool.submit(execution.execute, self.chapter(name), threads): name for name in due
            }
            for future in as_completed(futures):
                self.report(futures[future], ended(future, futures[future]))

    def report(self, docname: str, outcome: execution.Outcome) -> None:
        """Keep how an execution ended, and log it."""
        self.outcomes[docname] = outcome
        for line in outcome.warnings:
            logger.warning("chapter %s: %s", docname, line, location=docname)
        if outcome.error:
            logger.error("chapter %s failed: %s", docname, outcome.error, location=docname)
        else:
            logger.info("chapter %s: executed in %.1f s", docname, outcome.seconds)

    def copy(self, docname: str) -> Path:
        """Return the executed copy to render: of the last execution, be it a failed one."""
        chapter = self.chapter(docname)
        return chapter.failed if chapter.failed.exists() else chapter.executed

    def page(self, docname: str) -> str:
        """Return the notebook to render: the source with its outputs and its provenance."""
        chapter, copy = self.chapter(docname), self.copy(docname)
        try:
            notebook = read_source(chapter.source)
        except BookError as error:
            return _text(provenance.unreadable(docname, str(error)))
        self.app.env.note_dependency(str(copy))
        if not copy.exists():
            reason = self.outcomes[docname].error or "it was not executed"
            return _text(provenance.unreadable(docname, reason))
        page = overlay.overlay(notebook, nbformat.read(copy, as_version=4), chapter.parameters)
        page.cells += provenance.boxes(page, self.book.runs)
        return _text(page)

    def newest(self) -> float:
        """Return when the last chapter was executed, in seconds since the epoch; 0 if none was."""
        copies = [self.copy(name) for name in self.names()]
        return max((copy.stat().st_mtime for copy in copies if copy.exists()), default=0)

    def failed(self) -> int:
        """Return how many executions failed."""
        return sum(outcome.error is not None for outcome in self.outcomes.values())

    def failures(self) -> dict[str, Path]:
        """Return the chapters whose last execution failed, or that have none, with their sources.

        Before the stale chapters are executed, it is too early to ask.
        """
        good = {name for name in self.names() if self.chapter(name).executed.exists()}
        failed = {name for name in self.names() if self.chapter(name).failed.exists()}
        missing = {name for name in self.outcomes if self.outcomes[name].error}
        return {name: self.source(name) for name in (set(self.names()) - good) | failed | missing}

    def summary(self) -> str:
        """Return the build's last line."""
        executed, reused = len(self.outcomes), len(self.names()) - len(self.outcomes)
        failed = self.failed()
        return f"chapters: {executed - failed} executed, {reused} reused, {failed} failed"


def _text(notebook: Any) -> str:
    return str(nbformat.writes(notebook))


def ended(future: Future[execution.Outcome], docname: str) -> execution.Outcome:
    """Return how an execution ended.

    A process that died, or a full disk, fails the chapter, not the build.
    """
    try:
        return future.result()
    except (BrokenProcessPool, OSError) as error:
        return execution.Outcome(docname, 0.0, error=f"{type(error).__name__}: {error}")
