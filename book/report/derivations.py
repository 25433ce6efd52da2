"""Derived networks as tables: a row a layer, numbers by themselves or with their calculation."""

from collections.abc import Collection, Mapping, Sequence

from analysis.notation import text
from analysis.rows import Derivation, Row
from analysis.tables import QUANTITIES
from book.report.tables import show, unbroken

HEADINGS = {**QUANTITIES, "parameters": "parameters", "receptive_field": "receptive field"}
"""What a derivation's columns are headed; `analysis.Row` says what each counts."""

TOTALLED = [*QUANTITIES, "parameters"]


def layers(
    derivation: Derivation,
    columns: Sequence[str],
    *,
    name: str,
    caption: str,
    shown: Collection[str] = (),
    marked: Collection[tuple[str, str]] = (),
    labels: Mapping[str, str] | None = None,
) -> None:
    """Display a derivation: a row a layer, and the total last.

    `columns` are numbers of `analysis.Row` (`output`, `weights`, `macs` …); those also in `shown`
    come with their calculation. `marked` holds pairs of layer and column to set in bold. `labels`
    says how a layer is called where that is not its name.
    """
    labels, marked = labels or {}, set(marked)

    def line(row: Row) -> list[str]:
        written = [quantity(row, column, calculated=column in shown) for column in columns]
        bold = [
            f"**{one}**" if (row.layer, column) in marked else one
            for column, one in zip(columns, written, strict=True)
        ]
        return [labels.get(row.layer, row.layer), *bold]

    total = [
        "total",
        *(text(getattr(derivation.total, one)) if one in TOTALLED else "" for one in columns),
    ]
    headings = ["layer", *(HEADINGS.get(column, column) for column in columns)]
    show([*map(line, derivation.rows), total], headings, name=name, caption=caption)


def quantity(row: Row, column: str, *, calculated: bool = False) -> str:
    """Return a number of a derived row, by itself or at the end of its calculation, on one line.

    >>> from analysis import alexnet
    >>> quantity(alexnet().row("conv1"), "weights", calculated=True).split()
    ['(11·11·3)·96', '=', '34,848']
    """
    if calculated:
        return unbroken(str(getattr(row, f"{column}_shown")))
    value = getattr(row, column)
    return unbroken(" × ".join(map(text, value)) if isinstance(value, tuple) else text(value))
