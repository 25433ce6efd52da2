"""One build: which chapters are stale, executing them, and what each page shows."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

from book.builder import contents, pool, staleness
from book.builder.chapters import Book, Chapter, is_executed, named
from book.builder.errors import BookError
from book.builder.execution import Outcome
from book.builder.options import Options, book_root
from book.builder.used_runs import tell_used_runs

logger = logging.getLogger(__name__)
STATES = "convbook_states"  # of pages as they were read: kept in Sphinx's environment
AGAIN = 1  # times that a chapter is executed once more because something changed meanwhile


class Build:
    """The chapters of one build of a book by Sphinx, named as Sphinx names them."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.outcomes: dict[str, Outcome] = {}
        self._causes: dict[str, list[str]] = {}

    @cached_property
    def book(self) -> Book:
        """The book that is built."""
        root = book_root(Path(self.app.srcdir))
        with _refusing():
            options = Options.of({option.name: option.value for option in self.app.config})
            return Book.configured(root, Path(self.app.outdir).resolve().parent, options)

    @cached_property
    def stale(self) -> dict[str, list[str]]:
        """The chapters that are stale at first, each with its causes; looked for once a build."""
        forced = self._chosen(self.book.options.force)
        found = {
            name: self.causes(name) or ["it was asked for"] * (name in forced)
            for name in self.names()
        }
        return {name: causes for name, causes in found.items() if causes}

    def causes(self, docname: str) -> list[str]:
        """Return why a chapter is stale, as it stands now."""
        if docname not in self._causes:
            self._causes[docname] = self.chapter(docname).causes()
        return self._causes[docname]

    @cached_property
    def allowed(self) -> set[str]:
        """The chapters that may be executed."""
        options = self.book.options
        return set() if options.frozen else self._chosen(options.only or "*")

    def _chosen(self, option: str) -> set[str]:
        words = option.split()
        if not words or "*" in words:
            return set(self.names()) if words else set()
        with _refusing():
            chosen = named([self.chapter(name) for name in self.names()], words)
        return {chapter.docname for chapter in chosen}

    def source(self, docname: str) -> Path:
        """Return a page's source."""
        return Path(self.app.env.doc2path(docname))

    def is_chapter(self, docname: str) -> bool:
        """Whether a page is a notebook, or a variant of one."""
        return is_executed(self.source(docname))

    def chapter(self, docname: str) -> Chapter:
        """Return a chapter, its name from the book's root, in whatever folder Sphinx started."""
        path = Path(self.app.srcdir).resolve() / docname
        name = path.relative_to(self.book.root).as_posix()
        return self.book.chapter(name, self.source(docname))

    def names(self) -> list[str]:
        """Return the names of all chapters."""
        return sorted(filter(self.is_chapter, self.app.env.found_docs))

    def check(self) -> None:
        """Say what is wrong with the contents, and refuse stale chapters in a frozen build.

        Raises:
            SystemExit: A chapter is stale, and nothing may be executed.
        """
        tell_used_runs(self.book)
        for problem in contents.problems(self.book.root):
            logger.error(problem)
            self.app.statuscode = 1
        options = self.book.options
        if options.frozen and self.stale and not options.allow_stale:
            told = "; ".join(f"{name} ({causes[0]})" for name, causes in self.stale.items())
            raise SystemExit(
                f"convbook: frozen, but stale: {told}. Build without --frozen to execute them, "
                "or with --allow-stale to show them as they were executed"
            )
        self._say_drift()

    def _say_drift(self) -> None:
        """Say which libraries have other versions now; nothing is executed for that."""
        reused = [self.chapter(name).stamp() for name in self.names() if name not in self.stale]
        found = {
            f"{library} {old} then, {new or 'none'} now"
            for stamp in reused
            for library, (old, new) in (staleness.drift(stamp) if stamp else {}).items()
        }
        if found:
            told = ", ".join(sorted(found))
            logger.info(
                f"chapters were executed with other libraries: {told} (to execute: --force)"
            )

    def execute(self) -> None:
        """Execute the stale chapters that may be, and those again that changed meanwhile."""
        allowed = self.allowed - self.outcomes.keys()
        due = {name: why for name, why in self.stale.items() if name in allowed}
        times: Counter[str] = Counter()
        while due := {name: why for name, why in due.items() if times[name] <= AGAIN}:
            times.update(due.keys())
            for name, causes in due.items():
                logger.info("chapter %s: executing, because %s", name, "; ".join(causes))
            self._execute(due)
            due = self._changed()
        for name in self._changed():
            logger.warning("chapter %s changes while it is executed", name, location=name)
        for name, outcome in self.outcomes.items():
            if outcome.error:
                logger.error("chapter %s failed: %s", name, outcome.error, location=name)

    def _execute(self, names: Iterable[str]) -> None:
        chapters = {name: self.chapter(name) for name in names}
        own = {chapter.docname: name for name, chapter in chapters.items()}

        def report(outcome: Outcome) -> None:
            self.report(own[outcome.docname], outcome)

        with _refusing():
            pool.execute_all(list(chapters.values()), report, logger.warning)
        tell_used_runs(self.book)
        self._causes.clear()

    def _changed(self) -> dict[str, list[str]]:
        """Return the chapters that what was executed has made stale, with their causes."""
        found = {
            name: self._missed(self.outcomes[name]) if self._has_failed(name) else self.causes(name)
            for name in sorted(self.allowed)
        }
        return {name: causes for name, causes in found.items() if causes}

    def _has_failed(self, docname: str) -> bool:
        return docname in self.outcomes and self.outcomes[docname].error is not None

    def _missed(self, failed: Outcome) -> list[str]:
        """Return the files that a failed chapter read, and another one wrote afterwards."""
        later = {
            path: other.docname
            for other in self.outcomes.values()
            if other is not failed and other.began + other.seconds > failed.began
            for path in other.seen.written
        }
        read = sorted(set(failed.seen.read) & set(later))
        return [f"{later[path]} wrote {path}" for path in read]

    def report(self, docname: str, outcome: Outcome) -> None:
        """Keep how an execution ended, and log it; errors are logged when all have ended."""
        self.outcomes[docname] = outcome
        self._causes.clear()
        for line in dict.fromkeys(outcome.warnings):
            logger.warning("chapter %s: %s", docname, line, location=docname)
        how = "failed" if outcome.error else "executed"
        logger.info("chapter %s: %s in %.1f s", docname, how, outcome.seconds)

    def copy(self, docname: str) -> Path:
        """Return the executed copy to render: of the last execution, be it a failed one."""
        chapter = self.chapter(docname)
        return chapter.failed if chapter.failed.exists() else chapter.executed

    def outdated(self) -> list[str]:
        """Return the chapters whose pages must be read anew, whatever Sphinx knows of files."""
        shown: dict[str, str] = getattr(self.app.env, STATES, {})
        executed = {self.chapter(name).source for name in self.stale}
        return [
            name
            for name in self.names()
            if self.chapter(name).source in executed or shown.get(name) != self.state(name)
        ]

    def state(self, docname: str) -> str:
        """Return what a page depends on beside its source and its executed copy."""
        return repr((self.causes(docname), str(self.copy(docname)), self.book.runs.state()))

    def failed(self) -> int:
        """Return how many executions failed."""
        return sum(outcome.error is not None for outcome in self.outcomes.values())

    def failures(self) -> dict[str, tuple[Path, Path]]:
        """Return the chapters whose last execution failed, or that have none.

        Each comes with its page's source and its notebook, which differ for a variant. Before the
        stale chapters are executed, it is too early to ask.
        """
        good = {name for name in self.names() if self.chapter(name).executed.exists()}
        failed = {name for name in self.names() if self.chapter(name).failed.exists()}
        missing = {name for name in self.outcomes if self.outcomes[name].error}
        names = (set(self.names()) - good) | failed | missing
        return {name: (self.source(name), self.chapter(name).source) for name in names}

    def summary(self) -> str:
        """Return the build's last line."""
        executed, reused = len(self.outcomes), len(self.names()) - len(self.outcomes)
        failed = self.failed()
        stale = len(self.stale.keys() - self.allowed)
        told = f"chapters: {executed - failed} executed, {reused - stale} reused, {failed} failed"
        return f"{told}, {stale} shown as they were executed" if stale else told


@contextmanager
def _refusing() -> Iterator[None]:
    """End the build with one line where the book is not as it must be."""
    try:
        yield
    except BookError as error:
        raise SystemExit(f"convbook: {error}") from None
