"""The site as its sources stand: an incremental build gives what a cold one would, byte for byte.

Sphinx reads and writes what is newer than it was, by the clock. Here is the rest: pages whose files
are other ones (not only newer), pages that show what has changed elsewhere, the search index, and
what the pages of removed chapters have left behind.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from book.builder import leftovers, search_index, shared
from book.builder.search_index import Section
from book.builder.surroundings import WRITTEN_WITH

FILES = "convbook_files"  # what each page was read from: kept in Sphinx's environment


@dataclass
class Written:
    """What the site was written from; kept beside the pages as Sphinx has read them."""

    static: str = ""  # a digest of what lies in `_static`
    shared: str = ""  # a digest of what more than one page shows
    pages: dict[str, int] = field(default_factory=dict)  # when each was read
    words: dict[str, list[Section]] = field(default_factory=dict)  # of each page, for the search


class Site:
    """What is done at Sphinx's events for a site in HTML, in their order."""

    def __init__(self) -> None:
        self.then = Written()
        self.now = Written()
        self.written: dict[str, list[Section]] = {}  # the pages that this build has written

    def begin(self, app: Sphinx) -> None:
        """Look at what was written last; when `_static` is another one, begin with an empty one."""
        if not is_site(app):
            return
        app.builder.search = False  # type: ignore[attr-defined]  # see search_index
        self.then = load(record(app))
        self.now.static = app.config[WRITTEN_WITH]
        static = Path(app.outdir, "_static")
        if self.then.static != self.now.static and static.is_dir():
            record(app).unlink(missing_ok=True)
            shutil.rmtree(static)

    def find_changed(
        self, app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], gone: set[str]
    ) -> set[str]:
        """Return the pages whose files are not those that were read; all, if there are others."""
        if added or gone:
            return set(env.found_docs)
        then = getattr(env, FILES, {})
        return {name for name in env.found_docs if then.get(name) != files(env, name)}

    def note_files(self, app: Sphinx, doctree: nodes.document) -> None:
        """Keep from which files a page was read."""
        env = app.env
        setattr(env, FILES, {**getattr(env, FILES, {}), env.docname: files(env, env.docname)})

    def forget_glue(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Remove what a page has glued, before it is read anew: it may glue nothing now."""
        Path(glue(app), f"{docname}.glue.json").unlink(missing_ok=True)

    def find_unwritten(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Return the pages to write: those that were read, or all, if they share something new."""
        self.now.pages = {name: env.all_docs[name] for name in env.found_docs}
        if not is_site(app):
            return []
        if self.now.pages == self.then.pages:
            self.now.shared = self.then.shared
            return []
        self.now.shared = shared.digest(env, glue(app))
        if self.now.shared != self.then.shared:
            return sorted(env.found_docs)
        pages = self.now.pages.items()
        return sorted(name for name, when in pages if self.then.pages.get(name) != when)

    def forget(self, app: Sphinx, builder: Any) -> None:
        """Remove the record before pages are written: a build that ends here is none."""
        record(app).unlink(missing_ok=True)

    def note_written(self, app: Sphinx, doctree: nodes.document, docname: str) -> None:
        """Keep in mind that a page is written, and its words."""
        if is_site(app):
            self.written[docname] = list(search_index.sections(doctree))

    def complete_search(self, app: Sphinx) -> Iterable[tuple[str, dict[str, Any], str]]:
        """Write the search what a cold build would write it, and return its page."""
        if not is_site(app):
            return ()
        self.now.words = {
            name: self.written.get(name, self.then.words.get(name, [])) for name in self.now.pages
        }
        addresses = {
            app.builder.get_target_uri(name): self.now.words[name] for name in self.now.pages
        }
        search_index.write(addresses, Path(app.outdir))
        return [("search", {"title": "Search"}, "search.html")]

    def finish(self, app: Sphinx, exception: Exception | None) -> None:
        """Remove what no page needs any more, and keep what the site was written from."""
        if exception or not is_site(app) or not self.written:
            return
        leftovers.clear(app, set(self.then.pages) - set(self.now.pages), glue(app))
        save(self.now, record(app))


def is_site(app: Sphinx) -> bool:
    """Whether this build makes a site of one HTML file a page."""
    return app.builder.name in ("html", "dirhtml")


def glue(app: Sphinx) -> Path:
    """Return the folder in which MyST-NB keeps images and what pages glue."""
    return Path(app.env.mystnb_config.output_folder)  # type: ignore[attr-defined]


def record(app: Sphinx) -> Path:
    """Return the file that says what the site was written from."""
    return Path(app.doctreedir, f"convbook.{app.builder.name}.json")


def files(env: BuildEnvironment, docname: str) -> list[tuple[str, int, int]]:
    """Return a page's source and what it depends on, with their times and sizes."""
    names = [env.doc2path(docname), *sorted(env.dependencies.get(docname, ()))]
    return [stat(name, Path(env.srcdir, name)) for name in names]


def stat(name: str, path: Path) -> tuple[str, int, int]:
    """Return a file's name, time and size; -1 where there is none."""
    try:
        found = path.stat()
    except OSError:
        return name, -1, -1
    return name, found.st_mtime_ns, found.st_size


def load(path: Path) -> Written:
    """Return what a site was written from; of one that is not there, or unreadable, nothing."""
    try:
        content = json.loads(path.read_text())
        return Written(**content)
    except (OSError, ValueError, TypeError):
        return Written()


def save(written: Written, path: Path) -> None:
    """Keep what a site was written from."""
    path.write_text(json.dumps(vars(written)))


def setup(app: Sphinx) -> None:
    """Bind a site to the events of its build."""
    site = Site()
    app.connect("builder-inited", site.begin, priority=0)
    app.connect("env-get-outdated", site.find_changed)
    app.connect("env-purge-doc", site.forget_glue)
    app.connect("doctree-read", site.note_files, priority=999)
    app.connect("env-updated", lambda app, env: shared.put_in_order(env), priority=0)
    app.connect(
        "env-get-updated", site.find_unwritten, priority=999
    )  # sections are numbered by now
    app.connect("write-started", site.forget)
    app.connect("doctree-resolved", site.note_written)
    app.connect("html-collect-pages", site.complete_search, priority=999)
    app.connect("build-finished", site.finish, priority=100)
