"""`python -m book.benchmark.counting`: how long reading a network takes, beside torchinfo.

Both get what costs no arithmetic: torchinfo a module and an input on the meta device. What is timed
is the first summary of a fresh process, written as text, imports and the module's making apart;
then totals at other sizes, which torchinfo can only get by another run. The contenders take turns,
and what counts is the median of the rounds.
"""

import argparse
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from random import Random
from statistics import median
from typing import Any

from tabulate import tabulate

import analysis
from book.benchmark.rounds import PACKAGES, BenchmarkError
from models.cli import INTERRUPTED, Parser

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
    try:
        print(report(measure(options.rounds)))
    except BenchmarkError as error:
        print(f"python -m book.benchmark.counting: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def parser() -> Parser:
    """Return the command line's parser."""
    top = Parser(prog="python -m book.benchmark.counting", description=__doc__.partition("\n")[0])
    top.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
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


def report(times: Times) -> str:
    """Return a table of medians with their ranges, and how often ours goes into the peer's."""
    rows = [
        [what, _cell(times[ours]), _cell(times[peer]), f"{_ratio(times, ours, peer):.2f}"]
        for what, ours, peer in PAIRS
    ]
    headings = ["", "ours, ms", "torchinfo, ms", "ours : torchinfo"]
    faster = 1 / _ratio(times, *PAIRS[-1][1:])
    told = f"At {SIZES:,} sizes ours is {faster:,.0f} × faster."
    return f"{tabulate(rows, headings, disable_numparse=True)}\n{told}"


def _ratio(times: Times, ours: str, peer: str) -> float:
    return median(times[ours]) / median(times[peer])


def _cell(seconds: Sequence[float]) -> str:
    low, middle, high = (1e3 * one for one in (min(seconds), median(seconds), max(seconds)))
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"


def _timed(work: Callable[[], Any]) -> float:
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
PAIRS = (
    ("VGG19, built in", "vgg19", "vgg19 torchinfo"),
    ("ResNet-50, read", "resnet50", "resnet50 torchinfo"),
    ("ResNet-50, at one of 1,000 sizes", "sizes", "sizes torchinfo"),
)


if __name__ == "__main__":
    sys.exit(main())
