"""Executing one chapter apart from the book, with parameters of one's own, into a notebook of one's
own.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import yaml

from book.builder import execution
from book.builder.chapters import BookError, Chapter, defaults
from book.report import parameters


def scalar(text: str) -> Any:
    """A parameter's value from a command line: YAML, with Python's None, and with 1e-3 for the
    number it looks like.

    Raises:
        BookError: the text is no YAML.

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
    """Refuse parameters that the chapter does not declare; the values it checks itself, first of
    all.

    Raises:
        ParameterError: Names the parameter and those there are.
    """
    known = defaults(chapter.source)
    parameters.validate(
        known, {name: value for name, value in given.items() if name not in known}, {}
    )


def rerun(chapter: Chapter, given: Mapping[str, Any], output: Path) -> execution.Outcome:
    """Execute the chapter with the parameters `given`; its notebook appears whole at `output`,
    after an error too.

    The book's own executed copies stay as they are. A parameter that the chapter refuses leaves no
    notebook.

    Raises:
        ParameterError: the chapter does not declare a parameter.
        BookError: `output` is the chapter itself, or its folder is not there.
    """
    check_names(chapter, given)
    if output.resolve() == chapter.source.resolve():
        raise BookError(f"{output} is the chapter itself: give another file with -o")
    if not output.parent.is_dir():
        raise BookError(f"expected a folder to write {output.name} to, but {output.parent} is none")
    with TemporaryDirectory(dir=output.parent, prefix=".") as folder:
        apart = replace(chapter, build=Path(folder), parameters=dict(given))
        outcome = execution.execute(apart, threads=os.cpu_count() or 1)
        if not is_refusal(outcome):
            made = apart.failed if outcome.error else apart.executed
            os.replace(_without_trace(made), output)
    return outcome


def is_refusal(outcome: execution.Outcome) -> bool:
    """Whether the chapter ended because it refuses a parameter's value."""
    return (outcome.error or "").startswith(parameters.ParameterError.__name__)


def _without_trace(path: Path) -> Path:
    """The notebook without the cell that was appended to trace its imports."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id != execution.TRACE_ID]
    nbformat.write(notebook, path)
    return path
