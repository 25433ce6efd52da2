"""All runs of the book with their records: what they are, who uses them, what the code is worth."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from book import settings
from book.report.experiments import final
from models import records
from models.fingerprint import code_fingerprint
from models.records import CorruptRecord, Record

#: The runs that each page uses: keys, by its name (see `book.builder.trace.used_runs`).
Used = Mapping[str, Sequence[str]]

TODAY, EQUIVALENT, OUTDATED = "today’s", "shown equivalent", "outdated"


@dataclass(frozen=True)
class Run:
    """A run's record, and the pages that use it, by their names from the book's root."""

    record: Record
    pages: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """What the training code that made it is to today's."""
        if self.record.provenance.code_fingerprint == code_fingerprint():
            return TODAY
        return EQUIVALENT if records.is_current(self.record) else OUTDATED

    @property
    def variant(self) -> str:
        """What the run has in common with those of other seeds, as a text."""
        return self.record.spec.with_(seed=0).canonical_json()

    @property
    def images(self) -> int:
        """How many images it trained on."""
        return int(self.record.diagnostics["train_examples"])

    @property
    def minutes(self) -> float:
        """How long the training took."""
        return self.record.provenance.seconds / 60

    @property
    def accuracy(self) -> float:
        """The test accuracy at the end, per cent."""
        return final([self.record], "test_accuracy", scale=100)[0]


def all_runs(used: Used) -> list[Run]:
    """Return all published runs, and all that a page uses, by network, data set and variant."""
    pages: dict[str, list[str]] = {}
    for page, keys in used.items():
        for key in keys:
            pages.setdefault(key, []).append(page)
    records = _read(_files(pages))
    return sorted((Run(one, tuple(pages.get(one.key, ()))) for one in records), key=_place)


def _place(run: Run) -> tuple[object, ...]:
    spec = run.record.spec
    return spec.network, spec.dataset, run.variant, spec.seed


def _files(used: Iterable[str]) -> list[Path]:
    """Return the files of the published records, and of other records that are used."""
    store = settings.store()
    published = sorted(store.published.glob("*.json")) if store.published else []
    found = {path.stem: path for path in published}
    return [*published, *filter(None, map(store.locate, sorted(set(used) - found.keys())))]


def _read(files: Iterable[Path]) -> Iterator[Record]:
    """Yield the records that can be believed."""
    for file in files:
        with contextlib.suppress(CorruptRecord, FileNotFoundError):
            yield settings.store().read(file)


def page_name(docname: str) -> str:
    """Return what a table calls a page.

    >>> page_name("book/regularization/batch_norm_and_dropout")
    'batch norm and dropout'
    """
    return docname.rpartition("/")[2].replace("_", " ")
