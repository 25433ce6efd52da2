"""Every run in a row of one table, which a browser sorts and filters; by network where it can't."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from book.appendix.run_records import EQUIVALENT, OUTDATED, TODAY, Run, page_name
from book.report.tables import cell
from models.specs import RunSpec

SUMMARY_HEADERS = (
    "network",
    "data",
    "runs",
    "variants",
    "hours",
    "by today’s code",
    "shown equivalent",
    "outdated",
)

#: Fields of a spec that have a column of their own, or follow from one.
SHOWN = {
    *("network", "dataset", "dataset_digest", "train_size", "norm", "dropout", "input_dropout"),
    *("schedule", "lr", "max_lr", "epochs", "seed"),
}


@dataclass(frozen=True)
class Column:
    """A column of the table: its head, whether it holds numbers, and whether one may filter it."""

    head: str
    is_number: bool = False
    is_filter: bool = False


COLUMNS = (
    Column("run"),
    Column("network", is_filter=True),
    Column("data", is_filter=True),
    Column("images", is_number=True),
    Column("norm", is_filter=True),
    Column("dropout rate", is_filter=True),
    Column("schedule", is_filter=True),
    Column("learning rate", is_number=True),
    Column("epochs", is_number=True),
    Column("seed", is_number=True, is_filter=True),
    Column("test acc., %", is_number=True),
    Column("minutes", is_number=True),
    Column("machine", is_filter=True),
    Column("code", is_filter=True),
    Column("used by", is_filter=True),
    Column("other settings"),
)


def show(runs: Sequence[Run], caption: str) -> None:
    """Display all runs: as HTML the whole table, elsewhere a sentence on where it stands."""
    from IPython.display import display

    said = f"On the site, this page lists all {len(runs):,} runs, a row each."
    display({"text/html": html(runs, caption), "text/markdown": said, "text/plain": said}, raw=True)


def html(runs: Iterable[Run], caption: str) -> str:
    """Return the table; its links are for `book.builder.links`, its script is `sortable.js`."""
    heads = "".join(map(_head, COLUMNS))
    rows = "\n".join(map(_row, runs))
    return (
        '<div class="pst-scrollable-table-container sortable-box" tabindex="0" role="region" '
        'aria-label="Every run">\n'
        f'<table class="table sortable" data-unit="runs">\n<caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def _head(column: Column) -> str:
    number = ' class="n"' if column.is_number else ""
    return f'<th scope="col"{number}{" data-filter" * column.is_filter}>{column.head}</th>'


def _row(run: Run) -> str:
    """Return a row; end tags that HTML can do without are left out, for there are many."""
    first, *others = zip(COLUMNS, _cells(run), strict=True)
    cells = "".join(f"<td{' class=n' * column.is_number}>{text}" for column, text in others)
    return f'<tr><th scope="row">{first[1]}</th>{cells}'


def _cells(run: Run) -> Iterator[str]:
    spec, key = run.record.spec, run.record.key
    yield f'<a href="run:{key}">{key[:8]}</a>'
    yield from (spec.network, spec.dataset, cell(run.images), spec.norm, _dropout(spec))
    yield from (spec.schedule, _rate(spec), cell(spec.epochs), str(spec.seed))
    yield from (_accuracy(run), f"{run.minutes:.1f}")
    yield from (escape(run.record.provenance.device_name), run.code)
    links = (f'<a href="page:{escape(one)}">{page_name(one)}</a>' for one in run.pages)
    yield ", ".join(links) or "–"
    yield escape(", ".join(_others(spec))) or "–"


def _dropout(spec: RunSpec) -> str:
    hidden = f"{spec.dropout:g}"
    return f"{hidden}, input {spec.input_dropout:g}" if spec.input_dropout else hidden


def _rate(spec: RunSpec) -> str:
    return f"{spec.lr:g}" + (f"–{spec.max_lr:g}" if spec.max_lr else "")


def _accuracy(run: Run) -> str:
    return "diverged" if run.record.diverged else f"{run.accuracy:.2f}"


def _others(spec: RunSpec) -> Iterator[str]:
    """Yield the fields without a column that differ from their defaults."""
    for name, field in type(spec).model_fields.items():
        value = getattr(spec, name)
        if name not in SHOWN and value != field.default:
            yield f"{name} {_plain(value)}"


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def days(runs: Iterable[Run]) -> str:
    """Return the first and the last day on which runs were trained, or the only one, in words."""
    found = sorted({run.record.provenance.date[:10] for run in runs}) or ["never"]
    return found[0] if len(found) == 1 else f"from {found[0]} to {found[-1]}"


def summary_rows(runs: Iterable[Run]) -> Iterator[list[object]]:
    """Return a row for the runs of each network and data set, as `SUMMARY_HEADERS` names it.

    The last row is that of all of them.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        spec = run.record.spec
        groups.setdefault((spec.network, spec.dataset), []).append(run)
    for names, group in groups.items():
        yield [*names, *_sums(group)]
    yield ["all", None, *_sums([run for group in groups.values() for run in group])]


def _sums(runs: Sequence[Run]) -> list[object]:
    codes = Counter(run.code for run in runs)
    hours = f"{sum(run.minutes for run in runs) / 60:.1f}"
    variants = len({run.variant for run in runs})
    return [len(runs), variants, hours, *(codes[code] for code in (TODAY, EQUIVALENT, OUTDATED))]
