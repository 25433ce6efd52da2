"""`python -m book run`: one chapter with other parameters, into a notebook beside the book."""

import argparse
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import yaml

from book.builder import execution, trace
from book.builder.chapters import Chapter, find_book, named
from book.builder.errors import BookError, ChapterFailed
from book.builder.notebooks import defaults
from book.report import parameters


def main(options: argparse.Namespace) -> int:
    """Execute the chapter that was asked for, and say where its notebook is.

    Raises:
        BookError: A value is none, or one that the chapter refuses.
        ChapterFailed: It failed; its notebook ends there.
    """
    book = find_book(Path.cwd(), published=True)
    chapter = named(book.chapters(), [options.chapter])[0]
    output = (options.output or Path(f"{chapter.source.stem}.out.ipynb")).absolute()
    given = {name: scalar(value) for name, value in options.parameters}
    outcome = rerun(chapter, given, output)
    if is_refusal(outcome):
        raise BookError(outcome.error)
    if outcome.error:
        raise ChapterFailed(f"{outcome.error} (see {output})")
    print(f"executed {chapter.docname} in {outcome.seconds:.0f} s: {output}")
    return 0


def scalar(text: str) -> Any:
    """Return a parameter's value from a command line: YAML, with None, and 1e-3 as a number.

    Raises:
        BookError: The text is no YAML.

    >>> [scalar(text) for text in ("5", "1e-3", "None", "true", "mnist")]
    [5, 0.001, None, True, 'mnist']
    """
    try:
        value = None if text == "None" else yaml.safe_load(text)
    except yaml.YAMLError:
        raise BookError(
            f"expected a value as YAML writes it, such as 5, 0.1, true, null or mnist; got {text!r}"
        ) from None
    if isinstance(value, str):
        try:
            value = float(value)  # YAML 1.1 takes 1e-3 for text
        except ValueError:
            return value
    return text if isinstance(value, float) and not math.isfinite(value) else value


def check_names(chapter: Chapter, given: Mapping[str, Any]) -> None:
    """Refuse parameters that the chapter does not declare; the values it checks itself.

    Raises:
        ParameterError: Names the parameter and those there are.
    """
    known = defaults(chapter.source)
    unknown = {name: value for name, value in given.items() if name not in known}
    parameters.validate(known, unknown, {})


def rerun(chapter: Chapter, given: Mapping[str, Any], output: Path) -> execution.Outcome:
    """Execute the chapter with the parameters `given`, into a notebook at `output`.

    The notebook appears whole, after an error too; a parameter that the chapter refuses leaves
    none. The book's own executed copies stay as they are.

    Raises:
        ParameterError: The chapter does not declare a parameter.
        BookError: `output` is the chapter itself, or its folder is not there.
    """
    check_names(chapter, given)
    if output.resolve() == chapter.source.resolve():
        raise BookError(f"{output} is the chapter itself: give another file with -o")
    if not output.parent.is_dir():
        raise BookError(f"expected a folder to write {output.name} to, but {output.parent} is none")
    with TemporaryDirectory(dir=output.parent, prefix=".") as folder:
        apart = replace(chapter, book=replace(chapter.book, build=Path(folder)))
        apart = replace(apart, parameters=dict(given))
        outcome = execution.execute(apart, threads=os.cpu_count() or 1)
        if not is_refusal(outcome):
            made = apart.failed if outcome.error else apart.executed
            os.replace(_without_trace(made), output)
    return outcome


def is_refusal(outcome: execution.Outcome) -> bool:
    """Whether the chapter ended because it refuses a parameter's value."""
    return (outcome.error or "").startswith(parameters.ParameterError.__name__)


def _without_trace(path: Path) -> Path:
    """Take the cell that traces imports out of a notebook; return the notebook's path."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id != trace.CELL]
    nbformat.write(notebook, path)
    return path
