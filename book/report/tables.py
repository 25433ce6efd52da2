"""Tables as Markdown with a caption and a name, which HTML and PDF both render."""

from collections.abc import Iterable, Sequence
from typing import Any

from tabulate import tabulate

from book.builder.captions import captioned


def show(
    rows: Iterable[Sequence[Any]],
    headers: Sequence[str],
    *,
    name: str,
    caption: str,
    align: str | None = None,
) -> None:
    """Display a table with its caption; `name` is what `{numref}` refers to.

    `align` has a letter a column: `l`, `r` or `c`; by default the first is left and the others are
    right. Whole numbers get thousands separators, None is shown as a dash.
    """
    from IPython.display import display

    text = markdown(rows, headers, align=align)
    data, metadata = captioned(text, name=name, caption=caption)
    display(data, raw=True, metadata=metadata)


def markdown(
    rows: Iterable[Sequence[Any]], headers: Sequence[str], *, align: str | None = None
) -> str:
    """Return a GitHub pipe table.

    >>> print(markdown([["conv1", 34848]], ["layer", "weights"]))
    | layer   |   weights |
    |:--------|----------:|
    | conv1   |    34,848 |
    """
    words = {"l": "left", "r": "right", "c": "center"}
    columns = align or "l" + "r" * (len(headers) - 1)
    cells = [[cell(value) for value in row] for row in rows]
    return tabulate(
        cells, headers, tablefmt="pipe", colalign=[words[c] for c in columns], disable_numparse=True
    )


def cell(value: Any) -> str:
    """Return a value as a table shows it.

    >>> cell(16777216), cell(None), cell((55, 55, 96))
    ('16,777,216', '–', '55 × 55 × 96')
    """
    if value is None:
        return "–"
    if isinstance(value, tuple | list):
        return " × ".join(cell(part) for part in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def unbroken(words: str) -> str:
    r"""Return words that stay on one line, however narrow their column.

    >>> unbroken("34,848 ✓")
    '34,848\xa0✓'
    """
    return words.replace(" ", "\N{NO-BREAK SPACE}")


def abbreviated(number: int) -> str:
    """Return a count in two significant digits, as lecture notes write it.

    >>> abbreviated(3_211_264), abbreviated(802_816), abbreviated(1000)
    ('3.2M', '800K', '1K')
    """
    rounded = float(f"{number:.1e}")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if rounded >= size:
            return f"{rounded / size:g}{letter}"
    return f"{rounded:g}"
