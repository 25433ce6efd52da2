"""`python -m book.benchmark.counting`: how long reading a network takes, beside torchinfo.

Both get what costs no arithmetic: torchinfo a module and an input on the meta device. What is timed
is the first summary of a fresh process, written as text, imports and the module's making apart;
then totals at other sizes, which torchinfo can only get by another run. The contenders take turns,
and what counts is the median of the rounds.
"""

import argparse
import gc
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from tabulate import tabulate

import analysis
from book.benchmark import result
from book.benchmark.counting_times import HEADINGS, PEER, STORED, Timings, rows
from book.benchmark.result import OURS, contest
from book.benchmark.rounds import PACKAGES, BenchmarkError
from book.benchmark.verdicts import describe_machine
from models.cli import INTERRUPTED, Parser

PROGRAM = "python -m book.benchmark.counting"
SHAPE = (3, 224, 224)
SIZES = 1_000
AGAIN = 10
"""How many of the sizes torchinfo runs at: seconds for each are the same."""

#: Seconds of each round, by what is timed.
Times = dict[str, list[float]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = parser().parse_args(arguments)
    if options.one:
        print(TIMED[options.one]())
        return 0
    if options.rounds < 1:
        print(f"{PROGRAM}: error: --rounds: expected at least 1, got {options.rounds}",
              file=sys.stderr)  # fmt: skip
        return 2
    try:
        timings = judged(measure(options.rounds))
        print(tabulate(rows(timings), HEADINGS, disable_numparse=True))
        result.write(timings, options.output)
        print(f"stored in {options.output}", file=sys.stderr)
    except (BenchmarkError, OSError) as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def parser() -> Parser:
    """Return the command line's parser."""
    top = Parser(prog=PROGRAM, description=__doc__.partition("\n")[0])
    top.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    output = f"the stored result (default: {STORED.relative_to(PACKAGES)})"
    top.add_argument("--output", type=Path, default=STORED, metavar="FILE", help=output)
    top.add_argument("--one", choices=TIMED, help=argparse.SUPPRESS)
    return top


def measure(rounds: int) -> Times:
    """Return the seconds of every round, each thing timed in a process of its own.

    Raises:
        BenchmarkError: torchinfo isn't installed, or a process failed.
    """
    if importlib.util.find_spec("torchinfo") is None:
        raise BenchmarkError(
            "torchinfo is not installed; use `make bench` or pip install '.[bench]'"
        )
    times: Times = {name: [] for name in TIMED}
    for _ in range(rounds):
        for name, seconds in times.items():
            seconds.append(_in_a_process(name))
    return times


def _in_a_process(name: str) -> float:
    command = [sys.executable, "-m", "book.benchmark.counting", "--one", name]
    run = subprocess.run(command, cwd=PACKAGES, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BenchmarkError(f"{name} failed: {' '.join(run.stderr.strip().splitlines()[-1:])}")
    return float(run.stdout)


def judged(times: Times) -> Timings:
    """Return the contests of the rounds, ratios round by round, and where they were measured."""
    contests = {}
    for name, (title, target) in CONTESTS.items():
        seconds = {OURS: times[name], PEER: times[f"{name} {PEER}"]}
        contests[name] = contest(title, "s", seconds, {PEER: target})
    return Timings(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        rounds=len(times["vgg19"]),
        machine=describe_machine(VERSIONS),
        contests=contests,
    )


def _timed(work: Callable[[], Any]) -> float:
    gc.collect()  # what imports leave behind is collected now, not while one of the two is timed
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _made(name: str) -> Any:
    """Return one of torchvision's models on the meta device."""
    import torch
    from torchvision import models

    with torch.device("meta"):
        return models.get_model(name, weights=None).eval()


def _built_in() -> float:
    return _timed(lambda: str(analysis.summary("vgg19")))


def _read() -> float:
    from analysis.reading import read  # noqa: F401 (not timed)

    module = _made("resnet50")
    # a factory's module is read itself, as torchinfo does; a module given is copied first
    return _timed(lambda: str(analysis.summary(lambda: module, SHAPE)))


def _torchinfo(name: str) -> float:
    import torchinfo  # noqa: F401 (not timed)

    module = _made(name)
    return _timed(lambda: str(_torchinfo_at(module, SHAPE)))


def _torchinfo_at(module: Any, shape: Sequence[int]) -> Any:
    import torch
    from torchinfo import summary

    data = torch.empty(1, *shape, device="meta")
    return summary(module, input_data=[data], device="meta", verbose=0)


def _sizes() -> list[tuple[int, int, int]]:
    """Return sizes to ask for: the extremes first, between which the formulas are then trusted."""
    random = Random(0)
    asked = [(1, 64, 64), (1, 512, 512)]
    asked += [(1, random.randint(64, 512), random.randint(64, 512)) for _ in range(SIZES - 2)]
    return asked


def _evaluated() -> float:
    """Return the seconds for one of many sizes, the formulas' making and checking included."""
    from analysis.reading import read

    reading = read(_made("resnet50"), SHAPE)
    return _timed(lambda: [reading.totals(*size) for size in _sizes()]) / SIZES


def _run_again() -> float:
    module = _made("resnet50")
    _torchinfo_at(module, SHAPE)
    shapes = [(3, height, width) for _, height, width in _sizes()[-AGAIN:]]
    return _timed(lambda: [_torchinfo_at(module, shape) for shape in shapes]) / AGAIN


TIMED: dict[str, Callable[[], float]] = {
    "vgg19": _built_in,
    "vgg19 torchinfo": lambda: _torchinfo("vgg19"),
    "resnet50": _read,
    "resnet50 torchinfo": lambda: _torchinfo("resnet50"),
    "sizes": _evaluated,
    "sizes torchinfo": _run_again,
}
CONTESTS = {
    "vgg19": ("VGG19, built in", 1.0),
    "resnet50": ("ResNet-50, read", 1.0),
    "sizes": (f"ResNet-50, at one of {SIZES:,} sizes", 100.0),
}
"""What is timed, and how many times as fast as the peer it is to be."""
VERSIONS = ("torch", "torchvision", "sympy", PEER)


if __name__ == "__main__":
    sys.exit(main())
