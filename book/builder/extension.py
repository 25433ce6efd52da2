"""The Sphinx extension: ``jupyter-book build .`` executes the stale chapters and renders their executed copies."""

import atexit
import multiprocessing
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat
import yaml
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from book.builder import execution, overlay, provenance, staleness
from book.parameters import declared

logger = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent
PROFILES = HERE.parent / "profiles"


class Chapters:
    """The chapters of one build: which are stale, and how executing them went."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.build = Path(app.outdir).resolve().parent
        self.root = book_root(Path(app.srcdir))
        self.profile = load_profile(app.config.convbook_profile, PROFILES)
        self.outcomes: dict[str, execution.Outcome] = {}
        self.stale: dict[str, list[str]] | None = None

    def source(self, docname: str) -> Path:
        return Path(self.app.env.doc2path(docname))

    def key(self, docname: str) -> str:
        """A chapter's name from the book's root, whatever folder Sphinx was started in."""
        return (Path(self.app.srcdir).resolve() / docname).relative_to(self.root).as_posix()

    def parameters(self, docname: str) -> dict[str, Any]:
        """What the profile says for a chapter; what it says for all goes to those that declare it."""
        notebook = nbformat.read(self.source(docname), as_version=4)
        cells = [cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        known = declared(cells[0]) if cells else {}
        shared = {name: value for name, value in self.profile.get("*", {}).items() if name in known}
        return shared | self.profile.get(self.key(docname), {})

    def names(self) -> list[str]:
        return sorted(name for name in self.app.env.found_docs if self.source(name).suffix == ".ipynb")

    def find_stale(self) -> dict[str, list[str]]:
        """The stale chapters, each with its causes; looked for once a build."""
        if self.stale is None:
            found = {name: self.causes(name) for name in self.names()}
            self.stale = {name: causes for name, causes in found.items() if causes}
        return self.stale

    def causes(self, docname: str) -> list[str]:
        source = nbformat.read(self.source(docname), as_version=4)
        copy = staleness.executed_path(self.build, self.key(docname))
        if staleness.failed_path(self.build, self.key(docname)).exists():
            return ["it failed the last time"]
        return staleness.causes(source, copy, self.parameters(docname), self.root)

    def execute(self) -> None:
        """Execute the stale chapters that have not been, each in a process of its own, several at once."""
        todo = {name: causes for name, causes in self.find_stale().items() if name not in self.outcomes}
        if not todo:
            return
        cores = os.cpu_count() or 1
        workers = min(cores, len(todo))
        jobs = [self.job(name, max(1, cores // workers)) for name in todo]
        for name, causes in todo.items():
            logger.info("chapter %s: executing, because %s", name, "; ".join(causes))
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn, max_tasks_per_child=1) as pool:
            futures = {pool.submit(execution.execute, job): name for job, name in zip(jobs, todo, strict=True)}
            for future in as_completed(futures):
                self.report(futures[future], future.result())

    def job(self, docname: str, threads: int) -> execution.Job:
        parameters = self.parameters(docname)
        return execution.Job(self.key(docname), self.source(docname), self.build, self.root, parameters, threads)

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
        failed = staleness.failed_path(self.build, self.key(docname))
        return failed if failed.exists() else staleness.executed_path(self.build, self.key(docname))

    def summary(self) -> str:
        failed = sum(outcome.error is not None for outcome in self.outcomes.values())
        executed = len(self.outcomes) - failed
        return f"chapters: {executed} executed, {len(self.names()) - len(self.outcomes)} reused, {failed} failed"


def book_root(folder: Path) -> Path:
    """The nearest folder above that holds ``_config.yml`` (a single page is built from the chapter's folder)."""
    folder = folder.resolve()
    return next((place for place in (folder, *folder.parents) if (place / "_config.yml").exists()), folder)


def load_profile(name: str, folder: Path) -> dict[str, dict[str, Any]]:
    """A parameter set for a whole build: chapter → parameters, with ``*`` for all that declare them."""
    if not name:
        return {}
    path = folder / f"{name}.yml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yml")))
        raise SystemExit(f"convbook: unknown profile {name!r}; known: {known}")
    return yaml.safe_load(path.read_text()) or {}


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
    app.env.note_dependency(str(copy))
    executed = nbformat.read(copy, as_version=4)
    page = overlay.overlay(nbformat.reads(source[0], as_version=4), executed, chapters.parameters(docname))
    page.cells += provenance.boxes(page)
    source[0] = nbformat.writes(page)


def rewrite_glued(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """All pages, when a chapter is newer than a page: glued numbers may stand anywhere."""
    if not isinstance(app.builder, StandaloneHTMLBuilder):
        return []
    pages = [Path(app.builder.get_outfilename(name)) for name in env.found_docs]
    copies = [app.chapters.copy(name) for name in app.chapters.names()]  # type: ignore[attr-defined]
    newest = max((copy.stat().st_mtime for copy in copies if copy.exists()), default=0)
    return sorted(env.found_docs) if any(page.exists() and page.stat().st_mtime < newest for page in pages) else []


def once_each_script(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Drop Thebe, which is not used, and inline scripts put in twice (a JavaScript error on every page)."""
    kept, seen = [], set()
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body") or ""
        if "THEBE_JS_URL" in body or "sphinx-thebe" in str(getattr(script, "filename", "")) or (body and body in seen):
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
    app.connect("html-page-context", once_each_script, priority=950)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
