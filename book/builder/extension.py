"""The Sphinx extension: `jupyter-book build .` executes stale chapters and renders their copies."""

import atexit
import shutil
from collections.abc import Iterator
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

from book.builder import environment, paper, shortcuts
from book.builder.build import Build
from book.builder.options import PREFIX, Options

HERE = Path(__file__).resolve().parent


class Handlers:
    """What is done at Sphinx's events, in their order, for one build."""

    def __init__(self, app: Sphinx) -> None:
        self.build = Build(app)
        self.begun = False

    def find_outdated(self, app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
        """Return the pages to read anew: those of stale chapters."""
        self.begun = True
        return list(self.build.stale)

    def execute_stale(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Execute the stale chapters before anything is read."""
        self.build.execute()

    def read_executed(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Hand Sphinx the source with its outputs and its provenance."""
        if self.build.is_chapter(docname):
            source[0] = self.build.page(docname)

    def rewrite_glued(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Return all pages when a chapter is newer than one: glued numbers may stand anywhere."""
        if not isinstance(app.builder, StandaloneHTMLBuilder):
            return []
        pages = [Path(app.builder.get_outfilename(name)) for name in env.found_docs]
        written = (page.stat().st_mtime for page in pages if page.exists())
        newest = self.build.newest()
        return sorted(env.found_docs) if any(when < newest for when in written) else []

    def finish(self, app: Sphinx, exception: Exception | None) -> None:
        """Say what was executed, last of all; a failed chapter makes the build fail."""
        if app.builder.format == "html" and exception is None:
            copy_mathjax(Path(app.outdir))
        if not self.begun:
            return
        summary = self.build.summary()
        atexit.register(lambda: print(summary, flush=True))
        if self.build.failed():
            app.statuscode = 1


def add_style(app: Sphinx, config: Config) -> None:
    """Add the book's own style sheet."""
    config.html_static_path.append(str(HERE / "static"))
    app.add_css_file("book.css")


def once_each_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Drop Thebe, which is not used, and inline scripts put in twice, an error on every page."""
    context["script_files"] = list(_needed(context.get("script_files", [])))


def _needed(scripts: list[Any]) -> Iterator[Any]:
    seen = set()
    for script in scripts:
        body = getattr(script, "attributes", {}).get("body") or ""
        thebe = "THEBE_JS_URL" in body or "sphinx-thebe" in str(getattr(script, "filename", ""))
        if not thebe and (not body or body not in seen):
            seen.add(body)
            yield script


def copy_mathjax(site: Path) -> None:
    """Serve MathJax from the site itself: the published book needs no network."""
    package = Path(str(files("mathjax"))) / "static" / "mathjax" / "es5"
    target = site / "_static" / "mathjax"
    for name in ("tex-chtml.js", "output/chtml/fonts/woff-v2"):
        source, place = package / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, place)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension's options and handlers."""
    defaults = Options(profile=environment.profile())
    for option in fields(Options):
        app.add_config_value(PREFIX + option.name, getattr(defaults, option.name), "env")
    handlers = Handlers(app)
    app.connect("config-inited", add_style)
    app.connect("env-get-outdated", handlers.find_outdated)
    app.connect("env-before-read-docs", handlers.execute_stale)
    app.connect("source-read", handlers.read_executed)
    app.connect("env-updated", handlers.rewrite_glued, priority=400)
    app.connect("doctree-resolved", paper.prepare)
    app.connect("html-page-context", once_each_script, priority=950)
    app.connect("build-finished", handlers.finish)
    shortcuts.setup(app)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
