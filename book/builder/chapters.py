"""A book's chapters as `_toc.yml` lists them: where each lies and what is known of its execution.

Nothing here needs Sphinx or torch, so that looking takes no time.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
import yaml
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

from book.builder import staleness
from book.builder.errors import BookError
from book.builder.notebooks import UNREADABLE, read_source
from book.builder.options import Options, book_root, read_options
from book.builder.profiles import Profile, load_profile, parameters_for
from book.builder.runs import Runs


@dataclass(frozen=True)
class Book:
    """A book: where it lies, where it is built, and what its configuration says."""

    root: Path  # the kernels' working directory
    build: Path  # the build folder
    runs: Runs = field(default_factory=Runs)
    profile: Profile = field(default_factory=dict)

    @classmethod
    def configured(cls, root: Path, build: Path, options: Options) -> "Book":
        """Return the book in `root`, built in `build`, with these options.

        Raises:
            BookError: an option names what is not there.
        """
        profile = load_profile(options.profile, root / options.profiles)
        return cls(root, build, options.resolve_runs(), profile)

    def chapter(self, docname: str, source: Path) -> "Chapter":
        """Return one chapter, with the parameters that the profile gives it."""
        return Chapter(docname, source, self, parameters_for(self.profile, docname, source))

    def chapters(self) -> list["Chapter"]:
        """Return the chapters in the order of `_toc.yml`, without pages that execute nothing.

        Raises:
            BookError: there is no book, or its table of contents cannot be read.
        """
        sources = {name: self.root / f"{name}.ipynb" for name in _listed(self.root / "_toc.yml")}
        return [self.chapter(name, source) for name, source in sources.items() if source.is_file()]


def find_book(folder: Path, *, published: bool = False) -> Book:
    """Return the book that `folder` is in, as `jupyter-book build` builds it.

    With `published`, its chapters have their published defaults, whatever profile is chosen.

    Raises:
        BookError: its configuration cannot be read, or names what is not there.
    """
    root = book_root(folder)
    options = read_options(root)
    options = replace(options, profile="") if published else options
    return Book.configured(root, root / "_build", options)


def _listed(toc: Path) -> list[str]:
    """Return the names of all pages that a table of contents lists."""
    if not toc.is_file():
        raise BookError(
            f"expected a book (_config.yml and _toc.yml) in {toc.parent} or above: "
            "change to the book's folder"
        )
    try:
        return [name.removesuffix(".ipynb") for name in parse_toc_yaml(toc)]
    except (MalformedError, yaml.YAMLError) as error:
        raise BookError(f"{toc} is no table of contents: {' '.join(str(error).split())}") from error


@dataclass(frozen=True)
class Chapter:
    """One chapter of a book, and the parameters to execute it with: none for its published ones."""

    docname: str  # from the book's root, such as book/regularization/batch_norm
    source: Path
    book: Book
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def executed(self) -> Path:
        """Its last good executed copy."""
        return self.book.build / "executed" / f"{self.docname}.ipynb"

    @property
    def failed(self) -> Path:
        """Its last execution, with the traceback, if that failed; the good copy stays as it is."""
        return self.executed.with_suffix(".failed.ipynb")

    def causes(self) -> list[str]:
        """Return why it must be executed again, in words; nothing when it need not."""
        if self.failed.exists():
            return ["it failed the last time"]
        try:
            source = read_source(self.source)
        except BookError as error:
            return [str(error)]
        return staleness.causes(
            source, self.executed, self.parameters, self.book.root, self.book.runs
        )

    def stamp(self) -> dict[str, Any] | None:
        """Return what its last good execution depended on (see `staleness.stamp`); None without."""
        try:
            metadata = nbformat.read(self.executed, as_version=4).metadata
        except (FileNotFoundError, *UNREADABLE):
            return None
        stamp: dict[str, Any] | None = metadata.get(staleness.STAMP)
        return stamp


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
    found = [chapter for chapter in chapters if f"/{chapter.docname}".endswith(wanted)]
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
