"""A benchmark's result as the tables, the figure and the words that readers see."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from book.benchmark.result import Contest, Effect, Judged, Machine, Result, Spread
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
    return f"≥{NBSP}{judged.target:g}{NBSP}{'✓' if judged.reached else '✗'}"


def missed(result: Result) -> list[str]:
    """List the targets that were not reached, each in words."""
    return [words for words, judged in judgements(result) if judged.reached is False]


def judgements(result: Result) -> list[tuple[str, Judged]]:
    """List everything that had a target, in words with the measured median."""
    ratios = [
        (f"{one.title}, against {peer}: {ratio.median:.2f} of {ratio.target} times as fast", ratio)
        for one in result.contests.values()
        for peer, ratio in one.ratios.items()
        if ratio.target is not None
    ]
    share = result.share
    bound = (
        [(f"{share.median:.0%} of the bf16 rate, of {share.target:.0%}", share)]
        if share and share.target
        else []
    )
    return ratios + bound


def profile_rows(profiles: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """List network, operator, per cent of the step."""
    return [
        [network if index == 0 else "", f"`{name}`", f"{share:.0%}".removesuffix("%")]
        for network, shares in profiles.items()
        for index, (name, share) in enumerate(shares.items())
    ]


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


# Words for the prose


def thoroughness(result: Result) -> str:
    """Say whether the numbers mean something."""
    return "in a quick trial whose numbers mean nothing" if result.quick else "in full"


def rate_text(result: Result, kind: str) -> str:
    """Write the matrix-product rate of fp32 or bf16: median and range."""
    if kind not in result.rates:
        return "a rate that was not measured"
    rate = result.rates[kind]
    scaled = Spread.of([value / 1e9 for value in rate.values])
    return f"{scaled.text(0)} GFLOP/s"


def share_text(result: Result) -> str:
    """Say how much of the bf16 rate training reaches, and whether that was the target."""
    if result.share is None:
        return "How much of it training reaches was not measured."
    share, percent = result.share, Spread.of([100 * value for value in result.share.values])
    verdict = {True: "reaches", False: "misses", None: "has no"}[share.reached]
    target = f"the target of {share.target:.0%}" if share.target else "target"
    return (
        f"Training MiniGoogLeNet gets {percent.text(0)} % of the bf16 rate, and {verdict} {target}."
    )


def bound_text(result: Result) -> str:
    """Say what the networks cannot do without, and how fast they would be if all else were free.

    Of the operators that a profile names, convolutions and matrix products count.
    """
    narrow, wide = (_products(result, network) for network in ("LeNet-5", "MiniGoogLeNet"))
    sentences = [_narrow_bound(result, narrow)] if narrow else []
    if wide and result.share:
        reached = f"it would reach {result.share.median / wide:.0%} of the bf16 rate"
        sentences.append(f"Of MiniGoogLeNet's step they take {wide:.0%}: {reached}.")
    return " ".join(sentences) or "Where the time goes was not measured."


def _narrow_bound(result: Result, share: float) -> str:
    clauses = [
        f"Convolutions and matrix products take {share:.0%} of a step of LeNet-5",
        f"with all else for nothing it would be {1 / share:.1f} times as fast",
    ]
    peers = result.contests["lenet5"].ratios if "lenet5" in result.contests else {}
    if "tutorial" in peers:
        times = peers["tutorial"].median / share
        clauses.append(f"and {times:.1f} times as fast as the tutorial's")
    return f"{', '.join(clauses)}."


def _products(result: Result, network: str) -> float:
    shares = result.profiles.get(network, {})
    return sum(
        share for name, share in shares.items() if "conv" in name.lower() or name in ("mm", "addmm")
    )


def compile_text(result: Result) -> str:
    """Say what compiling brought, and what it cost to begin with."""
    if result.compile_seconds is None or "compile" not in result.effects:
        return "On this machine it was not measured."
    times, start = result.effects["compile"].gain.median, result.compile_seconds.text()
    change = f"{abs(times - 1):.0%} {'more' if times > 1 else 'less'} time than an eager one"
    return f"On one thread a compiled LeNet-5's step takes {change}, and the first one {start} s."
