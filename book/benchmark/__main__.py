"""`python -m book.benchmark`: our training against its peers', on this machine.

The peers are Keras, a PyTorch tutorial's loop, and JAX.

Speeds differ from process to process, so every contender is a process of its own, they take turns,
round after round, and what counts is the median, with the range beside it.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from book.benchmark import result as results
from book.benchmark import shown, words
from book.benchmark.contenders import CONTENDERS
from book.benchmark.contest import QUICK, Sizes
from book.benchmark.result import Result
from book.benchmark.rounds import PACKAGES, BenchmarkError, run
from models.cli import INTERRUPTED, Parser, file_error
from models.data.sources import DataError

STORED = PACKAGES / "book" / "appendix" / "performance.json"
PEERS = ("keras", "tutorial", "jax")
COMPILED = ("compiled", "jit")  # how the names of those end whose first step takes long


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 1 when a contender failed, 2 for a mistake."""
    options = parser().parse_args(arguments)
    if problem := _impossible(options):
        return _fail(problem, 2)
    try:
        result = run(
            chosen(options),
            options.rounds,
            QUICK if options.quick else Sizes(),
            quick=options.quick,
        )
        report(result)
        store(result, options)
    except DataError as error:
        return _fail(str(error), 2)
    except (BenchmarkError, results.ResultError) as error:
        return _fail(str(error), 1)
    except OSError as error:
        return _fail(file_error(error), 2)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    return 0


def parser() -> Parser:
    """Return the command line's parser."""
    top = Parser(prog="python -m book.benchmark", description=__doc__, allow_abbrev=False)
    rounds = "how often each contender runs (default: 5)"
    top.add_argument("--rounds", type=int, default=5, metavar="N", help=rounds)
    only = "measure only this; may be repeated"
    top.add_argument("--only", action="append", choices=CONTENDERS, help=only)
    without = "leave a peer out; repeatable"
    top.add_argument("--without", action="append", default=[], choices=PEERS, help=without)
    quick = "a minute instead of an hour; the numbers mean nothing"
    top.add_argument("--quick", action="store_true", help=quick)
    merge = "put what --only has measured into the stored result, of the same machine and rounds"
    top.add_argument("--merge", action="store_true", help=merge)
    output = f"the stored result (default: {STORED.relative_to(PACKAGES)})"
    top.add_argument("--output", type=Path, metavar="FILE", help=output)
    return top


def _impossible(options: argparse.Namespace) -> str | None:
    if options.rounds < 1:
        return f"--rounds: expected at least 1, got {options.rounds}"
    wants_keras = any(
        name.startswith("keras") for contenders in chosen(options).values() for name in contenders
    )
    if wants_keras and not all(map(importlib.util.find_spec, ("tensorflow", "keras"))):
        ways = "`make bench`, pip install '.[bench]', or --without keras"
        return f"Keras and TensorFlow are not installed: {ways}"
    return None


def _fail(message: str, status: int) -> int:
    print(f"python -m book.benchmark: error: {message}", file=sys.stderr)
    return status


def chosen(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the contenders of every measurement asked for; a quick one compiles nothing."""
    return {
        measurement: [
            name
            for name in contenders
            if name.partition(",")[0] not in options.without
            and not (options.quick and name.endswith(COMPILED))
        ]
        for measurement, contenders in CONTENDERS.items()
        if measurement in (options.only or CONTENDERS)
    }


def store(result: Result, options: argparse.Namespace) -> None:
    """Write the result, a quick or partial one only where asked to.

    So it never replaces the published one.
    """
    partial = (options.quick or options.only or options.without) and not options.merge
    if partial and options.output is None:
        print(
            "not stored, because it is not the whole benchmark: give a file with --output",
            file=sys.stderr,
        )
        return
    path = options.output or STORED
    if options.merge:
        result = results.merged(results.read(path), result)
    results.write(result, path)
    print(f"stored in {path}", file=sys.stderr)


def report(result: Result) -> None:
    """Print the tables that the chapter shows."""
    if result.contests:
        headings = ["work", "contender", "median (range)", "ours is × as fast", "target"]
        print(tabulate(shown.contest_rows(result.contests), headings, disable_numparse=True))
    if result.share is not None:
        rates = ", ".join(f"{kind} {rate.median / 1e9:,.0f}" for kind, rate in result.rates.items())
        share, target = result.share.text(2), shown.target_text(result.share)
        reached = f"training reaches {share} of bf16, target {target}"
        print(f"\nmatrix product, GFLOP/s: {rates}; {reached}")
    if result.load:
        rows = shown.load_rows(result.load)
        print("\n" + tabulate(rows, shown.LOAD_HEADINGS, disable_numparse=True))
    if result.start:
        print(f"\n{words.start_text(result)}")
    if result.effects:
        headings = ["what", "instead of", "where", "ms", "ms without", "× as fast"]
        print("\n" + tabulate(shown.effect_rows(result.effects), headings, disable_numparse=True))


if __name__ == "__main__":
    sys.exit(main())
