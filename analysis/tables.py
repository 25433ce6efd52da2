"""A derivation as a table: for a terminal, GitHub, LaTeX or HTML, or as comma-separated values."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Literal, TypeAlias

from tabulate import tabulate

from analysis.notation import Calculation, Number, latex, parenthesized, text
from analysis.rows import Derivation, Row, Shown

Format: TypeAlias = Literal["github", "latex", "html", "csv"]

QUANTITIES = {
    "activations": "activations",
    "weights": "weights",
    "biases": "biases",
    "buffers": "buffers",
    "macs": "MACs",
}
"""What is summed, and its heading; `Row` says what each counts."""

_TABULATE = {"github": "github", "latex": "latex_raw", "html": "html"}
_CSV = ("activations", "weights", "biases", "parameters", "buffers", "macs", "flops")


@dataclass(frozen=True)
class Sheet:
    """Headings and lines of written cells; `words` is how many leading columns hold words."""

    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    words: int = 1

    def written(self, form: Format = "github", width: int | None = None) -> str:
        """Write the sheet; columns that do not fit into `width` follow below, each line named."""
        if form == "csv":
            return _comma_separated([self.headings, *self.lines])
        parts = self.parts(width) if form == "github" and width else (self,)
        return "\n\n".join(part._tabulated(form) for part in parts)

    def _tabulated(self, form: Format) -> str:
        left = min(self.words, len(self.headings))
        return tabulate(
            self.lines,
            headers=self.headings,
            tablefmt=_TABULATE[form],
            colalign=["left"] * left + ["right"] * (len(self.headings) - left),
            disable_numparse=True,
        )

    @property
    def _widths(self) -> list[int]:
        """Characters of each column; a heading has two more, as tabulate pads it."""
        columns = zip(self.headings, *self.lines, strict=True)
        return [max(len(heading) + 2, *map(len, cells)) for heading, *cells in columns]

    def parts(self, width: int) -> "tuple[Sheet, ...]":
        """Return the sheet in parts of at most `width` columns of text, if its cells allow it.

        >>> sheet = Sheet(("layer", "weights", "biases"), (("conv1", "34,848", "96"),))
        >>> [part.headings for part in sheet.parts(width=25)]
        [('layer', 'weights'), ('layer', 'biases')]
        """
        wide = [3 + one for one in self._widths]
        groups: list[list[int]] = []
        left = -1
        for place in range(1, len(wide)):
            left -= wide[place]
            if left < 0:
                groups.append([0])
                left = width - 1 - wide[0] - wide[place]
            groups[-1].append(place)
        return tuple(self._only(places)._wrapped(width) for places in groups) or (self,)

    def _wrapped(self, width: int) -> "Sheet":
        """Return the sheet with its last column's cells in lines that fit beside the first."""
        room = max(20, width - 7 - self._widths[0])
        if len(self.headings) != 2 or all(len(line[-1]) <= room for line in self.lines):
            return self
        return replace(self, lines=[(line[0], _in_lines(line[-1], room)) for line in self.lines])

    def _only(self, places: Sequence[int]) -> "Sheet":
        words = sum(place < self.words for place in places)
        lines = [tuple(line[place] for place in places) for line in self.lines]
        return Sheet(tuple(self.headings[place] for place in places), lines, words)


def _in_lines(cell: str, room: int) -> str:
    """Break a cell at spaces, but not between brackets."""
    whole = re.sub(r"[(⌊][^()⌊⌋]*[)⌋]", lambda part: part[0].replace(" ", "\xa0"), cell)
    return "\n".join(wrap(whole, room)).replace("\xa0", " ")


def table(
    derivation: Derivation,
    form: Format = "github",
    show_calculation: bool = False,
    width: int | None = None,
) -> str:
    """Write one line per row and one for the total.

    Numbers are right-aligned, with thousands separators; as comma-separated values they are plain,
    and there is no total. The buffers' column is left out where no layer has any. LaTeX needs no
    package. `width`: fold what does not fit into so many columns of text.
    """
    if form == "csv":
        return values(derivation)
    quantities = {
        key: heading
        for key, heading in QUANTITIES.items()
        if key != "buffers" or derivation.total.buffers != 0
    }
    lines = [_line(row, quantities, form, show_calculation) for row in derivation.rows]
    numbers = [number(getattr(derivation.total, key), form) for key in quantities]
    total = [total_name(derivation), "", "", *numbers, ""]
    headings = ["layer", "kind", "output", *quantities.values(), "receptive field"]
    return Sheet(headings, [*lines, total], words=2).written(form, width)


def total_name(*derivations: Derivation) -> str:
    """Return what a total is called: a lower bound where an operator is not counted."""
    return "total, at least" if any(one.at_least for one in derivations) else "total"


def values(derivation: Derivation) -> str:
    """Write a derivation as comma-separated values: one line per row, numbers without separators.

    Sides of outputs, receptive fields, starts and jumps are joined by `x`: `55x55x96`.
    """
    headings = ("layer", "kind", "output", *_CSV, "receptive_field", "start", "jump", "status")
    lines = [
        (
            row.layer,
            row.kind,
            "x".join(map(str, row.output)),
            *(str(getattr(row, key)) for key in _CSV),
            *map(_joined, (row.receptive_field_shown, row.start_shown, row.jump_shown)),
            row.status,
        )
        for row in derivation.rows
    ]
    return Sheet(headings, lines).written("csv")


def _joined(axes: Shown) -> str:
    return "x".join(str(axis.value) for axis in axes)


def _comma_separated(lines: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(lines)
    return written.getvalue().rstrip("\n")


def _line(row: Row, quantities: Iterable[str], form: Format, show_calculation: bool) -> list[str]:
    shown = [getattr(row, f"{key}_shown") for key in quantities]
    return [
        word(row.layer, form),
        row.kind,
        shape(row.output, form),
        *(calculated(one, form, show_calculation) for one in shown),
        _field(row.receptive_field_shown, form, show_calculation),
    ]


def word(written: str, form: Format) -> str:
    """Write a name."""
    return written.replace("_", r"\_") if form == "latex" else written


def number(value: Number, form: Format) -> str:
    """Write a number or a closed form."""
    return f"${latex(value)}$" if form == "latex" else text(value)


def shape(sizes: Iterable[Number], form: Format) -> str:
    """Write an output's sizes.

    >>> shape((55, 55, 96), "github")
    '55 × 55 × 96'
    """
    return _times((parenthesized(number(size, form), size) for size in sizes), form)


def calculated(one: Calculation, form: Format, show_calculation: bool) -> str:
    """Write a calculation, or only what comes out."""
    if show_calculation:
        return f"${one.latex}$" if form == "latex" else one.text
    return number(one.value, form)


def _field(shown: Shown, form: Format, show_calculation: bool) -> str:
    written = [calculated(axis, form, show_calculation) for axis in shown]
    if len({axis.value for axis in shown}) == 1:
        return written[0]
    if show_calculation:
        return _times(written, form)
    return _times(
        (parenthesized(one, axis.value) for one, axis in zip(written, shown, strict=True)), form
    )


def _times(written: Iterable[str], form: Format) -> str:
    return (r" $\times$ " if form == "latex" else " × ").join(written)
