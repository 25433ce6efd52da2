"""The Sphinx extension: `jupyter-book build .` executes stale chapters and renders their copies."""

import atexit
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from myst_nb.sphinx_ext import add_global_html_resources
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

from book.builder import (
    addresses,
    cards,
    chapter_variants,
    consequences,
    drawings,
    figure_of,
    folding,
    formulas,
    links,
    paper,
    shortcuts,
    site,
    style_sheet,
    surroundings,
    take_along,
    writing,
)
from book.builder.build import Build
from book.builder.options import PREFIX, Options
from book.builder.pages import Pages

HERE = Path(__file__).resolve().parent


class Handlers:
    """What is done at Sphinx's events, in their order, for one build."""

    def __init__(self, app: Sphinx) -> None:
        self.build = Build(app)
        self.pages = Pages(self.build)
        self.begun = False

    def find_outdated(self, app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
        """Return the pages to read anew: those of stale chapters."""
        self.begun = True
        self.build.check()
        return self.build.outdated()

    def execute_stale(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Execute the stale chapters before anything is read, and have all executed ones read."""
        self.build.execute()
        docnames.extend(sorted(set(self.build.outcomes) - set(docnames)))

    def read_executed(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Hand Sphinx the source with its outputs and its provenance."""
        if self.build.is_chapter(docname):
            source[0] = self.pages.text(docname)

    def lead_to_records(self, app: Sphinx, page: str, _: str, context: Any, tree: Any) -> None:
        """Have links of a chapter's own HTML lead to the records of runs, and to pages."""
        if tree is not None:
            body, runs = context.get("body", ""), self.build.book.runs
            context["body"] = links.resolved(body, app, page, runs, context["pathto"])

    def leave_out_consequences(self, app: Sphinx) -> None:
        """Let a failed chapter be said once, rather than by each page that shows a number of it."""
        consequences.leave_out(self.build.failures)

    def finish(self, app: Sphinx, exception: Exception | None) -> None:
        """Have said last of all what was executed; a failed chapter makes the build fail."""
        if self.begun and self.build.failed():
            app.statuscode = 1
        if self.begun or exception:
            atexit.register(lambda: print(self.verdict(app, exception), flush=True))

    def verdict(self, app: Sphinx, exception: Exception | None) -> str:
        """Return a build's last line; of one that failed, it never says that nothing has."""
        if exception:
            reason = " ".join(str(exception).split())
            return f"the build failed: {type(exception).__name__}: {reason}"
        elsewhere = app.statuscode or getattr(sys, "last_value", None)
        if elsewhere and not self.build.failed():
            return "the build failed, though no chapter did: see above"
        return self.build.summary()


def add_style(app: Sphinx, config: Config) -> None:
    """Add the builder's own style sheet, script and templates."""
    config.html_static_path.append(str(HERE / "static"))
    config.templates_path.insert(0, str(HERE / "templates"))
    app.add_css_file("icons.css")
    app.add_css_file("math.css")
    app.add_css_file("book.css")
    app.add_css_file("sortable.css")
    app.add_js_file("book.js")
    app.add_js_file("previews.js")
    app.add_js_file("sortable.js")
    app.add_js_file("calculator.js")


def read_variants(app: Sphinx, config: Config) -> None:
    """Have variants read as notebooks: `source-read` gives their text."""
    config.nb_custom_formats[chapter_variants.SUFFIX] = ["nbformat.reads", {"as_version": 4}, False]


def copy_assets(app: Sphinx, builder: Any) -> None:
    """Copy what MyST-NB would copy after the pages are written, which carry its checksum."""
    if app.builder.format == "html":
        Path(app.outdir, "_static").mkdir(parents=True, exist_ok=True)
        add_global_html_resources(app, None)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension's options and handlers."""
    for option in fields(Options):
        app.add_config_value(PREFIX + option.name, option.default, "env")
    app.setup_extension("book.builder.svg")
    handlers = Handlers(app)
    app.connect("config-inited", add_style)
    app.connect("config-inited", read_variants, priority=100)
    app.connect("builder-inited", handlers.leave_out_consequences)
    app.connect("env-get-outdated", handlers.find_outdated)
    app.connect("env-before-read-docs", handlers.execute_stale)
    app.connect("source-read", handlers.read_executed)
    app.connect("write-started", copy_assets)
    app.connect("html-page-context", handlers.lead_to_records, priority=900)
    app.connect("build-finished", handlers.finish)
    writers = (cards, drawings, formulas, paper, writing)
    for part in (
        surroundings,
        site,
        shortcuts,
        addresses,
        folding,
        style_sheet,
        figure_of,
        *writers,
    ):
        part.setup(app)
    take_along.setup(app, handlers.pages)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
