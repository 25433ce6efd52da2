"""What a chapter's runs cost: a row an experiment, with its training minutes."""

from collections.abc import Iterable, Iterator, Mapping

from book.report import tables
from book.report.experiments import Results
from models.records import Record

HEADERS = ("experiment", "runs", "seeds", "epochs", "images", "minutes")


def rows(groups: Mapping[str, Results]) -> Iterator[list[object]]:
    """Return a row an experiment, as `HEADERS` names it, and their sum.

    Minutes are those of training, whatever ran beside it.
    """
    kept = {name: records for name, results in groups.items() if (records := _records(results))}
    for name, records in kept.items():
        yield [
            name,
            len(records),
            len({record.spec.seed for record in records}),
            *_sizes(records),
            _minutes(records),
        ]
    every = {record.key: record for records in kept.values() for record in records}.values()
    yield ["all, each once", len(every), None, None, None, _minutes(every)]


def show(groups: Mapping[str, Results], *, name: str) -> None:
    """Display `rows` as a table."""
    caption = (
        "The runs behind this page: epochs and images of each, "
        "and the minutes that training all of them took, one process a core"
    )
    tables.show(rows(groups), HEADERS, name=name, caption=caption)


def _records(results: Results) -> list[Record]:
    return [record for records in results.values() for record in records]


def _sizes(records: Iterable[Record]) -> tuple[str, str]:
    """Return epochs and images of a run, and how often an epoch shows each, if more than once.

    Both ends where they differ.
    """
    kept = list(records)
    epochs = [record.spec.epochs for record in kept]
    images = [record.diagnostics["train_examples"] for record in kept]
    times = _range([record.spec.passes for record in kept])
    return _range(epochs), _range(images) + (f", each {times} times" if times != "1" else "")


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _minutes(records: Iterable[Record]) -> str:
    return f"{sum(record.provenance.seconds for record in records) / 60:.0f}"
