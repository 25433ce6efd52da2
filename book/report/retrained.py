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
    "runs",
    "epochs",
    "accuracy, points (tolerated)",
    "training loss (tolerated)",
)


def evidence() -> tuple[list[NoiseCertificate], list[BitCertificate]]:
    """Return the certificates, by kind; a chapter that reads them is stale when they change."""
    show_files(*sorted(FOLDER.glob("*.json")))
    found = certificates()
    noise = [one for one in found if isinstance(one, NoiseCertificate)]
    return noise, [one for one in found if isinstance(one, BitCertificate)]


def rows(runs: Iterable[JudgedRun]) -> list[list[str]]:
    """Return a row for each network, norm and schedule, as `HEADERS` names it.

    Of several runs that with the largest part of what is tolerated.
    """
    kinds: dict[tuple[str, str, str], list[JudgedRun]] = {}
    for run in runs:
        kinds.setdefault((run.network, run.norm, run.schedule), []).append(run)
    return [
        [
            *kind,
            str(len(found)),
            _epochs(found),
            _cell(found, HELD_OUT_ACCURACY, 100, 2),
            _cell(found, TRAINING_LOSS, 1, 4),
        ]
        for kind, found in sorted(kinds.items())
    ]


def together_text(noise: Iterable[NoiseCertificate]) -> str:
    """Tell how far all runs of a certificate differ on average, in units of two seeds'."""
    means = [test.mean for one in noise for test in one.together]
    return f"between {min(means):+.2f} and {max(means):+.2f} of what two seeds differ by"


def _epochs(runs: Iterable[JudgedRun]) -> str:
    return ", ".join(sorted({f"{run.epochs} of {run.planned}" for run in runs}))


def _cell(runs: Iterable[JudgedRun], measure: Measure, scale: float, digits: int) -> str:
    """Write a measure's largest difference, and what is tolerated of it."""
    found = [
        (difference.size / difference.tolerance, difference.size, difference.tolerance)
        for run in runs
        for difference in run.differences
        if difference.measure == measure and difference.tolerance
    ]
    if not found:
        return "–"
    _, size, tolerance = max(found)
    return f"{scale * size:.{digits}f} ({scale * tolerance:.{digits}f})"
