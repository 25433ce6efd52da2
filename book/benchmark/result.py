"""What a benchmark found: raw numbers of every round; medians, ratios and verdicts.

`python -m book.benchmark` writes a `Result`, the chapter on performance reads it. No torch here.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from book.benchmark.medians import Judged, Spread, Stored
from book.builder import trace
from models.files import read_json, write_atomically

OURS = "convbook"
BACKWARD = 2  # times the forward's FLOPs: one product for the input, one for the weights


class ResultError(Exception):
    """A stored result that is missing or cannot be read: the message is for the user."""


Kept = TypeVar("Kept", bound=Stored)


class Contest(Stored):
    """The same work done by several: what each took or reached (`unit`).

    `ratios` say how many times as fast convbook was.

    `accuracies` are the mean test accuracies of what each has trained, round by round, where it
    judged that.
    """

    title: str
    unit: str  # "s", where less is better, or "examples/s"
    contenders: dict[str, Spread]
    ratios: dict[str, Judged]
    accuracies: dict[str, Spread]


class Effect(Stored):
    """One measure that makes training faster.

    Seconds a call with it (`ours`) and without (`other`).
    """

    title: str
    other_title: str
    setting: str
    ours: Spread
    other: Spread
    gain: Spread


class Load(Stored):
    """A training beside busy processes.

    `alone` is its rate without them (examples/s). `shares` are what it keeps of its fair share, by
    the number of the busy: of that rate, cores/(cores + busy).
    """

    title: str
    contender: str
    alone: Spread
    shares: dict[str, Judged]


class Start(Stored):
    """A first small training: seconds of the whole process, and the part that importing takes.

    `floor` are the seconds of a process that imports torch and does nothing else.
    """

    seconds: Judged
    imports: Judged
    floor: Spread | None = None


class Machine(Stored):
    """Where it was measured; memory in bytes, `flags` those of the processor that matter here."""

    processor: str
    cores: int
    memory: int | None
    flags: tuple[str, ...]
    system: str
    versions: dict[str, str]


class Result(Stored):
    """All of a benchmark. Rates are in FLOP/s, `forward_flops` one image's through MiniGoogLeNet.

    `share` is the part of the bf16 rate of the same round that its training reaches. `profiles`
    hold, by network, the shares of a step's time that its operators take by themselves. `left_out`
    names contenders that do not run here. What was measured on a later day has it in `dates`.
    """

    date: str
    rounds: int
    quick: bool
    machine: Machine
    sizes: dict[str, Any]
    contests: dict[str, Contest]
    rates: dict[str, Spread]
    forward_flops: int
    share: Judged | None
    effects: dict[str, Effect]
    compile_seconds: Spread | None
    profiles: dict[str, dict[str, float]]
    load: dict[str, Load] = Field(default_factory=dict)
    start: Start | None = None
    left_out: tuple[str, ...] = ()
    dates: dict[str, str] = Field(default_factory=dict)


def contest(
    title: str,
    unit: str,
    values: Mapping[str, Sequence[float]],
    targets: Mapping[str, float],
    accuracies: Any = None,
) -> Contest:
    """Judge contenders, each with one value a round; ratios are taken round by round.

    >>> seconds = {"convbook": [2.0, 1.0], "peer": [6.0, 4.0]}
    >>> contest("", "s", seconds, {"peer": 3.0}).ratios["peer"].values
    (3.0, 4.0)
    """
    ratios = {}
    for peer in [name for name in values if name != OURS and OURS in values]:
        pairs = zip(values[OURS], values[peer], strict=True)
        times = [theirs / ours if unit == "s" else ours / theirs for ours, theirs in pairs]
        ratios[peer] = Judged.against(times, targets.get(peer))
    return Contest(
        title=title,
        unit=unit,
        contenders={name: Spread.of(row) for name, row in values.items()},
        ratios=ratios,
        accuracies={name: Spread.of(row) for name, row in (accuracies or {}).items()},
    )


def effect(
    title: str, other_title: str, setting: str, ours: Sequence[float], other: Sequence[float]
) -> Effect:
    """Judge an effect from seconds a call, one median a round on either side."""
    gain = [without / with_ for with_, without in zip(ours, other, strict=True)]
    spreads = {"ours": Spread.of(ours), "other": Spread.of(other), "gain": Spread.of(gain)}
    return Effect(title=title, other_title=other_title, setting=setting, **spreads)


def share_of_core_time(loaded: float, alone: float, cores: int, others: int) -> float:
    """Return how much of its fair share a training keeps beside so many busy processes.

    >>> share_of_core_time(loaded=50.0, alone=100.0, cores=2, others=2)
    1.0
    """
    return loaded / alone * (cores + others) / cores


def share_of_rate(examples_per_second: float, forward_flops: int, rate: float) -> float:
    """Return the part of a matrix-product rate (FLOP/s) that training reaches.

    Forward FLOPs count once, and twice as many backward.

    >>> share_of_rate(100.0, 400_000_000, 240e9)
    0.5
    """
    return examples_per_second * (1 + BACKWARD) * forward_flops / rate


# The file


def merged(old: Result, new: Result) -> Result:
    """Return an earlier result in which what has been measured anew stands in its place.

    Raises:
        ResultError: They are not of one machine with the same versions, or of as many rounds.
    """
    for what in ("machine", "rounds", "quick"):
        if getattr(old, what) != getattr(new, what):
            raise ResultError(
                f"cannot merge: {what} differs; expected {getattr(old, what)}, "
                f"got {getattr(new, what)}"
            )
    anew = {name: getattr(new, name) or getattr(old, name) for name in SINGLE}
    measured = [*new.contests, *(name for name in MEASUREMENTS if getattr(new, name))]
    dates = {**old.dates, **dict.fromkeys(measured, new.date)}
    contests = {**old.contests, **new.contests}
    kept = [name for name in old.left_out if name.partition(":")[0] not in measured]
    more = {"contests": contests, "dates": dates, "left_out": (*kept, *new.left_out)}
    return old.model_copy(update={**anew, **more})


MEASUREMENTS = ("load", "start", "effects")
SINGLE = ("rates", "share", "effects", "compile_seconds", "profiles", "load", "start")
"""What is measured besides the contests, and all that it fills."""


def write(result: Stored, path: Path) -> None:
    """Write strict JSON, whole or not at all."""
    content = json.dumps(result.model_dump(mode="json"), indent=1, allow_nan=False)
    write_atomically(path, f"{content}\n".encode())


def read(path: str | Path) -> Result:
    """Read a stored result; a chapter that reads one is stale when its file changes.

    Raises:
        ResultError: There is no such file, or it holds no result.
    """
    return read_as(Result, path)


def read_as(kind: type[Kept], path: str | Path) -> Kept:
    """Read what a benchmark of that kind has stored, by a path from here or from the root.

    Raises:
        ResultError: There is no such file, or it holds nothing of that kind.
    """
    place = Path(path) if Path(path).exists() else Path(__file__).parents[2] / path
    try:
        result = kind.model_validate(read_json(place))
    except OSError as error:
        raise ResultError(
            f"no benchmark result at {path} ({error.strerror}): `make bench` measures one"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ResultError(f"{path} is no benchmark result: {field}: {first['msg']}") from None
    except ValueError as error:
        raise ResultError(f"{path} is {error}") from None
    trace.show_files(place)
    return result
