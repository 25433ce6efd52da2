"""`python -m book build`: `jupyter-book build .`, told which chapters to execute and with what.

Whatever was asked for is checked before any work begins.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from book.builder.chapters import Book, Chapter, named
from book.builder.errors import BookError, ChapterFailed
from book.builder.options import book_root, read_options
from book.builder.profiles import SUFFIXES
from models.cli import INTERRUPTED

JUPYTER_BOOK = "from jupyter_book.cli.main import main; main(prog_name='jupyter-book')"
ENDING = 5.0  # seconds in which an interrupted build ends by itself


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare what to build, and what to execute for it."""
    only = "execute only these; the others are shown as they were last executed"
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help=only)
    frozen = "execute nothing; stale chapters are an error"
    command.add_argument("--frozen", action="store_true", help=frozen)
    allow = "with --frozen: show stale chapters as they were executed, with a warning"
    command.add_argument("--allow-stale", action="store_true", help=allow)
    force = command.add_mutually_exclusive_group()
    some = "execute these, whatever their state"
    force.add_argument("--force", nargs="+", default=[], metavar="CHAPTER", help=some)
    force.add_argument("--force-all", action="store_true", help="execute all of them")
    profile = "a parameter set of the book, or a file that holds one"
    command.add_argument("--profile", default="", metavar="NAME|FILE.yml", help=profile)
    made = "what to make (default: html)"
    command.add_argument("--builder", choices=("html", "pdflatex"), default="html", help=made)


def main(options: argparse.Namespace) -> int:
    """Build; return jupyter-book's exit status.

    Raises:
        ChapterFailed: With `--frozen`, some chapter is stale.
        BookError: The arguments do not fit each other or the book.
    """
    book, environment = ordered(options)
    if book.options.frozen and not book.options.allow_stale:
        refuse_stale(book.chapters())
    return jupyter_book(book.root, options.builder, environment)


def ordered(options: argparse.Namespace) -> tuple[Book, dict[str, str]]:
    """Return the book, and what its build is told.

    Raises:
        BookError: The arguments do not fit each other or the book.
    """
    book, environment = configured(Path.cwd(), options)
    book.chapters()  # refuses what is no book
    forces = bool(options.force or options.force_all)
    if book.options.frozen and (options.chapters or forces):
        raise BookError("--frozen executes nothing: leave out the chapters and --force, or it")
    if options.allow_stale and not book.options.frozen:
        raise BookError("--allow-stale needs --frozen: other builds execute what is stale")
    if forces:
        environment["CONVBOOK_FORCE"] = "*" if options.force_all else names(book, options.force)
    if options.chapters:
        environment["CONVBOOK_ONLY"] = names(book, [*options.chapters, *options.force])
    return book, environment


def names(book: Book, given: Sequence[str]) -> str:
    """Return the whole names of chapters, with spaces between them.

    Raises:
        BookError: A name fits no chapter, or more than one.
    """
    return " ".join(chapter.docname for chapter in named(book.chapters(), given))


def configured(folder: Path, given: argparse.Namespace) -> tuple[Book, dict[str, str]]:
    """Return the book that `folder` is in, as a build is told to take it, and what tells it.

    Raises:
        BookError: The book or the profile cannot be read.
    """
    root = book_root(folder)
    options, environment = read_options(root), {}
    if given.profile:
        is_file = given.profile.endswith(SUFFIXES)
        name = str(_file(folder / given.profile)) if is_file else given.profile
        options, environment["CONVBOOK_PROFILE"] = replace(options, profile=name), name
    if given.frozen:
        options, environment["CONVBOOK_FROZEN"] = replace(options, frozen=True), "1"
    if given.allow_stale:
        options, environment["CONVBOOK_ALLOW_STALE"] = replace(options, allow_stale=True), "1"
    return Book.configured(root, root / "_build", options), environment


def _file(path: Path) -> Path:
    if not path.is_file():
        raise BookError(f"expected a file with a parameter set, but {path} is none")
    return path.resolve()


def refuse_stale(chapters: Iterable[Chapter]) -> None:
    """Refuse to build what would have to be executed.

    Raises:
        ChapterFailed: Some chapter is stale; the message lists them.
    """
    stale = {chapter.docname: causes for chapter in chapters if (causes := chapter.causes())}
    if stale:
        listed = ", ".join(f"{name} ({'; '.join(causes)})" for name, causes in stale.items())
        count = "1 chapter is stale" if len(stale) == 1 else f"{len(stale)} chapters are stale"
        raise ChapterFailed(
            f"{count}, and --frozen executes nothing: {listed}; build without it, or add "
            "--allow-stale to show what they were"
        )


def jupyter_book(root: Path, builder: str, environment: Mapping[str, str]) -> int:
    """Call `jupyter-book build .` in a book's root; return its exit status."""
    return call(
        [sys.executable, "-P", "-c", JUPYTER_BOOK, "build", ".", "--builder", builder],
        root,
        environment,
    )


def call(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Call a program; return its exit status, also when the user interrupts both.

    Raises:
        KeyboardInterrupt: It did not say that it was.
    """
    with subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # a terminal interrupts it too, and it ends what it has started
            try:
                status = process.wait(ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            if status != INTERRUPTED:
                raise
            return status
