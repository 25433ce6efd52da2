"""A benchmark's result as the tables, the figure and the words that readers see."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from book.benchmark.medians import Judged, Spread
from book.benchmark.result import Contest, Effect, Load, Machine, Result
from book.benchmark.verdicts import TRIED
from book.report import figures
from book.report.colours import BLACK, BLUE, RED
from book.report.intervals import NBSP


def machine_rows(machine: Machine) -> list[list[str]]:
    """Describe the machine, a row a fact."""
    versions = ", ".join(f"{name}{NBSP}{version}" for name, version in machine.versions.items())
    return [
        ["processor", machine.processor],
        ["cores used", str(machine.cores)],
        ["memory", f"{machine.memory / 2**30:.0f}{NBSP}GiB" if machine.memory else "unknown"],
        ["number formats", ", ".join(machine.flags) or "nothing beyond fp32"],
        ["system", machine.system],
        ["versions", versions],
    ]


def contest_rows(contests: Mapping[str, Contest]) -> list[list[str]]:
    """List contest, contender, what it measured, convbook's lead, and the target with its verdict.

    The lead is how many times as fast convbook was.
    """
    rows = []
    for one in contests.values():
        for index, (name, spread) in enumerate(one.contenders.items()):
            measured = spread.text(1 if spread.median < 1000 else 0)
            work = f"{one.title}, {one.unit}" if index == 0 else ""
            rows.append([work, name, measured, *_ratio_cells(one.ratios.get(name))])
    return rows


def _ratio_cells(ratio: Judged | None) -> list[str]:
    if ratio is None:
        return ["–", "–"]
    return [ratio.text(2), target_text(ratio)]


def target_text(judged: Judged) -> str:
    """Write the target and whether the median reached it.

    >>> target_text(Judged.against([3.0], 2.5)).replace(NBSP, " ")
    '≥ 2.5 ✓'
    """
    if judged.target is None:
        return "–"
    bound = "<" if judged.below else "≥"
    return f"{bound}{NBSP}{judged.target:g}{NBSP}{'✓' if judged.reached else '✗'}"


LOAD_HEADINGS = ["training", "contender", "alone, examples/s", *(f"beside {n}, %" for n in (1, 2))]


def load_rows(load: Mapping[str, Load]) -> list[list[str]]:
    """List training, contender, its rate alone, and per cent of its fair share beside others."""
    return [
        [
            one.title,
            one.contender,
            one.alone.text(1 if one.alone.median < 1000 else 0),
            *(share_cell(judged) for judged in one.shares.values()),
        ]
        for one in load.values()
    ]


def share_cell(judged: Judged) -> str:
    """Write a share in per cent with its range, and whether it is large enough.

    >>> share_cell(Judged.against([0.9, 0.85, 1.0], 0.8)).replace(NBSP, " ")
    '90 (85–100) ✓'
    """
    verdict = {True: f"{NBSP}✓", False: f"{NBSP}✗", None: ""}[judged.reached]
    return Spread.of([100 * value for value in judged.values]).text(0) + verdict


def kept(effects: Mapping[str, Effect]) -> dict[str, Effect]:
    """Return the effects of what is used."""
    return {name: one for name, one in effects.items() if name not in TRIED}


def tried_rows(effects: Mapping[str, Effect]) -> list[list[str]]:
    """List what was tried, instead of what, where, milliseconds either way, and its gain."""
    return [
        [
            one.other_title,
            one.title,
            one.setting,
            *(f"{1000 * spread.median:.2f}" for spread in (one.other, one.ours)),
            f"{1 / one.gain.median:.2f}",
        ]
        for name, one in effects.items()
        if name in TRIED
    ]


STEPS = {"LeNet-5": "step-all", "MiniGoogLeNet": "googlenet-bf16"}
"""The effects whose first side is a whole step of the network that was profiled."""


def profile_rows(before: Result, now: Result) -> list[list[str]]:
    """List network, operator, and milliseconds and per cent of a step, before and now.

    An operator that was not among the longest has no number; a network's last two rows are all
    other operators and its step.
    """
    rows: list[list[str]] = []
    for network, shares in now.profiles.items():
        earlier, names = before.profiles.get(network, {}), list(shares)
        names += [name for name in earlier if name not in shares]
        steps = [step_seconds(result, network) for result in (before, now)]
        rows += [
            ["", f"`{name}`", *_costs([earlier.get(name), shares.get(name)], steps)]
            for name in names
        ]
        rest = [1 - sum(one.values()) if one else None for one in (earlier, shares)]
        rows.append(["", "all others", *_costs(rest, steps)])
        rows.append(["", "the whole step", *_costs([1, 1], steps)])
        rows[-2 - len(names)][0] = network
    return rows


def _costs(shares: Sequence[float | None], steps: Sequence[float | None]) -> list[str]:
    """Write milliseconds and per cent of a step, of one day and of the other."""
    return [
        cell
        for share, step in zip(shares, steps, strict=True)
        for cell in (_milliseconds(share, step), "–" if share is None else f"{100 * share:.0f}")
    ]


def step_seconds(result: Result, network: str) -> float | None:
    """Return how long a step of a profiled network takes; None where it was not measured."""
    effect = result.effects.get(STEPS[network])
    return effect.ours.median if effect else None


def _milliseconds(share: float | None, seconds: float | None) -> str:
    return "–" if share is None or seconds is None else f"{1000 * share * seconds:.1f}"


def effect_rows(effects: Mapping[str, Effect]) -> list[list[str]]:
    """List what was done, instead of what, where, milliseconds either way, and the median gain."""
    return [
        [
            one.title,
            one.other_title,
            one.setting,
            *(f"{1000 * spread.median:.2f}" for spread in (one.ours, one.other)),
            f"{one.gain.median:.2f}",
        ]
        for one in effects.values()
    ]


def draw_gains(effects: Mapping[str, Effect]) -> Figure:
    """Draw each effect's gain as a dot with its range over the rounds; 1 is no gain."""
    figure, axes = figures.new(size=(6.4, 0.32 * len(effects) + 0.9))
    ax = axes[0][0]
    ax.axvline(1, color=BLACK, lw=0.8, ls=":")
    for place, one in enumerate(effects.values()):
        colour = BLUE if one.gain.median >= 1 else RED
        ax.plot([one.gain.low, one.gain.high], [place, place], color=colour, lw=1.5)
        ax.plot(one.gain.median, place, "o", color=colour, ms=5)
    ax.set_yticks(range(len(effects)), [f"{one.title}, {one.setting}" for one in effects.values()])
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("times as fast")
    return figure
