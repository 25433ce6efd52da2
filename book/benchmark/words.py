"""A benchmark's result in the words of the prose: verdicts, bounds, what was not measured."""

from book.benchmark.result import OURS, Judged, Result, Spread
from book.benchmark.verdicts import TRIED


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
    return sum(share for name, share in shares.items() if "conv" in name or name in ("mm", "addmm"))


def compile_text(result: Result) -> str:
    """Say what compiling brought, and what it cost to begin with."""
    if result.compile_seconds is None or "compile" not in result.effects:
        return "On this machine it was not measured."
    times, start = result.effects["compile"].gain.median, result.compile_seconds.text()
    change = f"{abs(times - 1):.0%} {'more' if times > 1 else 'less'} time than an eager one"
    return f"On one thread a compiled LeNet-5's step takes {change}, and the first one {start} s."
