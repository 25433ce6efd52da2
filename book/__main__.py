"""`python -m book`: status, run, publish, verify and certify, from anywhere in the book."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from book.builder.errors import BookError, ChapterFailed
from book.report.parameters import ParameterError
from models.cli import INTERRUPTED, Parser
from models.data.sources import DataError
from models.records import CorruptRecord
from models.settings import SettingError
from models.specs import SpecError

EXAMPLES = """\
examples:
  python -m book status --why                  which chapters a build would execute, and why
  python -m book run batch_norm -p epochs 2    one chapter with other parameters, into batch_norm.out.ipynb
  python -m book publish batch_norm            its records, from the cache to book/runs
  python -m book verify batch_norm --sample 3  three of its published runs, trained again and compared
  python -m book certify HEAD~3                that today's training code gives the same bits as that one's

CHAPTER is a chapter's name as in _toc.yml (book/regularization/batch_norm), or its last part (batch_norm)."""  # noqa: E501 - as a terminal shows it

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 1 for a failure, 2 for a mistake."""
    options = parser().parse_args(arguments)
    command = importlib.import_module(f"book.commands.{options.command}")
    try:
        return int(command.main(options))
    except ChapterFailed as error:
        return fail(options, str(error), status=1)
    except (BookError, ParameterError, CorruptRecord, DataError, SettingError, SpecError) as error:
        return fail(options, str(error), status=2)
    except OSError as error:
        reason = error.strerror or error
        file = error.filename or "a file"
        return fail(options, f"cannot read or write {file}: {reason}", status=2)
    except KeyboardInterrupt:
        return fail(options, "interrupted", status=INTERRUPTED)


def fail(options: argparse.Namespace, message: str, status: int) -> int:
    """Say what was wrong; return the exit status."""
    print(f"python -m book {options.command}: error: {message}", file=sys.stderr)
    return status


def parser() -> Parser:
    """Return the parser of all commands."""
    top = Parser(
        prog="python -m book",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=Parser
    )
    for add in (_add_status, _add_run, _add_publish, _add_verify, _add_certify):
        add(commands)
    return top


def _add(commands: Commands, name: str, about: str, example: str) -> Parser:
    return commands.add_parser(
        name,
        help=about,
        description=about,
        epilog=f"example: python -m book {name} {example}",
        allow_abbrev=False,
    )


def _add_status(commands: Commands) -> None:
    about = "what a build would execute, and how long that may take"
    command = _add(commands, "status", about, "--why")
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help="only these chapters")
    command.add_argument("--why", action="store_true", help="say what made each chapter stale")


def _add_run(commands: Commands) -> None:
    about = "execute one chapter, with parameters of your own, into a notebook of your own"
    command = _add(commands, "run", about, "batch_norm -p dataset mnist5k -p epochs 2")
    command.add_argument("chapter", metavar="CHAPTER")
    command.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter",
    )
    where = "the notebook (default: NAME.out.ipynb)"
    command.add_argument("-o", dest="output", type=Path, metavar="FILE", help=where)


def _add_publish(commands: Commands) -> None:
    about = "copy the records that chapters use from the cache to the published ones"
    command = _add(commands, "publish", about, "batch_norm")
    command.add_argument("chapters", nargs="*", metavar="CHAPTER")
    prune = "then remove the records that no chapter uses"
    command.add_argument("--prune", action="store_true", help=prune)


def _add_verify(commands: Commands) -> None:
    about = (
        "train published runs again, compare them with their records, and re-stamp those that agree"
    )
    command = _add(commands, "verify", about, "batch_norm --sample 3")
    only = "only the runs of these chapters"
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help=only)
    extent = command.add_mutually_exclusive_group()
    sample = "N runs in all (default: one of each chapter)"
    extent.add_argument("--sample", type=positive, metavar="N", help=sample)
    extent.add_argument("--all", action="store_true", help="every run")
    outdated = "only runs that other code than today's has trained"
    command.add_argument("--outdated", action="store_true", help=outdated)
    epochs = "only the first N epochs of each, which must have the same bits"
    command.add_argument("--epochs", type=positive, metavar="N", help=epochs)
    seed = "draw the sample that S gives (default: a new one)"
    command.add_argument("--seed", type=int, metavar="S", help=seed)
    device = "where to train (default: cuda when there is one)"
    command.add_argument("--device", choices=("cpu", "cuda"), help=device)


def _add_certify(commands: Commands) -> None:
    about = (
        "show that today's training code gives the same bits as that of a commit, and certify it"
    )
    command = _add(commands, "certify", about, "HEAD~3")
    what = "a revision of this repository, as git names it"
    command.add_argument("commit", metavar="COMMIT", help=what)


def positive(text: str) -> int:
    """Return a whole number from 1 on.

    Raises:
        argparse.ArgumentTypeError: The text is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
