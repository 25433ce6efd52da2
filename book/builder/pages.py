"""What Sphinx reads for each chapter, and what a reader takes along of it: notebooks for a page."""

from collections.abc import Iterable, Mapping
from typing import Any

import nbformat

from book.builder import chapter_variants, folding, overlay, provenance, staleness, stamps
from book.builder.build import STATES, Build
from book.builder.chapters import Chapter
from book.builder.errors import BookError
from book.builder.notebooks import defaults, read_notebook


class Pages:
    """The pages of one build's chapters."""

    def __init__(self, build: Build) -> None:
        self.build = build

    def text(self, docname: str) -> str:
        """Return the notebook to render: the source with its outputs and its provenance."""
        self._note(docname)
        try:
            page = self.notebook(docname)
            self._fold(docname, page)
        except BookError as error:
            page = provenance.unreadable(self._title(docname), str(error))
        return str(nbformat.writes(page))

    def notebook(self, docname: str) -> Any:
        """Return a page as a notebook, in MyST Markdown.

        Raises:
            BookError: The chapter cannot be read, or was not executed.
        """
        source, copy = self.build.chapter(docname).notebook(), self.build.copy(docname)
        if not copy.exists():
            outcome = self.build.outcomes.get(docname)
            raise BookError((outcome and outcome.error) or "it was not executed")
        executed = read_notebook(copy)
        then = stamps.of(executed)
        if then is None:
            raise BookError("its executed copy is damaged")
        same = then.code == staleness.code_digest(source)
        page = (
            overlay.overlay(source, executed, then.parameters)
            if same
            else overlay.as_executed(executed, then.parameters)
        )
        page = self._among_variants(docname, page)
        causes = [] if then.error else self.build.causes(docname)
        provenance.add_boxes(page, then, self.build.book.runs, causes)
        return page

    def _note(self, docname: str) -> None:
        """Tell Sphinx what the page that it reads depends on."""
        build, env = self.build, self.build.app.env
        setattr(env, STATES, {**getattr(env, STATES, {}), docname: build.state(docname)})
        env.note_dependency(str(build.copy(docname)))
        for other in self._family(build.chapter(docname)):
            for path in (other.source, build.source(other.docname), other.executed):
                env.note_dependency(str(path))

    def _family(self, chapter: Chapter) -> list[Chapter]:
        """Return the pages of a chapter's notebook: itself and its variants."""
        pages = map(self.build.chapter, self.build.names())
        return [other for other in pages if other.source == chapter.source]

    def _title(self, docname: str) -> str:
        """Return a page's title; its name where the chapter cannot be read."""
        chapter = self.build.chapter(docname)
        try:
            return chapter.title or chapter_variants.title(chapter.notebook())
        except BookError:
            return docname

    def _fold(self, docname: str, page: Any) -> None:
        """Fold a page's plumbing, beside how to execute the page with other parameters."""
        chapter = self.build.chapter(docname)
        then = stamps.read(self.build.copy(docname))
        path = chapter.source.relative_to(self.build.book.root).as_posix()
        rerun = self.build.book.options.command(self._short(chapter), path)
        folding.fold(page, chapter.notebook(), then.parameters if then else {}, rerun)

    def _short(self, chapter: Chapter) -> str:
        """Return the last part of a chapter's name where no other one's ends so."""
        last = chapter.docname.rpartition("/")[2]
        others = [name for name in self.build.names() if f"/{name}".endswith(f"/{last}")]
        return last if len(others) == 1 else chapter.docname

    def _among_variants(self, docname: str, page: Any) -> Any:
        """Return a page under its own title and labels, beside the chapter's other variants."""
        chapter = self.build.chapter(docname)
        family = self._family(chapter)
        columns = _columns(family, chapter_variants.title(page)) if len(family) > 1 else {}
        if chapter.title:
            failed = chapter.failed.exists()
            whole = [read_notebook(other.executed) for other in family if failed and other.stamp()]
            suffix = chapter_variants.suffix(docname)
            page = chapter_variants.apart(page, chapter.title, suffix, whole)
        if columns:
            page.cells.append(chapter_variants.comparison(columns))
        return page


def _columns(family: Iterable[Chapter], title: str) -> Mapping[str, Any]:
    """Return what a table compares: of each page, under a link, its parameters and its glue."""
    columns = {}
    for other in family:
        if then := other.stamp():
            glued = chapter_variants.glued(read_notebook(other.executed))
            heading = f"{{doc}}`{other.title or title} </{other.docname}>`"
            columns[heading] = (defaults(other.source) | then.parameters, glued)
    return columns
