"""Small real books for the tests of the builder."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat

PROFILES = Path(__file__).resolve().parents[2] / "book" / "profiles"
BUILD_SECONDS = 3000  # most of it for the live book on a slow machine

CONFIG = """\
title: A small book
author: The convbook authors
only_build_toc_files: true
execute: {execute_notebooks: "off"}
sphinx:
  extra_extensions: [book.builder.extension]
  config:
    nb_render_markdown_format: myst
    convbook_runs: book.report.training_runs:RUNS
    convbook_profiles: {profiles}
"""


def write_chapter(path: Path, *cells: str, parameters: str = "number: int = 2  # a number") -> None:
    """A notebook of a parameters cell and `cells`; those that begin with `#:` are Markdown."""
    body = [nbformat.v4.new_markdown_cell(f"# Chapter {path.stem}", id="title")]
    body.append(
        nbformat.v4.new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]})
    )
    for index, cell in enumerate(cells):
        make = nbformat.v4.new_markdown_cell if cell.startswith("#:") else nbformat.v4.new_code_cell
        body.append(make(cell.removeprefix("#:").strip(), id=f"cell-{index}"))
    nbformat.write(nbformat.v4.new_notebook(cells=body), path)


def write_book(folder: Path, chapters: list[str]) -> None:
    """Configuration, contents and an index; the chapters are written apart."""
    (folder / "_config.yml").write_text(CONFIG.replace("{profiles}", str(PROFILES)))
    listed = "".join(f"\n  - file: {name}" for name in chapters)
    (folder / "_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:{listed}\n")
    (folder / "index.md").write_text("# A small book\n\nWords.\n")


def build(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`jupyter-book build .` in a process of its own, as a user calls it."""
    program = Path(sys.executable).with_name("jupyter-book")
    return subprocess.run(
        [program, "build", ".", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )


def page(folder: Path, name: str) -> str:
    """What the built site of the book in `folder` shows of one page, as HTML."""
    return (folder / "_build" / "html" / f"{name}.html").read_text()


def edit(path: Path, old: str, new: str) -> None:
    """Replace text that a file must have."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def last_line(run: subprocess.CompletedProcess[str]) -> str:
    """What a build says last."""
    return run.stdout.strip().splitlines()[-1]


def book(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m book` in a process of its own, as a user calls it."""
    return subprocess.run(
        [sys.executable, "-m", "book", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
