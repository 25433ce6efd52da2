"""Published runs that were trained again, when faster training code took the place of theirs."""

from collections.abc import Container, Iterable

from book.builder.trace import show_files
from book.report.glue import listing
from book.report.training_runs import RUNS
from models.equivalence import FOLDER, certificates
from models.evidence import (
    HELD_OUT_ACCURACY,
    TRAINING_LOSS,
    BitCertificate,
    JudgedRun,
    Measure,
    NoiseCertificate,
)
from models.records import read

HEADERS = (
    "network",
    "norm",
    "schedule",
    "epochs",
    "accuracy, points",
    "training loss",
)


SMALL = 0.00005  # of an accuracy: half of 0.01 points


def evidence() -> tuple[list[NoiseCertificate], list[BitCertificate]]:
    """Return the certificates, by kind; a chapter that reads them is stale when they change."""
    show_files(*sorted(FOLDER.glob("*.json")))
    found = certificates()
    noise = [one for one in found if isinstance(one, NoiseCertificate)]
    return noise, [one for one in found if isinstance(one, BitCertificate)]


def rows(runs: Iterable[JudgedRun]) -> list[list[str]]:
    """Return a row for each network, norm, schedule and number of epochs, as `HEADERS` names it."""
    kinds: dict[tuple[str, str, str, int, int], list[JudgedRun]] = {}
    for run in runs:
        kind = (run.network, run.norm, run.schedule, run.epochs, run.planned)
        kinds.setdefault(kind, []).append(run)
    return [
        [
            *(network, norm, schedule, f"{epochs} of {planned}"),
            _cell(found, HELD_OUT_ACCURACY, 100, 2),
            _cell(found, TRAINING_LOSS, 1, 4),
        ]
        for (network, norm, schedule, epochs, planned), found in sorted(kinds.items())
    ]


def together_text(noise: Iterable[NoiseCertificate]) -> str:
    """Tell how far the largest sample's runs differ on average, in units of what two seeds do."""
    largest = max(noise, key=lambda one: len(one.runs), default=None)
    if largest is None:
        return "No run was trained again."
    most = max((test.mean for test in largest.together), key=abs)
    return (
        f"Together, the {len(largest.runs)} runs of the largest sample differ on average by at "
        f"most {abs(most):.2f} of what two seeds differ by, up or down, in each of "
        f"{len(largest.together)} measures."
    )


def in_bf16(runs: Iterable[JudgedRun]) -> set[str]:
    """Return the keys of those runs whose published records say that they were in bf16."""
    found = {run.key: path for run in runs if (path := RUNS.locate(run.key))}
    show_files(*found.values())
    return {key for key, path in found.items() if read(path).spec.precision == "bf16"}


def rounded_text(noise: Iterable[NoiseCertificate], halved: Container[str]) -> str:
    """Tell of the runs in bf16 that were trained again where the processor has no such products.

    `halved` are the keys of all runs in that precision.
    """
    known = [one for one in noise if one.machine.get("processor_features")]
    there = [one for one in known if "bf16" not in str(one.machine["processor_features"])]
    runs = [run for one in there for run in one.runs if run.key in halved]
    if not runs:
        return "No run of the book was trained again on such a processor."
    within = sum(run.is_within for run in runs)
    names = listing(sorted({str(one.machine["processor_features"]) for one in there}))
    return (
        f"On a processor without products in bf16 ({names}), {len(runs)} of the book's runs in "
        f"that precision were trained again: {within} of them are within what seeds differ by."
    )


def unchanged(runs: Iterable[JudgedRun]) -> int:
    """Count the runs whose held-out accuracy is what it was, to 0.01 points."""
    return sum(
        difference.size < SMALL
        for run in runs
        for difference in run.differences
        if difference.measure == HELD_OUT_ACCURACY and run.is_within
    )


def _cell(runs: Iterable[JudgedRun], measure: Measure, scale: float, digits: int) -> str:
    """Write a measure's largest difference, and what is tolerated of it."""
    found = [one for run in runs for one in run.differences if one.measure == measure]
    if not found:
        return "–"
    worst = max(found, key=lambda one: (not one.is_within, one.size))
    if None in (worst.old, worst.new):
        return "no number" if worst.is_within else "no number: DIFFERS"
    tolerated = "–" if worst.tolerance is None else f"{scale * worst.tolerance:.{digits}f}"
    failed = "" if worst.is_within else ": DIFFERS"
    return f"{scale * worst.size:.{digits}f} ({tolerated}){failed}"
