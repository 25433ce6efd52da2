"""Two networks, layer by layer: what differs between them."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, TypeAlias

from analysis.documents import COUNTS, VERSION, document, typed
from analysis.rows import Derivation, Row
from analysis.tables import Format, Sheet, number, shape, total_name, word

Pair: TypeAlias = tuple[Row | None, Row | None]

COMPARED = ("parameters", "macs")
HEADINGS = ("layer", "output", "parameters", "MACs", "receptive field")


@dataclass(frozen=True)
class Difference:
    """Two derivations, their rows side by side: None where only the other one has a layer."""

    one: Derivation
    two: Derivation
    pairs: tuple[Pair, ...]
    asked: tuple[str, str] = ("", "")

    @property
    def changed(self) -> tuple[Pair, ...]:
        """The pairs that are not alike."""
        return tuple(pair for pair in self.pairs if not _alike(*pair))

    def table(self, form: Format = "github", width: int | None = None) -> str:
        """Write a line for each layer that differs, and one for the total: before → after.

        A number that is the same in both stands alone; a dash stands for a missing layer.
        """
        lines = [_line(pair, form) for pair in self.changed]
        totals = [self._totals(key) for key in COMPARED]
        total = [_change(number(one, form), number(two, form), form) for one, two in totals]
        last = [total_name(self.one, self.two), "", *total, ""]
        return Sheet(HEADINGS, [*lines, last]).written(form, width)

    def _totals(self, key: str) -> tuple[Any, Any]:
        return getattr(self.one.total, key), getattr(self.two.total, key)

    @property
    def told(self) -> str:
        """One sentence on how much differs."""
        alike = len(self.pairs) - len(self.changed)
        names = (self.one.network.name, self.two.network.name)
        if len({*names}) == 1 and all(self.asked):
            names = self.asked
        return f"{' → '.join(names)}: {alike} of {len(self.pairs)} layers alike"

    def document(self) -> dict[str, Any]:
        """Return both networks' documents, the totals and the names of the layers that differ."""
        content = {
            "schema": "convbook-analysis-difference",
            "version": VERSION,
            "numbers": "integer",
            "changed": [[row.layer if row else "" for row in pair] for pair in self.changed],
            "total": {key: [*self._totals(key)] for key in COUNTS},
        }
        return typed(content) | {"one": document(self.one), "two": document(self.two)}


def compare(one: Derivation, two: Derivation, asked: tuple[str, str] = ("", "")) -> Difference:
    """Set two derivations side by side, layer for layer by name, in both orders.

    `asked`: what to call them where both have one name.

    >>> from analysis import vgg16, vgg19
    >>> [pair[1].layer for pair in compare(vgg16(), vgg19()).changed if pair[0] is None]
    ['conv3_4', 'conv4_4', 'conv5_4']
    """
    names = [[row.layer for row in each.rows] for each in (one, two)]
    pairs: list[Pair] = []
    for tag, i, j, k, m in SequenceMatcher(a=names[0], b=names[1], autojunk=False).get_opcodes():
        if tag == "equal":
            pairs += zip(one.rows[i:j], two.rows[k:m], strict=True)
        else:
            pairs += [(row, None) for row in one.rows[i:j]]
            pairs += [(None, row) for row in two.rows[k:m]]
    return Difference(one, two, tuple(pairs), asked)


def _alike(one: Row | None, two: Row | None) -> bool:
    if one is None or two is None:
        return False
    same = ("kind", "output", "receptive_field", "jump", *COUNTS)
    return all(getattr(one, key) == getattr(two, key) for key in same)


def _line(pair: Pair, form: Format) -> list[str]:
    cells = [_cells(row, form) for row in pair]
    name = next(row.layer for row in pair if row)
    return [word(name, form), *(_change(one, two, form) for one, two in zip(*cells, strict=True))]


def _cells(row: Row | None, form: Format) -> list[str]:
    if row is None:
        return ["–"] * (len(HEADINGS) - 1)
    field = (
        row.receptive_field if isinstance(row.receptive_field, tuple) else (row.receptive_field,)
    )
    counts = [number(getattr(row, key), form) for key in COMPARED]
    return [shape(row.output, form), *counts, shape(field, form)]


def _change(one: str, two: str, form: Format) -> str:
    arrow = r" $\to$ " if form == "latex" else " → "
    return one if one == two else f"{one}{arrow}{two}"
