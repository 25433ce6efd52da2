"""Published runs that were trained again, when faster training code took the place of theirs."""

from collections.abc import Iterable

from book.builder.trace import show_files
from models.equivalence import FOLDER, certificates
from models.evidence import (
    HELD_OUT_ACCURACY,
    TRAINING_LOSS,
    BitCertificate,
    JudgedRun,
    Measure,
    NoiseCertificate,
)

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
    sign = "−" if most < 0 else "+"
    return (
        f"Together, the {len(largest.runs)} runs of the largest sample differ on average by at "
        f"most {sign}{abs(most):.2f} of what two seeds differ by, in each of "
        f"{len(largest.together)} measures."
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
