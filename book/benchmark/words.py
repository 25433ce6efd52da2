"""A benchmark's result in the words of the prose: verdicts, bounds, what was not measured."""

from book.benchmark.contest import VARIANTS
from book.benchmark.medians import Judged, Spread
from book.benchmark.result import OURS, Contest, Result
from book.report.glue import listing
from models.data.datasets import DATASETS


def missed(result: Result) -> list[str]:
    """List the targets that were not reached, each in words."""
    return [words for words, judged in judgements(result) if judged.reached is False]


def judgements(result: Result) -> list[tuple[str, Judged]]:
    """List everything that had a target, in words with the measured median."""
    ratios = [
        (
            f"{one.title}, against {peer}: "
            f"{ratio.median_text(2)} of {ratio.target:g} times as fast",
            ratio,
        )
        for one in result.contests.values()
        for peer, ratio in one.ratios.items()
        if ratio.target is not None
    ]
    return ratios + _share_judgement(result) + _load_judgements(result) + _start_judgements(result)


def _share_judgement(result: Result) -> list[tuple[str, Judged]]:
    share = result.share
    if share is None or share.target is None:
        return []
    return [(f"{share.median:.0%} of the bf16 rate, of {share.target:.0%}", share)]


def _load_judgements(result: Result) -> list[tuple[str, Judged]]:
    return [
        (f"{one.title}, beside {_busy(others)}: {share.median:.0%} of its fair share", share)
        for one in result.load.values()
        for others, share in one.shares.items()
        if share.target is not None
    ]


def _busy(others: str) -> str:
    return f"{others} busy process{'' if others == '1' else 'es'}"


def _start_judgements(result: Result) -> list[tuple[str, Judged]]:
    if result.start is None:
        return []
    seconds, imports = result.start.seconds, result.start.imports
    return [
        (f"a first training in {seconds.median:.1f} s, of {seconds.target:g} s", seconds),
        (f"{imports.median:.0%} of a first training for imports, of {imports.target:.0%}", imports),
    ]


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
        sentences.append(_wide_bound(result, wide, result.share.median))
    return " ".join(sentences) or "Where the time goes was not measured."


def experiment_text(result: Result) -> str:
    """Say what of the experiment is training, at the rate of that which is measured alone."""
    whole, training = (result.contests.get(name) for name in ("experiment", "lenet5"))
    if whole is None or training is None:
        return "What of the first work is training was not measured."
    sizes = result.sizes
    images = sizes["seeds"] * sizes["epochs"] * DATASETS[sizes["lenet_data"]].train_size
    images *= len(VARIANTS)
    seconds = whole.contenders[OURS].median
    trained = images / training.contenders[OURS].median
    return (
        f"At the rate of the second work, the {images:,} images that convbook trains on in the "
        f"first would take {trained:.1f} s of its {seconds:.1f} s. The rest was not taken apart: "
        "starting processes, importing, judging and writing down are in it, and what dropout and "
        "a batch norm on the input cost, which the second work does not have."
    )


def _wide_bound(result: Result, products: float, share: float) -> str:
    """Say how far MiniGoogLeNet's training could get, were all but its products for nothing."""
    peers = result.contests["minigooglenet"].ratios if "minigooglenet" in result.contests else {}
    bounds = [f"reach {share / products:.0%} of the bf16 rate"]
    for peer in ("keras", "keras, bf16"):
        if (ratio := peers.get(peer)) is not None:
            target = f" (the target is {ratio.target:g})" if ratio.target else ""
            bounds.append(
                f"be about {ratio.median / products:.1f} times as fast as “{peer}”{target}"
            )
    copies = result.profiles["MiniGoogLeNet"].get("copy_")
    told = (
        f" Copies, among them those from fp32 to bf16 and back, take {copies:.1%} of the step."
        if copies
        else ""
    )
    return (
        f"Of MiniGoogLeNet's step convolutions and matrix products take {products:.0%}; with all "
        f"else for nothing it would {listing(bounds)}.{told}"
    )


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


def start_text(result: Result) -> str:
    """Say how long a first small training takes, and what of it is importing."""
    if result.start is None:
        return "How long a first training takes was not measured."
    seconds, imports = result.start.seconds, result.start.imports
    verdict = "within" if seconds.reached else "beyond"
    floor = result.start.floor
    least = (
        f" A process that does nothing but import torch takes {floor.text()} s." if floor else ""
    )
    return (
        f"A first small training takes {seconds.text()} s, {verdict} the target of "
        f"{seconds.target:g} s; "
        f"importing takes {imports.median:.0%} of it.{least}"
    )


def waiting_text(result: Result) -> str:
    """Say what threads that sleep cost on an idle machine."""
    gains = [
        f"{_change(result.effects[name].gain.median)} for {network}"
        for name, network in WAITING.items()
        if name in result.effects
    ]
    if not gains:
        return "What that costs on an idle machine was not measured."
    return f"On an idle machine a step with all threads then takes {listing(gains)}."


def crews_text(result: Result) -> str:
    """Compare MiniGoogLeNet's trainings side by side with one that has all threads, both alone."""
    crews = [result.load.get(f"convbook, MiniGoogLeNet{form}") for form in (" side by side", "")]
    if None in crews:
        return "What that brings on an idle machine was not measured."
    side, one = (crew.alone.median for crew in crews if crew is not None)
    return (
        "On an idle machine, trainings of MiniGoogLeNet side by side get through "
        f"{side / one:.2f} times as many images as one that has all threads."
    )


WAITING = {"waiting-lenet5": "LeNet-5", "waiting-minigooglenet": "MiniGoogLeNet"}


def _change(gain: float) -> str:
    """Say how the time changes by a gain.

    >>> _change(0.8), _change(1.25)
    ('25% more time', '20% less time')
    """
    return f"{abs(1 / gain - 1):.0%} {'more' if gain < 1 else 'less'} time"


def fastest_text(result: Result) -> str:
    """Say which form of Keras trains LeNet-5 fastest, and whether the experiment has it."""
    training, whole = (result.contests.get(name) for name in ("lenet5", "experiment"))
    rates = {
        name: spread.median
        for name, spread in (training.contenders.items() if training else ())
        if name.startswith("keras")
    }
    if not rates:
        return "Keras was not measured."
    best = max(rates, key=rates.__getitem__)
    there = whole is not None and best in whole.contenders
    place = "and is in the first work too" if there else "which the first work does not have"
    return f"Of Keras' forms, “{best}” trains LeNet-5 fastest, {place}."


def date_text(result: Result) -> str:
    """Say when it was measured, and what was measured anew on another day.

    >>> from book.benchmark.result import read
    >>> date_text(read("book/appendix/performance_before.json"))
    '2026-11-22'
    """
    day = result.date[:10]
    later = [f"{name} on {date[:10]}" for name, date in result.dates.items() if date[:10] != day]
    return f"{day} ({', '.join(later)})" if later else day


def left_out_text(result: Result) -> str:
    """Say which contenders do not run on the machine."""
    if not result.left_out:
        return "Every contender ran on this machine."
    return f"What does not run on this machine was left out: {', '.join(result.left_out)}."


def before_text(before: Result, now: Result) -> str:
    """List the ratios of today and of an earlier day, each against peers of its own day.

    Without MiniGoogLeNet's, which go with the rate of the day's matrix products.
    """
    clauses = [
        _then_and_now(before.contests[name], one, peer)
        for name, one in now.contests.items()
        for peer in one.ratios
        if name in before.contests and peer in before.contests[name].ratios
        if name != "minigooglenet"
        if not peer.startswith(OURS)
    ]
    return "; ".join(clauses) or "nothing was measured on both days"


def _then_and_now(before: Contest, now: Contest, peer: str) -> str:
    """Write both ratios to a peer, and what was done when it was other work."""
    ratios = [one.ratios[peer].median for one in (now, before)]
    other = "" if now.title == before.title else f", then of {before.title}"
    return f"{ratios[0]:.2f} and {ratios[1]:.2f} × {peer} ({now.title}{other})"
