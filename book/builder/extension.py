"""The Sphinx extension: `jupyter-book build .` executes the stale chapters and renders their
executed copies.
"""

import atexit
import multiprocessing
import os
import shutil
import sys
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from book.builder import execution, overlay, paper, provenance
from book.builder.chapters import (
    BookError,
    Chapter,
    book_root,
    load_profile,
    parameters_for,
    read_source,
)

logger = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent


class Chapters:
    """The chapters of one build: which are stale, and how executing them went."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.build = Path(app.outdir).resolve().parent
        self.root = book_root(Path(app.srcdir))
        try:
            self.profile = load_profile(app.config.convbook_profile)
        except BookError as error:
            raise SystemExit(f"convbook: {error}") from None
        self.outcomes: dict[str, execution.Outcome] = {}
        self.stale: dict[str, list[str]] | None = None

    def source(self, docname: str) -> Path:
        return Path(self.app.env.doc2path(docname))

    def chapter(self, docname: str) -> Chapter:
        """A chapter, its name from the book's root, whatever folder Sphinx was started in."""
        name = (Path(self.app.srcdir).resolve() / docname).relative_to(self.root).as_posix()
        source = self.source(docname)
        return Chapter(
            name, source, self.build, self.root, parameters_for(self.profile, name, source)
        )

    def names(self) -> list[str]:
        return sorted(
            name for name in self.app.env.found_docs if self.source(name).suffix == ".ipynb"
        )

    def find_stale(self) -> dict[str, list[str]]:
        """The stale chapters, each with its causes; looked for once a build."""
        if self.stale is None:
            found = {name: self.chapter(name).causes() for name in self.names()}
            self.stale = {name: causes for name, causes in found.items() if causes}
        return self.stale

    def execute(self) -> None:
        """Execute the stale chapters that have not been, each in a process of its own, several at
        once.
        """
        todo = {
            name: causes for name, causes in self.find_stale().items() if name not in self.outcomes
        }
        if not todo:
            return
        cores = os.cpu_count() or 1
        workers = min(cores, len(todo))
        threads = max(1, cores // workers)
        for name, causes in todo.items():
            logger.info("chapter %s: executing, because %s", name, "; ".join(causes))
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn, max_tasks_per_child=1) as pool:
            futures = {
                pool.submit(execution.execute, self.chapter(name), threads): name for name in todo
            }
            for future in as_completed(futures):
                self.report(futures[future], ended(future, futures[future]))

    def report(self, docname: str, outcome: execution.Outcome) -> None:
        self.outcomes[docname] = outcome
        for line in outcome.warnings:
            logger.warning("chapter %s: %s", docname, line, location=docname)
        if outcome.error:
            logger.error("chapter %s failed: %s", docname, outcome.error, location=docname)
        else:
            logger.info("chapter %s: executed in %.1f s", docname, outcome.seconds)

    def copy(self, docname: str) -> Path:
        """The executed copy to render: of the last execution, be it a failed one."""
        chapter = self.chapter(docname)
        return chapter.failed if chapter.failed.exists() else chapter.executed

    def summary(self) -> str:
        failed = sum(outcome.error is not None for outcome in self.outcomes.values())
        executed = len(self.outcomes) - failed
        return f"chapters: {executed} executed, {len(self.names()) - len(self.outcomes)} reused, {failed} failed"


def ended(future: Future[execution.Outcome], docname: str) -> execution.Outcome:
    """How an execution ended; a process that died, or a full disk, fails the chapter, not the
    build.
    """
    try:
        return future.result()
    except (BrokenProcessPool, OSError) as error:
        return execution.Outcome(docname, 0.0, error=f"{type(error).__name__}: {error}")


def add_style(app: Sphinx, config: Config) -> None:
    config.html_static_path.append(str(HERE / "static"))
    app.add_css_file("book.css")


def find_outdated(app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    if not hasattr(app, "chapters"):
        app.chapters = Chapters(app)  # type: ignore[attr-defined]
    return list(app.chapters.find_stale())  # type: ignore[attr-defined]


def execute_stale(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    app.chapters.execute()  # type: ignore[attr-defined]


def read_executed(app: Sphinx, docname: str, source: list[str]) -> None:
    """Hand Sphinx the source with its outputs and its provenance."""
    chapters: Chapters = app.chapters  # type: ignore[attr-defined]
    if chapters.source(docname).suffix != ".ipynb":
        return
    copy = chapters.copy(docname)
    try:
        notebook = read_source(chapters.source(docname))
    except BookError as error:
        source[0] = nbformat.writes(provenance.unreadable(docname, str(error)))
        return
    app.env.note_dependency(str(copy))
    if not copy.exists():
        reason = chapters.outcomes[docname].error or "it was not executed"
        source[0] = nbformat.writes(provenance.unreadable(docname, reason))
        return
    executed = nbformat.read(copy, as_version=4)
    page = overlay.overlay(notebook, executed, chapters.chapter(docname).parameters)
    page.cells += provenance.boxes(page)
    source[0] = nbformat.writes(page)


def rewrite_glued(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """All pages, when a chapter is newer than a page: glued numbers may stand anywhere."""
    if not isinstance(app.builder, StandaloneHTMLBuilder):
        return []
    pages = [Path(app.builder.get_outfilename(name)) for name in env.found_docs]
    copies = [app.chapters.copy(name) for name in app.chapters.names()]  # type: ignore[attr-defined]
    newest = max((copy.stat().st_mtime for copy in copies if copy.exists()), default=0)
    return (
        sorted(env.found_docs)
        if any(page.exists() and page.stat().st_mtime < newest for page in pages)
        else []
    )


def once_each_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Drop Thebe, which is not used, and inline scripts put in twice (a JavaScript error on every
    page).
    """
    kept, seen = [], set()
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body") or ""
        if (
            "THEBE_JS_URL" in body
            or "sphinx-thebe" in str(getattr(script, "filename", ""))
            or (body and body in seen)
        ):
            continue
        seen.add(body)
        kept.append(script)
    context["script_files"] = kept


def copy_mathjax(app: Sphinx) -> None:
    """Serve MathJax from the site itself: the published book needs no network."""
    package = Path(str(files("mathjax"))) / "static" / "mathjax" / "es5"
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in ("tex-chtml.js", "output/chtml/fonts/woff-v2"):
        source, place = package / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, place)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Say what was executed, last of all; a failed chapter makes the build fail."""
    chapters: Chapters | None = getattr(app, "chapters", None)
    if app.builder.format == "html" and exception is None:
        copy_mathjax(app)
    if chapters is None:
        return
    summary = chapters.summary()
    atexit.register(lambda: print(summary, file=sys.stdout, flush=True))
    if any(outcome.error for outcome in chapters.outcomes.values()):
        app.statuscode = 1


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("convbook_profile", os.environ.get("CONVBOOK_PROFILE", ""), "env")
    app.connect("config-inited", add_style)
    app.connect("env-get-outdated", find_outdated)
    app.connect("env-before-read-docs", execute_stale)
    app.connect("source-read", read_executed)
    app.connect("env-updated", rewrite_glued, priority=400)
    app.connect("doctree-resolved", paper.prepare)
    app.connect("html-page-context", once_each_script, priority=950)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
