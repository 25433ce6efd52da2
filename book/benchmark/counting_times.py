"""How long counting took beside torchinfo: as stored, and as the rows that readers see.

`python -m book.benchmark.counting` measures it, the chapter on any network shows it. No torch here.
"""

from pathlib import Path

from book.benchmark import result
from book.benchmark.medians import Spread, Stored
from book.benchmark.result import OURS, Contest, Machine
from book.benchmark.shown import target_text

PEER = "torchinfo"
STORED = Path(__file__).resolve().parents[1] / "architectures" / "counting_times.json"
HEADINGS = ("work", "ours, ms", f"{PEER}, ms", "× as fast", "target")


class Timings(Stored):
    """Every contest's seconds of every round, and where they were measured."""

    date: str
    rounds: int
    machine: Machine
    contests: dict[str, Contest]

    def faster(self, contest: str) -> float:
        """How many times as fast ours was in a contest, the median of the rounds."""
        return self.contests[contest].ratios[PEER].median


def rows(timings: Timings) -> list[list[str]]:
    """List each contest: milliseconds of both sides, how many times as fast ours was, the target.

    Medians over the rounds, with their ranges.
    """
    listed = []
    for one in timings.contests.values():
        ratio = one.ratios[PEER]
        cells = [milliseconds(one.contenders[name]) for name in (OURS, PEER)]
        listed.append([one.title, *cells, ratio.text(0 if ratio.median > 10 else 2),
                       target_text(ratio)])  # fmt: skip
    return listed


def milliseconds(seconds: Spread) -> str:
    """Write a median and its range in milliseconds.

    >>> milliseconds(Spread.of([0.0151, 0.00012, 0.02]))
    '15.1 (0.12–20)'
    """
    middle, low, high = (1e3 * one for one in (seconds.median, seconds.low, seconds.high))
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"


def read(path: Path = STORED) -> Timings:
    """Read what was stored; in a notebook it becomes a part of what the chapter depends on.

    Raises:
        ResultError: If it is missing or damaged.
    """
    return result.read_as(Timings, path)
