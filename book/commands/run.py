"""`python -m book run`: one chapter with other parameters, into a file beside the book."""

import argparse
import math
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import yaml

from book.builder import environment, execution, folding, overlay, provenance, stamps
from book.builder.chapters import Chapter, find_book, named
from book.builder.errors import BookError, ChapterFailed
from book.builder.notebooks import check_values, defaults, read_notebook
from book.builder.plain_notebook import plain_notebook
from book.commands.page import write_page
from book.report import parameters

SUFFIXES = (".ipynb", ".html")
REFUSAL = f"{parameters.ParameterError.__name__}: "  # begins the error's last line
INFINITE = (math.inf, -math.inf)
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")  # a number that YAML 1.1 takes for a text


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the chapter, its parameters and the file to write."""
    command.description = (
        f"{command.description}. Parameters that are not given are those of the profile that "
        "_config.yml names, if it names one, else the published ones; CONVBOOK_PROFILE does not "
        "count."
    )
    command.add_argument("chapter", metavar="CHAPTER")
    command.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter, as YAML writes it: 5, 1e-3, true, null, mnist, or \"'029'\" for a text",
    )
    where = "a notebook, or as .html a page that stands alone (default: NAME.out.ipynb)"
    command.add_argument("-o", dest="output", type=Path, metavar="FILE", help=where)


def main(options: argparse.Namespace) -> int:
    """Execute the chapter that was asked for, and say where its notebook is.

    Raises:
        BookError: A value is none, or one that the chapter refuses.
        ChapterFailed: It failed; its notebook ends there.
    """
    book = find_book(Path.cwd(), published=True)
    chapter = named(book.chapters(), [options.chapter])[0]
    name = chapter.docname.rpartition("/")[2]
    output = (options.output or Path(f"{name}.out.ipynb")).absolute()
    check_output(output, chapter)
    given = {name: scalar(value) for name, value in options.parameters}
    outcome = rerun(chapter, given, output)
    if is_refusal(outcome):
        raise BookError((outcome.error or "").removeprefix(REFUSAL))
    if outcome.error:
        raise ChapterFailed(f"{outcome.error} (see {output})")
    print(f"executed {chapter.docname} in {outcome.seconds:.0f} s: {output}")
    return 0


def check_output(output: Path, chapter: Chapter) -> None:
    """Refuse a file that cannot be written.

    Raises:
        BookError: It is a folder or the chapter itself, its folder is not there, or its name ends
            in nothing that can be written.
    """
    if output.is_dir():
        raise BookError(f"expected a file to write, but {output} is a folder: give a name in it")
    if output.suffix not in SUFFIXES:
        known = " or ".join(SUFFIXES)
        raise BookError(f"expected a file whose name ends in {known}, got {output.name}")
    if output.resolve() == chapter.source.resolve():
        raise BookError(f"{output} is the chapter itself: give another file with -o")
    if not output.parent.is_dir():
        raise BookError(f"expected a folder to write {output.name} to, but {output.parent} is none")


def scalar(text: str) -> Any:
    """Return a parameter's value from a command line: YAML, with None, and 1e-3 as a number.

    A number that is too large for one stays a text, which no number's type accepts.

    Raises:
        BookError: The text is no YAML.

    >>> [scalar(text) for text in ("5", "1e-3", "None", "true", "mnist", "'029'", "1e400")]
    [5, 0.001, None, True, 'mnist', '029', '1e400']
    """
    try:
        value = None if text == "None" else yaml.safe_load(text)
    except yaml.YAMLError:
        raise BookError(
            f"expected a value as YAML writes it, such as 5, 0.1, true, null or mnist; got {text!r}"
        ) from None
    is_number = value == text and EXPONENT.fullmatch(text) and float(text) not in INFINITE
    return float(text) if is_number else value


def check_parameters(chapter: Chapter, given: Mapping[str, Any]) -> None:
    """Refuse parameters that the chapter does not declare, and values of other types than it says.

    The chapter itself checks the rest.

    Raises:
        ParameterError: Names the parameter and those there are.
        BookError: Names the parameter, what was expected and what came.
    """
    known = defaults(chapter.source)
    unknown = {name: value for name, value in given.items() if name not in known}
    parameters.validate(known, unknown, {})
    check_values(chapter.source, given)


def rerun(chapter: Chapter, given: Mapping[str, Any], output: Path) -> execution.Outcome:
    """Execute the chapter with the parameters `given`, into a notebook or a page at `output`.

    The file appears whole, after an error too; a parameter that the chapter refuses leaves none.
    The book's own executed copies stay as they are.

    Raises:
        ParameterError: The chapter does not declare a parameter.
        BookError: A value is of another type than the chapter declares.
    """
    check_parameters(chapter, given)
    with TemporaryDirectory(dir=output.parent, prefix=".") as folder:
        apart = replace(chapter, book=replace(chapter.book, build=Path(folder)))
        apart = replace(apart, parameters={**chapter.parameters, **given})
        outcome = execution.execute(apart, environment.cores())
        if not is_refusal(outcome):
            made = Path(folder, output.name)
            _write(apart, apart.failed if outcome.error else apart.executed, made)
            os.replace(made, output)
    return outcome


def is_refusal(outcome: execution.Outcome) -> bool:
    """Whether the chapter ended because it refuses a parameter's value."""
    return (outcome.error or "").startswith(REFUSAL)


def _write(chapter: Chapter, executed: Path, output: Path) -> None:
    """Write an executed copy as a notebook or a page, with the box of where its numbers are from.

    Raises:
        BookError: The copy is damaged.
    """
    notebook, book = read_notebook(executed), chapter.book
    then = stamps.of(notebook)
    if then is None:
        raise BookError(f"expected an executed copy of {chapter.docname}, but it is damaged")
    page = overlay.as_executed(notebook, then.parameters)
    provenance.add_boxes(page, then, book.runs)
    if output.suffix == ".html":
        path = chapter.source.relative_to(book.root).as_posix()
        command = book.options.command(chapter.docname.rpartition("/")[2], path)
        folding.fold(page, chapter.notebook(), then.parameters, command)
        write_page(page, book.root, output)
    else:
        nbformat.write(plain_notebook(page, book.root, chapter.docname), output)
