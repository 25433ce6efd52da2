"""The runs that the book's chapters use, as the builder asks for them: trainings of `models`."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from book import settings
from book.builder.runs import Origin, Runs
from models import records
from models.equivalence import FOLDER, links
from models.evidence import (
    HELD_OUT_ACCURACY,
    TRAINING_LOSS,
    Certificate,
    JudgedRun,
    NoiseCertificate,
    RunKind,
)
from models.fingerprint import code_fingerprint
from models.records import CorruptRecord, Record


class TrainingRuns(Runs):
    """Trainings: their records lie among the published ones or the user's own."""

    def locate(self, key: str) -> Path | None:
        """Return the file of a run's record; None when there is none that is believed."""
        return settings.store().locate(key)

    def files(self, key: str) -> Sequence[Path]:
        """Return the files that may hold a run's record, the published one first."""
        return settings.store().record_files(key)

    def origin(self, keys: Sequence[str]) -> Origin:
        """Return what a page tells of its runs, and a warning of those that other code trained."""
        used = list(self._read(keys))
        older = sum(not records.is_current(record) for record in used)
        lines = [*_training(used), shown_equivalent(used)] if used else []
        warnings = [_older_code(older, len(used))] if older else []
        return Origin(tuple(filter(None, lines)), tuple(warnings))

    def state(self) -> str:
        """Return the training code's fingerprint, and what shows others equivalent to it."""
        certificates = [(path.name, path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))]
        return repr((code_fingerprint(), certificates))

    def _read(self, keys: Iterable[str]) -> Iterator[Record]:
        """Yield the records that are there, without those that cannot be believed."""
        for path in filter(None, map(self.locate, keys)):
            with contextlib.suppress(CorruptRecord, FileNotFoundError):
                yield settings.store().read(path)


RUNS = TrainingRuns()


def shown_equivalent(used: Sequence[Record]) -> str:
    """Return how many runs were trained by code that was shown equivalent to today's, in words.

    Nothing where today's own code trained all of them.
    """
    chains = [chain for record in used if (chain := _links(record))]
    if not chains:
        return ""
    found = {one.model_dump_json(): one for chain in chains for one in chain}.values()
    noisy = [one for one in found if isinstance(one, NoiseCertificate)]
    shown = _within_noise(noisy) if noisy else _to_the_bit(found)
    return (
        f"{len(chains)} of {len(used)} runs were trained by an earlier form of the training code, "
        f"shown {shown}"
    )


def _links(record: Record) -> tuple[Certificate, ...]:
    return links(record.provenance.code_fingerprint, RunKind.of(record.spec))


def _to_the_bit(found: Iterable[Certificate]) -> str:
    runs = min(len(certificate.runs) for certificate in found)
    return f"equal to today's to the bit in the first epoch of {runs} runs"


def _within_noise(found: Sequence[NoiseCertificate]) -> str:
    """Return in how many runs, by how much at most, and the least chance of the joint tests."""
    runs = [run for certificate in found for run in certificate.runs if run.is_within]
    accuracy, loss = (_largest(runs, measure) for measure in (HELD_OUT_ACCURACY, TRAINING_LOSS))
    least = min(certificate.joint_p for certificate in found)
    to_the_end = sum(run.epochs == run.planned for run in runs)
    rest = "" if to_the_end == len(runs) else f", {to_the_end or 'none'} of them to their end"
    return (
        f"equivalent to today's: {len(runs)} runs of the book were trained again{rest}, and each "
        f"differs by no more than two of its seeds do, by {100 * accuracy:.2f} points in accuracy "
        f"and {loss:.4f} in training loss at most; so do all together (p ≥ {least:.2g})"
    )


def _largest(runs: Iterable[JudgedRun], measure: str) -> float:
    found = (one for run in runs for one in run.differences if one.measure == measure)
    return max((difference.size for difference in found), default=0.0)


def _older_code(older: int, used: int) -> str:
    return (
        f"{older} of this chapter's {used} runs were trained by other training code than today's "
        f"(fingerprint `{code_fingerprint()[:12]}`): their numbers are to be re-earned."
    )


def _training(used: Sequence[Record]) -> list[str]:
    facts = [record.provenance for record in used]
    minutes = sum(fact.seconds for fact in facts) / 60
    days = sorted(fact.date[:10] for fact in facts)
    when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    data = Counter((record.spec.dataset, record.spec.dataset_digest[:12]) for record in used)
    machines = Counter((fact.device_name, fact.versions["torch"]) for fact in facts)
    return [
        f"{len(used)} training runs, {minutes:.0f} minutes in all, {when}",
        "Trained on " + ", ".join(f"{device} with torch {version}" for device, version in machines),
        "Data: " + ", ".join(f"{name} (content digest `{digest}`)" for name, digest in data),
    ]
