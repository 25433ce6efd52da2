"""The runs that the book's chapters use, as the builder asks for them: trainings of `models`."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from book import settings
from book.builder.runs import Origin, Runs
from models import records
from models.equivalence import FOLDER, links
from models.fingerprint import code_fingerprint
from models.records import CorruptRecord, Record


class TrainingRuns(Runs):
    """Trainings: their records lie among the published ones or the user's own."""

    def locate(self, key: str) -> Path | None:
        """Return the file of a run's record; None when there is none that is believed."""
        return settings.store().locate(key)

    def origin(self, keys: Sequence[str]) -> Origin:
        """Return what a page tells of its runs, and a warning of those that other code trained."""
        used = list(self._read(keys))
        older = sum(not records.is_current(record) for record in used)
        lines = [*_training(used), shown_equivalent(used)] if used else []
        warnings = [_older_code(older, len(used))] if older else []
        return Origin(tuple(filter(None, lines)), tuple(warnings))

    def state(self) -> str:
        """Return the training code's fingerprint, and those that were shown equal to it."""
        return repr((code_fingerprint(), sorted(path.name for path in FOLDER.glob("*.json"))))

    def _read(self, keys: Iterable[str]) -> Iterator[Record]:
        """Yield the records that are there, without those that cannot be believed."""
        for path in filter(None, map(self.locate, keys)):
            with contextlib.suppress(CorruptRecord, FileNotFoundError):
                yield settings.store().read(path)


RUNS = TrainingRuns()


def shown_equivalent(used: Sequence[Record]) -> str:
    """Return how many runs were trained by code that was shown equal to today's, in words.

    Nothing where today's own code trained all of them.
    """
    fingerprints = Counter(record.provenance.code_fingerprint for record in used)
    certified = {one: found for one in fingerprints if (found := links(one))}
    if not certified:
        return ""
    linked = sum(fingerprints[fingerprint] for fingerprint in certified)
    shown = min(len(link.runs) for found in certified.values() for link in found)
    return (
        f"{linked} of {len(used)} runs were trained by an earlier form of the training code, "
        f"shown equal to today's to the bit in the first epoch of {shown} runs"
    )


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
