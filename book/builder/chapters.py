"""A book's chapters as `_toc.yml` lists them: where each lies and what is known of its execution.

Nothing here needs Sphinx or torch, so that looking takes no time.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from book.builder import chapter_variants, contents, staleness, stamps
from book.builder.errors import BookError
from book.builder.notebooks import read_notebook
from book.builder.options import Options, book_root, read_options
from book.builder.profiles import Profile, check_profile, load_profile, parameters_for
from book.builder.runs import Runs
from book.builder.stamps import Stamp

#: Where a build keeps its executed copies: `jupyter-book clean` leaves that folder alone, and
#: `jupyter-book clean --all` removes it.
EXECUTED = Path(".jupyter_cache", "executed")

#: Where it says what runs the chapters used: see `book.builder.trace.used_runs`.
USED_RUNS = EXECUTED.with_name("used_runs.json")


@dataclass(frozen=True)
class Book:
    """A book: where it lies, where it is built, and what its configuration says."""

    root: Path  # the kernels' working directory
    build: Path  # the build folder
    runs: Runs = field(default_factory=Runs)
    profile: Profile = field(default_factory=dict)
    options: Options = field(default_factory=Options)

    @classmethod
    def configured(cls, root: Path, build: Path, options: Options) -> "Book":
        """Return the book in `root`, built in `build`, with these options.

        Raises:
            BookError: An option names what is not there.
        """
        profile = load_profile(options.profile, root / options.profiles)
        book = cls(root, build, options.resolve_runs(), profile, options)
        if profile:
            pages = contents.listed(root).items()  # variants have parameters of their own
            sources = {name: path for name, path in pages if path and path.suffix == ".ipynb"}
            check_profile(profile, sources, options.profile)
        return book

    def chapter(self, docname: str, source: Path) -> "Chapter":
        """Return one chapter, with the parameters that the profile gives it.

        `source` may also be the file of a variant, whose own parameters come on top. One that
        cannot be is a chapter that cannot be executed: it stops no other.
        """
        if not source.name.endswith(chapter_variants.SUFFIX):
            return Chapter(docname, source, self, parameters_for(self.profile, docname, source))
        try:
            variant = chapter_variants.read(source, self.root)
        except BookError as error:
            return Chapter(docname, source, self, problem=str(error))
        name = variant.notebook.relative_to(self.root).with_suffix("").as_posix()
        shared = parameters_for(self.profile, name, variant.notebook)
        parameters = shared | variant.parameters
        return Chapter(docname, variant.notebook, self, parameters, variant.title)

    def chapters(self) -> list["Chapter"]:
        """Return the chapters in the order of `_toc.yml`, without pages that execute nothing.

        Raises:
            BookError: There is no book, or its table of contents cannot be read.
        """
        pages = contents.listed(self.root).items()
        return [self.chapter(name, path) for name, path in pages if path and is_executed(path)]


def is_executed(page: Path) -> bool:
    """Whether a page is a chapter: a notebook, or a variant of one."""
    return page.name.endswith((".ipynb", chapter_variants.SUFFIX))


def find_book(folder: Path, *, published: bool = False) -> Book:
    """Return the book that `folder` is in, as `jupyter-book build` builds it.

    With `published`, as its configuration alone says, whatever the environment chooses.

    Raises:
        BookError: Its configuration cannot be read, or names what is not there.
    """
    root = book_root(folder)
    options = read_options(root, environ=not published)
    return Book.configured(root, root / "_build", options)


@dataclass(frozen=True)
class Chapter:
    """One chapter of a book, and the parameters to execute it with: none for its published ones."""

    docname: str  # from the book's root, such as book/regularization/batch_norm
    source: Path
    book: Book
    parameters: dict[str, Any] = field(default_factory=dict)
    title: str = ""  # of a variant's page; the notebook's own when empty
    problem: str = ""  # why it cannot be read, of a variant

    @property
    def executed(self) -> Path:
        """Its last good executed copy."""
        return self.book.build / EXECUTED / f"{self.docname}.ipynb"

    @property
    def failed(self) -> Path:
        """Its last execution, with the traceback, if that failed; the good copy stays as it is."""
        return self.executed.with_suffix(".failed.ipynb")

    def notebook(self) -> Any:
        """Return its source.

        Raises:
            BookError: It is no notebook, or cannot be read.
        """
        if self.problem:
            raise BookError(self.problem)
        return read_notebook(self.source)

    def causes(self) -> list[str]:
        """Return why it must be executed again, in words; nothing when it need not."""
        if self.failed.exists():
            return ["it failed the last time"]
        if not self.executed.exists():
            return ["never executed"]
        then = self.stamp()
        if then is None:
            return ["its executed copy is damaged, or by another builder than today's"]
        try:
            source = self.notebook()
        except BookError as error:
            return [str(error)]
        return staleness.causes(source, then, self.parameters, self.book.root, self.book.runs)

    def stamp(self) -> Stamp | None:
        """Return what its last good execution depended on; None without a copy that says so."""
        return stamps.read(self.executed)

    def seconds(self) -> float | None:
        """Return what its last execution took, be it a failed one; None if there was none."""
        then = self.stamp() or stamps.read(self.failed)
        return then.seconds if then else None


def named(chapters: Sequence[Chapter], names: Sequence[str]) -> list[Chapter]:
    """Return the chapters of those names, all without any.

    A name is the one in `_toc.yml`, its last parts, or the notebook's file.

    Raises:
        BookError: A name fits no chapter, or more than one; the message lists those there are.
    """
    if not names:
        return list(chapters)
    found = [_one(chapters, name) for name in names]
    return list({chapter.docname: chapter for chapter in found}.values())


def _one(chapters: Sequence[Chapter], name: str) -> Chapter:
    wanted = "/" + name.removeprefix("./").removesuffix(".ipynb").strip("/")
    exact = [chapter for chapter in chapters if f"/{chapter.docname}" == wanted]
    found = exact or [chapter for chapter in chapters if f"/{chapter.docname}".endswith(wanted)]
    if len(found) == 1:
        return found[0]
    docnames = [chapter.docname for chapter in found or chapters]
    if found:
        raise BookError(f"chapter {name!r} may be any of {', '.join(docnames)}")
    candidates = {
        part: docname for docname in docnames for part in (docname, docname.rpartition("/")[2])
    }
    close = difflib.get_close_matches(name, candidates, n=1)
    hint = f" did you mean {close[0]}?" if close else ""
    raise BookError(f"unknown chapter {name!r};{hint} this book has {', '.join(docnames)}")
