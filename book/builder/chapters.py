"""The book's chapters as `_toc.yml` lists them: where each lies, how it is named, what is known of
its execution.

Nothing here needs Sphinx or torch, so that looking takes no time.
"""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import yaml
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

from book.builder import staleness
from book.builder.declared import declared

PROFILES = Path(__file__).resolve().parents[1] / "profiles"
UNREADABLE = (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError)

Profile = Mapping[str, Mapping[str, Any]]


class BookError(ValueError):
    """What this book cannot do as it was asked to: the message is for the user."""


class ChapterFailed(BookError):  # noqa: N818 - what happened, rather than that it is an error
    """A chapter that had to be executed could not be; the message ends with the last line of its
    error.
    """


@dataclass(frozen=True)
class Chapter:
    """One chapter of a book, and the parameters it is to be executed with (its published defaults,
    when none).
    """

    docname: str  # from the book's root, such as book/regularization/batch_norm
    source: Path
    build: Path  # the build folder
    root: Path  # the kernel's working directory
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def executed(self) -> Path:
        """Its last good executed copy."""
        return staleness.executed_path(self.build, self.docname)

    @property
    def failed(self) -> Path:
        """Its last execution, if that failed."""
        return staleness.failed_path(self.build, self.docname)

    def causes(self) -> list[str]:
        """Why it must be executed again, in words; empty when it need not."""
        if self.failed.exists():
            return ["it failed the last time"]
        try:
            source = read_source(self.source)
        except BookError as error:
            return [str(error)]
        return staleness.causes(source, self.executed, self.parameters, self.root)

    def stamp(self) -> dict[str, Any] | None:
        """What its last good execution depended on (see `staleness.stamp`); None without one that
        can be read.
        """
        try:
            stamp: dict[str, Any] | None = nbformat.read(self.executed, as_version=4).metadata.get(
                staleness.STAMP
            )
        except (FileNotFoundError, *UNREADABLE):
            return None
        return stamp


def read_source(path: Path) -> Any:
    """A chapter's notebook; cells without ids, as formats before 4.5 have them, are named by their
    places.

    Raises:
        BookError: the file is no notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except UNREADABLE as error:
        raise BookError(f"{path.name} is no notebook: {str(error).splitlines()[0]}") from None
    for place, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{place}")
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    return notebook


def book_root(folder: Path) -> Path:
    """The nearest folder above that holds `_config.yml` (a single page is built from the chapter's
    folder).
    """
    folder = folder.resolve()
    return next(
        (place for place in (folder, *folder.parents) if (place / "_config.yml").exists()), folder
    )


def contents(root: Path, profile: Profile | None = None) -> list[Chapter]:
    """The chapters of the book in `root`, in the order of its `_toc.yml`; pages that execute
    nothing are left out.

    Raises:
        BookError: there is no book, or its table of contents cannot be read.
    """
    toc = root / "_toc.yml"
    if not toc.is_file():
        raise BookError(
            f"expected a book (_config.yml and _toc.yml) in {root} or above: change to the book's folder"
        )
    try:
        names = [name.removesuffix(".ipynb") for name in parse_toc_yaml(toc)]
    except (MalformedError, yaml.YAMLError) as error:
        raise BookError(f"{toc} is no table of contents: {' '.join(str(error).split())}") from error
    sources = {name: root / f"{name}.ipynb" for name in names}
    return [
        Chapter(name, source, root / "_build", root, parameters_for(profile or {}, name, source))
        for name, source in sources.items()
        if source.is_file()
    ]


def named(chapters: Sequence[Chapter], names: Sequence[str]) -> list[Chapter]:
    """The chapters of those names, all without any: each as in `_toc.yml`, or its last parts, or
    its file.

    Raises:
        BookError: A name fits no chapter, or more than one; the message lists those there are.
    """
    if not names:
        return list(chapters)
    return list(
        {chapter.docname: chapter for chapter in (_one(chapters, name) for name in names)}.values()
    )


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


def load_profile(name: str, folder: Path = PROFILES) -> Profile:
    """A parameter set for a whole build: chapter → parameters, with `*` for all that declare them.

    Raises:
        BookError: there is no such set (the message lists those there are), or its file is no YAML.
    """
    if not name:
        return {}
    path = folder / f"{name}.yml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yml")))
        raise BookError(f"unknown profile {name!r}; known: {known}")
    try:
        profile: Profile = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise BookError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    return profile


def chosen_profile() -> Profile:
    """The parameter set that `CONVBOOK_PROFILE` names, as a build would use it."""
    return load_profile(os.environ.get("CONVBOOK_PROFILE", ""))


def parameters_for(profile: Profile, docname: str, source: Path) -> dict[str, Any]:
    """What a profile says for a chapter; what it says for all goes to those that declare it."""
    if not profile:
        return {}
    try:
        known = defaults(source)
    except BookError:  # no notebook: executing it will say so
        return {}
    shared = {name: value for name, value in profile.get("*", {}).items() if name in known}
    return shared | dict(profile.get(docname, {}))


def defaults(source: Path) -> dict[str, Any]:
    """The parameters that a chapter declares, with their published values."""
    notebook = read_source(source)
    cells = [
        cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    ]
    return declared(cells[0]) if cells else {}
