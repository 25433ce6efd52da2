"""`python -m book`: publish, verify, status and run, from anywhere in the book's folder."""

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from book.builder.chapters import (
    BookError,
    Chapter,
    ChapterFailed,
    book_root,
    chosen_profile,
    contents,
    named,
)
from book.report.parameters import ParameterError
from models.cli import INTERRUPTED, Parser
from models.data.sources import DataError
from models.records import CorruptRecord
from models.specs import SpecError

EXAMPLES = """\
examples:
  python -m book status --why                  which chapters a build would execute, and why
  python -m book run batch_norm -p epochs 2    one chapter with other parameters, into batch_norm.out.ipynb
  python -m book publish batch_norm            its records, from the cache to book/runs
  python -m book verify batch_norm --sample 3  three of its published runs, trained again and compared

CHAPTER is a chapter's name as in _toc.yml (book/regularization/batch_norm), or its last part (batch_norm)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 1 when a chapter failed or runs differ, 2 for
    a mistake.
    """
    options = parser().parse_args(arguments)
    try:
        return int(options.function(options))
    except ChapterFailed as error:
        return fail(options, str(error), status=1)
    except (BookError, ParameterError, CorruptRecord, DataError, SpecError) as error:
        return fail(options, str(error), status=2)
    except OSError as error:
        return fail(
            options,
            f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}",
            status=2,
        )
    except KeyboardInterrupt:
        return fail(options, "interrupted", status=INTERRUPTED)


def fail(options: argparse.Namespace, message: str, status: int) -> int:
    """Say what was wrong; returns the exit status."""
    print(f"python -m book {options.command}: error: {message}", file=sys.stderr)
    return status


def parser() -> Parser:
    """The parser of all four commands."""
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
    _add_status(commands)
    _add_run(commands)
    _add_publish(commands)
    _add_verify(commands)
    return top


def _add(
    commands: "argparse._SubParsersAction[Parser]", name: str, about: str, example: str
) -> Parser:
    return commands.add_parser(
        name,
        help=about,
        description=about,
        epilog=f"example: python -m book {name} {example}",
        allow_abbrev=False,
    )


def _add_status(commands: "argparse._SubParsersAction[Parser]") -> None:
    command = _add(
        commands, "status", "what a build would execute, and how long that may take", "--why"
    )
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help="only these chapters")
    command.add_argument("--why", action="store_true", help="say what made each chapter stale")
    command.set_defaults(function=status)


def _add_run(commands: "argparse._SubParsersAction[Parser]") -> None:
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
    command.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="FILE",
        help="the notebook (default: NAME.out.ipynb)",
    )
    command.set_defaults(function=run)


def _add_publish(commands: "argparse._SubParsersAction[Parser]") -> None:
    about = "copy the records that chapters use from the cache to the published ones"
    command = _add(commands, "publish", about, "batch_norm")
    command.add_argument("chapters", nargs="*", metavar="CHAPTER")
    command.add_argument(
        "--prune", action="store_true", help="then remove the records that no chapter uses"
    )
    command.set_defaults(function=publish)


def _add_verify(commands: "argparse._SubParsersAction[Parser]") -> None:
    about = (
        "train published runs again, compare them with their records, and re-stamp those that agree"
    )
    command = _add(commands, "verify", about, "batch_norm --sample 3")
    command.add_argument(
        "chapters", nargs="*", metavar="CHAPTER", help="only the runs of these chapters"
    )
    extent = command.add_mutually_exclusive_group()
    extent.add_argument(
        "--sample", type=positive, metavar="N", help="N runs in all (default: one of each chapter)"
    )
    extent.add_argument("--all", action="store_true", help="every run")
    command.add_argument(
        "--outdated", action="store_true", help="only runs that other code than today's has trained"
    )
    command.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help="only the first N epochs of each, which must have the same bits",
    )
    command.add_argument(
        "--seed", type=int, metavar="S", help="draw the sample that S gives (default: a new one)"
    )
    command.add_argument(
        "--device", choices=("cpu", "cuda"), help="where to train (default: cuda when there is one)"
    )
    command.set_defaults(function=verify)


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def book() -> list[Chapter]:
    """The chapters of the book that the working directory is in, with their published defaults."""
    return contents(book_root(Path.cwd()))


def status(options: argparse.Namespace) -> int:
    """`status`: a table, from which nothing but knowledge follows."""
    from book.commands import status as state

    chosen = named(contents(book_root(Path.cwd()), chosen_profile()), options.chapters)
    print(state.report([state.status(chapter) for chapter in chosen], options.why))
    return 0


def run(options: argparse.Namespace) -> int:
    """`run`: 2 when the chapter refuses a parameter, 1 when it fails, with its notebook up to
    there.
    """
    from book.commands import run

    chapter = named(book(), [options.chapter])[0]
    output = (options.output or Path(f"{chapter.source.stem}.out.ipynb")).absolute()
    given = {name: run.scalar(value) for name, value in options.parameters}
    outcome = run.rerun(chapter, given, output)
    if run.is_refusal(outcome):
        return fail(options, str(outcome.error), status=2)
    if outcome.error:
        return fail(options, f"{outcome.error} (see {output})", status=1)
    print(f"executed {chapter.docname} in {outcome.seconds:.0f} s: {output}")
    return 0


def publish(options: argparse.Namespace) -> int:
    """`publish`: what was new, and what no chapter uses any more."""
    from book.commands import publish

    if not options.chapters and not options.prune:
        raise BookError(
            f"expected a CHAPTER; this book has {', '.join(chapter.docname for chapter in book())}"
        )
    for chapter in named(book(), options.chapters) if options.chapters else []:
        done = publish.publish(chapter)
        print(f"{done.docname}: records used: {len(done.used)}, newly published: {len(done.new)}")
    if options.prune:
        print(f"pruned: {_names(publish.prune(book()))}")
    elif unused := publish.unused(book()):
        print(f"note: published, but used by no chapter as last executed here: {_names(unused)}")
    return 0


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.stem for path in paths) or "nothing"


def verify(options: argparse.Namespace) -> int:
    """`verify`: 0 when all agree, 1 when some do not."""
    from book.commands import agreement, verify

    chosen = named(book(), options.chapters)
    groups = verify.published_runs(chosen) if options.chapters else verify.all_published(chosen)
    if options.outdated:
        groups = verify.outdated(groups)
        if not any(groups):
            print("verified: none of these runs was trained by other code than today's")
            return 0
    seed = random.randrange(10_000) if options.seed is None else options.seed
    keys = (
        sorted(set().union(*groups)) if options.all else verify.draw(groups, seed, options.sample)
    )
    if not keys:
        raise BookError(
            "none of these chapters uses a published run: python -m book publish CHAPTER"
        )
    found = verify.read(keys)
    drawn = (
        ""
        if options.all
        else f" (of {len(set().union(*groups))} published, drawn with --seed {seed})"
    )
    print(f"{verify.plan(found)}{drawn}\n{agreement.TOLERANCE}", file=sys.stderr, flush=True)
    verify.load_data(found)
    checks: list[verify.Check] = []
    try:
        checks.extend(verify.verify_all(found, options.device, options.epochs))
    finally:  # what was found out until an interruption is told all the same
        if checks:
            print(verify.report(checks))
    return 0 if all(check.verdict in agreement.AGREES for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
