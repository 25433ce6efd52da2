"""A derivation as a table (GitHub, LaTeX, HTML) or as JSON."""

import json
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from tabulate import tabulate

from analysis.notation import Calculation, Number, latex, parenthesized, text
from analysis.rows import Derivation, Row, Shown

Format: TypeAlias = Literal["github", "latex", "html"]

QUANTITIES = {
    "activations": "activations",
    "weights": "weights",
    "biases": "biases",
    "buffers": "buffers",
    "macs": "MACs",
}
"""What is summed, and its heading; `Row` says what each counts."""

_TABULATE = {"github": "github", "latex": "latex_raw", "html": "html"}


def table(derivation: Derivation, form: Format = "github", show_calculation: bool = False) -> str:
    """Write one line per row and one for the total.

    Numbers are right-aligned, with thousands separators.

    The buffers' column is left out where no layer has any. LaTeX needs no package.
    """
    quantities = {
        key: heading
        for key, heading in QUANTITIES.items()
        if key != "buffers" or derivation.total.buffers != 0
    }
    lines = [_line(row, quantities, form, show_calculation) for row in derivation.rows]
    total = [
        "total",
        "",
        "",
        *(_number(getattr(derivation.total, key), form) for key in quantities),
        "",
    ]
    headings = ["layer", "kind", "output", *quantities.values(), "receptive field"]
    alignment = ["left", "left", *("right" for _ in headings[2:])]
    return tabulate(
        [*lines, total],
        headers=headings,
        tablefmt=_TABULATE[form],
        colalign=alignment,
        disable_numparse=True,
    )


def _line(row: Row, quantities: Iterable[str], form: Format, show_calculation: bool) -> list[str]:
    name = row.layer.replace("_", r"\_") if form == "latex" else row.layer
    output = _times((parenthesized(_number(size, form), size) for size in row.output), form)
    shown = [getattr(row, f"{key}_shown") for key in quantities]
    numbers = [_shown(one, form, show_calculation) for one in shown]
    return [
        name,
        row.kind,
        output,
        *numbers,
        _field(row.receptive_field_shown, form, show_calculation),
    ]


def _shown(one: Calculation, form: Format, show_calculation: bool) -> str:
    if show_calculation:
        return f"${one.latex}$" if form == "latex" else one.text
    return _number(one.value, form)


def _field(shown: Shown, form: Format, show_calculation: bool) -> str:
    height, width = shown
    axes = [height] if height.value == width.value else [height, width]
    return _times((_shown(axis, form, show_calculation) for axis in axes), form)


def _number(value: Number, form: Format) -> str:
    return f"${latex(value)}$" if form == "latex" else text(value)


def _times(written: Iterable[str], form: Format) -> str:
    return (r" $\times$ " if form == "latex" else " × ").join(written)


def as_json(derivation: Derivation, show_calculation: bool = False) -> str:
    """Write the numbers for other programs, as JSON.

    They are plain integers (a closed form is a string), without the batch in `output`.

    A receptive field is one number, or `[height, width]` where they differ.
    """
    document = {
        "network": derivation.network.name,
        "input": _values(derivation.rows[0].output),
        "rows": [_object(row, show_calculation) for row in derivation.rows],
        "total": {key: _value(getattr(derivation.total, key)) for key in QUANTITIES},
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _object(row: Row, show_calculation: bool) -> dict[str, Any]:
    field = row.receptive_field
    written: dict[str, Any] = {
        "layer": row.layer,
        "kind": row.kind,
        "output": _values(row.output),
        **{key: _value(getattr(row, key)) for key in QUANTITIES},
        "receptive_field": _values(field) if isinstance(field, tuple) else _value(field),
    }
    if show_calculation:
        written["calculation"] = {key: getattr(row, f"{key}_shown").text for key in QUANTITIES}
        written["calculation"]["receptive_field"] = [
            axis.text for axis in row.receptive_field_shown
        ]
        written["calculation"]["output"] = [side.text for side in row.sides_shown]
    return written


def _value(number: Number) -> int | str:
    return number if isinstance(number, int) else str(number)


def _values(numbers: Iterable[Number]) -> list[int | str]:
    return [_value(number) for number in numbers]
