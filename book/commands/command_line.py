"""What `python -m book` can be told, and what it says to a mistake."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from book.builder.errors import BookError, ChapterFailed
from book.report.parameters import ParameterError
from models.cli import INTERRUPTED, Parser, file_error
from models.data.sources import DataError
from models.records import CorruptRecord
from models.settings import SettingError
from models.specs import SpecError

ABOUT = "Build, preview and examine this book, and re-earn the numbers in it."
EXAMPLES = """\
examples:
  python -m book status --why                  which chapters a build would execute, and why
  python -m book build --force batch_norm      the site, with one chapter executed whatever its state
  python -m book preview batch_norm            one chapter in a browser that reloads when you save
  python -m book run batch_norm -p epochs 2    one chapter with other parameters, into batch_norm.out.ipynb
  python -m book verify batch_norm --sample 3  three of its published runs, trained again and compared

CHAPTER is a chapter's name as in _toc.yml (book/regularization/batch_norm), or its last part (batch_norm)."""  # noqa: E501 - as a terminal shows it


@dataclass(frozen=True)
class Command:
    """What a command does, an example, and the module of `book.commands` that does it."""

    about: str
    example: str
    module: str


COMMANDS = {
    "build": Command(
        "the site or the PDF, with only the stale chapters executed", "--frozen", "building"
    ),
    "preview": Command(
        "the site in a browser, built and loaded again whenever you save", "batch_norm", "preview"
    ),
    "status": Command("what a build would execute, and how long that may take", "--why", "status"),
    "graph": Command("what each chapter depends on", "-o graph.svg", "graph"),
    "new": Command("a chapter that builds, to write on from", "regularization/my_chapter", "new"),
    "run": Command(
        "execute one chapter, with parameters of your own, into a file of your own",
        "batch_norm -p dataset mnist5k -p epochs 2",
        "run",
    ),
    "fill": Command(
        "write an executed notebook with its numbers in its words, for any reader of notebooks",
        "out.ipynb",
        "fill",
    ),
    "publish": Command(
        "copy the records that chapters use from the cache to the published ones",
        "batch_norm",
        "publish",
    ),
    "verify": Command(
        "train published runs again, and compare them with their records or judge by them whether "
        "today's training code is as good",
        "batch_norm --sample 3",
        "verify",
    ),
    "certify": Command(
        "show that today's training code gives the same bits as that of a commit, and certify it",
        "HEAD~3",
        "certify",
    ),
}


def run(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit status: 1 for a failure, 2 for a mistake."""
    name = arguments[0] if arguments else ""
    try:
        options = parser(name).parse_args(arguments)
        return int(_module(name).main(options))
    except ChapterFailed as error:
        return fail(name, str(error), status=1)
    except (BookError, ParameterError, CorruptRecord, DataError, SettingError, SpecError) as error:
        return fail(name, str(error), status=2)
    except OSError as error:
        return fail(name, file_error(error), status=2)
    except KeyboardInterrupt:
        return fail(name, "interrupted", status=INTERRUPTED)


def fail(command: str, message: str, status: int) -> int:
    """Say what was wrong; return the exit status."""
    print(f"python -m book {command}: error: {message}", file=sys.stderr)
    return status


def parser(chosen: str) -> Parser:
    """Return the parser of all commands; it knows the arguments of the chosen one only.

    What the others import would make each of them slow.
    """
    top = Parser(
        prog="python -m book",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=Parser
    )
    for name, command in COMMANDS.items():
        about, example = command.about, f"example: python -m book {name} {command.example}"
        own = commands.add_parser(
            name, help=about, description=about, epilog=example, allow_abbrev=False
        )
        if name == chosen:
            _module(name).add_arguments(own)
    return top


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"book.commands.{COMMANDS[name].module}")
