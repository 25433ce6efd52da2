"""A small book that has of everything something, and a builder of its own to build it with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from books import BUILD_SECONDS, last_line

from book.builder.chapters import Book

ROOT = Path(__file__).resolve().parents[2]
BUILT = ("html", "jupyter_execute")

CONFIG = """\
title: Shapes
author: Somebody
only_build_toc_files: true
bibtex_bibfiles: [references.bib]
execute: {execute_notebooks: "off"}
parse: {myst_enable_extensions: [amsmath, colon_fence, dollarmath]}
sphinx:
  local_extensions: {book.builder.extension: "."}
  config:
    bibtex_reference_style: author_year
    html_static_path: [own]
    nb_render_markdown_format: myst
    numfig: true
"""
TOC = """\
format: jb-book
root: words/opening
parts:
  - caption: Plain
    numbered: true
    chapters:
      - file: square
      - file: circle
      - file: sources
  - caption: Other
    numbered: true
    chapters:
      - file: words/closing
"""
BIB = """\
@book{euclid, author = {Euclid}, title = {Elements}, publisher = {Alexandria}, year = {-300}}
@book{hardy, author = {Hardy, G. H.}, title = {Apology}, publisher = {Cambridge}, year = {1940}}
"""
OPENING = """\
(the-opening)=
# Shapes

The square has {glue:text}`../square.ipynb::sides:d` sides; see {numref}`fig-square`,
{ref}`the-circle` and {cite:t}`euclid`. {download}`Data <../data/points.csv>`.

![A dot](../data/picture.svg)

```{figure-of} fig-square
```

```{index} opening
```
"""
CLOSING = """\
# The end

```{image} picture.svg
:alt: Another dot
```

Of {eq}`eq-area` and {numref}`tab-sides`, see {ref}`the-square`; {index}`end <single: end>`.
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{0}"><circle r="{0}"/></svg>'
DRAW = f"""\
from IPython.display import display

display({{"image/svg+xml": {SVG!r}.format(side * 10)}}, raw=True)"""
GLUE = """\
from myst_nb import glue

glue("sides", side, display=False)"""
SQUARE = """\
(the-square)=
# The square

Words about squares by {cite:t}`hardy`: {glue:text}`sides`.

$$ A = a^2 $$ (eq-area)

```{index} square
```

## Its sides

:::{table} Sides
:name: tab-sides

| shape | sides |
| --- | --- |
| square | 4 |
:::"""
CIRCLE = "(the-circle)=\n# The circle\n\nSee {numref}`fig-circle` and {numref}`fig-square`."


def write_shape(path, text, side, *more):
    cells = [nbformat.v4.new_markdown_cell(text, id="text")]
    cells.append(
        nbformat.v4.new_code_cell(
            f"side: int = {side}  # length", id="parameters", metadata={"tags": ["parameters"]}
        )
    )
    figure = {"name": f"fig-{path.stem}", "caption": f"A picture of a {path.stem}"}
    shown = {"mystnb": {"figure": figure, "image": {"alt": "A shape"}}}
    cells.append(nbformat.v4.new_code_cell(DRAW, id="draw", metadata=shown))
    cells += [nbformat.v4.new_code_cell(cell, id=f"more-{i}") for i, cell in enumerate(more)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


class Shapes:
    """The book of shapes in a folder, and a builder of its own to build it with."""

    def __init__(self, folder: Path) -> None:
        self.book, self.installed, self.kept = (
            folder / name for name in ("shapes", "installed", "kept")
        )

    def write(self) -> None:
        for name in ("words", "data", "own"):
            (self.book / name).mkdir(parents=True)
        texts = {
            "_config.yml": CONFIG,
            "_toc.yml": TOC,
            "references.bib": BIB,
            "sources.md": "# Sources\n\n```{bibliography}\n```\n",
            "words/opening.md": OPENING,
            "words/closing.md": CLOSING,
            "words/picture.svg": SVG.format(1),
            "data/picture.svg": SVG.format(2),
            "data/points.csv": "1,2\n",
            "own/own.css": "p {}\n",
        }
        for name, text in texts.items():
            (self.book / name).write_text(text)
        write_shape(self.book / "square.ipynb", SQUARE, 4, GLUE)
        write_shape(self.book / "circle.ipynb", CIRCLE, 1)
        (self.installed / "book").mkdir(parents=True)
        shutil.copy(ROOT / "book" / "__init__.py", self.installed / "book")
        shutil.copytree(ROOT / "book" / "builder", self.installed / "book" / "builder")

    @property
    def builder(self) -> Path:
        """The folder of its builder."""
        return self.installed / "book" / "builder"

    def page(self, name: str) -> Path:
        """Return a page's file."""
        return self.book / "_build" / "html" / f"{name}.html"

    @property
    def executed(self) -> Path:
        """The folder of its executed copies."""
        book = Book(self.book, self.book / "_build")
        return book.chapter("square", self.book / "square.ipynb").executed.parent

    def build(self, *arguments: str) -> str:
        """Build it without a warning, and return the last line of what is said."""
        run = self.run(*arguments)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "WARNING" not in run.stderr, run.stderr
        return last_line(run)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`jupyter-book build .`, as a user calls it."""
        return subprocess.run(
            [Path(sys.executable).with_name("jupyter-book"), "build", ".", *arguments],
            cwd=self.book,
            env={**os.environ, "PYTHONPATH": str(self.installed), "CONVBOOK_PROFILE": ""},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )

    def clean(self) -> None:
        """Remove all that was built, but for the executed copies."""
        for name in (*BUILT, ".doctrees", "latex"):
            shutil.rmtree(self.book / "_build" / name, ignore_errors=True)

    def keep(self) -> None:
        """Remember sources, builder and executed copies as they are."""
        self._copy(self.book, self.installed, self.kept / "book", self.kept / "installed")
        shutil.copytree(self.executed, self.kept / "executed")

    def restore(self) -> None:
        """Put them back, with the times that they had."""
        for path in (path for path in self.book.iterdir() if path.name != "_build"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self.installed)
        shutil.rmtree(self.executed)
        self._copy(self.kept / "book", self.kept / "installed", self.book, self.installed)
        shutil.copytree(self.kept / "executed", self.executed)

    @staticmethod
    def _copy(book, installed, to_book, to_installed):
        skip = shutil.ignore_patterns("_build", "__pycache__")
        shutil.copytree(book, to_book, ignore=skip, dirs_exist_ok=True)
        shutil.copytree(installed, to_installed, ignore=skip)

    def site(self) -> dict[str, bytes]:
        """All that was built, by name."""
        build = self.book / "_build"
        files = [path for name in BUILT for path in (build / name).rglob("*") if path.is_file()]
        return {path.relative_to(build).as_posix(): path.read_bytes() for path in files}
