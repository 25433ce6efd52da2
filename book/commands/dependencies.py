"""What each chapter depends on, as the stamps of the executed copies and the glue in prose tell."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from book.builder.chapters import Chapter
from book.builder.errors import BookError
from book.builder.stamps import Stamp

GLUE = re.compile(r"\{glue(?::\w+)?\}\s*`?\s*([^\s`]+?)::")  # of another page, by its path

ROOT = "(root)"  # the folder of modules that stand in none


@dataclass(frozen=True)
class Dependencies:
    """What one chapter used when it was last executed; nothing where it never was.

    `modules` and `data` are files by their paths from the book's root, `variables` those of the
    environment. `chapters` are others that it reads, each with what of them.
    """

    docname: str
    known: bool
    modules: tuple[str, ...]
    data: tuple[str, ...]
    variables: tuple[str, ...]
    runs: int
    chapters: Mapping[str, str]

    @property
    def packages(self) -> dict[str, list[str]]:
        """The names of its modules by their folder."""
        found = defaultdict(list)
        for path in map(PurePosixPath, self.modules):
            found[str(path.parent) if path.parent.name else ROOT].append(path.stem)
        return dict(sorted(found.items()))

    def uses(self, path: str) -> bool:
        """Whether it used a file, or read a chapter by that path."""
        return path in (*self.modules, *self.data, *(f"{name}.ipynb" for name in self.chapters))


def dependencies(chapters: Sequence[Chapter]) -> list[Dependencies]:
    """Return what each of a book's chapters depends on."""
    stamps = {chapter.docname: chapter.stamp() for chapter in chapters}
    written = {path: name for name, then in stamps.items() if then for path in then.written}
    return [_dependencies(chapter, stamps[chapter.docname], written) for chapter in chapters]


def _dependencies(chapter: Chapter, then: Stamp | None, written: Mapping[str, str]) -> Dependencies:
    read = dict.fromkeys(glued(chapter), "glue")
    if then:
        read |= {written[path]: path for path in then.data if path in written}
    return Dependencies(
        docname=chapter.docname,
        known=then is not None,
        modules=tuple(then.modules) if then else (),
        data=tuple(then.data) if then else (),
        variables=tuple(then.environment) if then else (),
        runs=len(then.runs) if then else 0,
        chapters={name: what for name, what in sorted(read.items()) if name != chapter.docname},
    )


def glued(chapter: Chapter) -> list[str]:
    """Return the chapters of which one shows glued values; none where it cannot be read."""
    try:
        cells = chapter.notebook().cells
    except BookError:
        return []
    words = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    folder = posixpath.dirname(f"/{chapter.docname}")
    paths = (posixpath.normpath(posixpath.join(folder, path)) for path in GLUE.findall(words))
    return sorted({path.strip("/").removesuffix(".ipynb") for path in paths})
