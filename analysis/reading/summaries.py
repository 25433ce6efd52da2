"""A network's rows, totals and caveats in one object that shows itself as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from inspect import signature
from itertools import product
from typing import TYPE_CHECKING, Any

from analysis import counting, footprint
from analysis.errors import AnalysisError
from analysis.networks import NETWORKS, find
from analysis.notation import Number, text
from analysis.rows import Derivation, Row, Total
from analysis.tables import Format, table

if TYPE_CHECKING:
    from analysis.footprint import Memory
    from analysis.reading.journal import Guard
    from analysis.reading.reading import Reading


@dataclass(frozen=True)
class Summary:
    """Rows and totals of a built-in network or of a module that was read, and what to know of them.

    It shows itself as a table: as text where it is printed, as HTML in a notebook.
    """

    derivation: Derivation
    reading: Reading | None = None

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.derivation.network.name

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row per layer, in the order of computation."""
        return self.derivation.rows

    @property
    def total(self) -> Total:
        """The sums over the rows."""
        return self.derivation.total

    def row(self, layer: str) -> Row:
        """Return the row of a layer."""
        return self.derivation.row(layer)

    @property
    def closed_form(self) -> Derivation:
        """The rows in B, H and W, checked by a run at other sizes.

        Raises:
            AnalysisError: For a built-in network: derive that one with `analysis.SYMBOLS`.
        """
        return self._read("closed_form").closed_form

    def at(self, **sizes: int) -> Derivation:
        """Return the rows at other sizes (`height`, `width`, `batch`)."""
        return self._read("at").at(**sizes)

    def count(self, convention: str) -> Number:
        """Return the total that another tool would print; see `analysis.counting`."""
        if self.reading is None:
            return counting.count(self.derivation, convention)
        from analysis.reading.conventions import convention as named

        return named(convention).total(self.reading)

    def memory(self, *, training: bool = True, **options: Any) -> Memory:
        """Return bytes by what they are for, in training or in evaluation.

        Raises:
            AnalysisError: For an option that there is none of, an optimizer in evaluation say.
        """
        if self.reading is None:
            built_in = footprint.training_memory if training else footprint.inference_memory
            return built_in(self.derivation, **self._taken(built_in, options))
        from analysis.reading.memory import inference_memory, training_memory

        keep = training_memory if training else inference_memory
        return keep(self.reading, **self._taken(keep, options))

    def _taken(self, keep: Callable[..., Memory], options: dict[str, Any]) -> dict[str, Any]:
        """Return the options if the function takes them all."""
        parameters = signature(keep).parameters.values()
        known = [one.name for one in parameters if one.kind == one.KEYWORD_ONLY]
        for name in options.keys() - known:
            raise AnalysisError(
                f"{keep.__name__.replace('_', ' ')} of {self.name} takes {', '.join(known)}, not "
                f"{name}" + ("; give sizes to summary itself" if self.reading is None else "")
            )
        return options

    def _read(self, what: str) -> Reading:
        if self.reading is None:
            raise AnalysisError(
                f"{self.name} is built in, and has no {what} of its own: read a module instead, "
                "or derive it with analysis.SYMBOLS"
            )
        return self.reading

    @property
    def caveats(self) -> tuple[str, ...]:
        """What a reader must know: unknown operators, guards, leaks, notes of rows."""
        if self.reading is None:
            return ()
        unknown = [f"{name} has no rule: it is not counted" for name in self.reading.unknown]
        leaks = [
            f"a size became a bare number in {layer or 'the module'}: formulas may end there"
            for layer in self.reading.leaks
        ]
        guards = dict.fromkeys(map(told, filter(open_question, self.reading.guards)))
        told_apart = ("unknown", "unused")
        noted = [row for row in self.rows if row.note and row.kind not in told_apart]
        notes = [f"{row.layer}: {row.note}" for row in noted]
        return (*unknown, *leaks, *guards, *notes, *self._fieldless)

    @property
    def _fieldless(self) -> tuple[str, ...]:
        known = self.reading is None or len(self.reading.shape) <= 5
        return () if known else ("no receptive fields are known of inputs with four axes or more",)

    def table(self, form: Format = "github", show_calculation: bool = False) -> str:
        """Write the table alone, in one of the formats of `analysis.tables`."""
        return table(self.derivation, form, show_calculation)

    def __str__(self) -> str:
        return "\n".join([self.table(), *self.caveats])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Write a table without colours, of the class that themes colour, by day and by night."""
        table = self.table("html").replace("<table>", '<table class="dataframe">', 1)
        notes = "".join(f"<li>{escape(caveat)}</li>" for caveat in self.caveats)
        return table + (f"<ul>{notes}</ul>" if notes else "")

    def _repr_markdown_(self) -> str:
        """Write what a printed book shows, which knows no HTML."""
        return "\n".join([self.table(), "", *(f"- {caveat}" for caveat in self.caveats)])


PROBES = (1, 2, 3, 5, 16, 31, 64, 100, 224, 513, 10**7)
"""Sizes at which an inequality is tried."""


def open_question(guard: Guard) -> bool:
    """Return whether a guard could come out otherwise: a size is never 0, nor 4 below 3."""
    if guard.right.form == 0 and guard.left.form.is_positive:
        return False
    sides = product((1, 2, 64), PROBES, PROBES)
    tried = (dict(zip("BHW", sizes, strict=True)) for sizes in sides)
    return guard.sign in ("==", "!=") or not all(map(guard.holds, tried))


def told(guard: Guard) -> str:
    """Write a guard as a sentence.

    >>> from analysis.reading.journal import Guard
    >>> from analysis.reading.terms import symbol, term
    >>> told(Guard(symbol("H"), ">", term(100), True, "stem"))
    'stem takes another way unless H > 100'
    """
    opposite = {"==": "≠", "!=": "=", "<": "≥", "<=": ">", ">": "≤", ">=": "<"}
    same = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}
    sign = same.get(guard.sign, guard.sign) if guard.held else opposite[guard.sign]
    sides = f"{text(guard.left.form)} {sign} {text(guard.right.form)}"
    return f"{guard.layer or 'the module'} takes another way unless {sides}"


def summary(
    network: Any,
    shape: Any = None,
    *,
    batch: int = 1,
    name: str | None = None,
    dtype: Any = None,
) -> Summary:
    """Summarize a torch module, a factory of one, a built-in network or its name, or a derivation.

    A module with several inputs takes a list of shapes, or a dictionary of them by name.

    Raises:
        AnalysisError: For a module without a shape, or a shape that the network refuses.
    """
    if isinstance(network, Derivation):
        return Summary(network)
    if isinstance(network, str) or network in NETWORKS.values():
        return Summary(
            _built_in(find(network) if isinstance(network, str) else network, shape, batch)
        )
    if shape is None:
        raise AnalysisError(
            "a module needs the shape of its input without the batch, such as (3, 224, 224)"
        )
    from analysis.reading.reading import read

    reading = read(network, shape, batch=batch, name=name, dtype=dtype)
    return Summary(reading.derivation, reading)


def _built_in(
    builder: Callable[..., Derivation], shape: Sequence[int] | None, batch: int
) -> Derivation:
    if shape is None:
        return builder(batch=batch)
    if len(shape) != 3:
        raise AnalysisError(f"the shape must be (channels, height, width), not {tuple(shape)}")
    channels, height, width = shape
    known = signature(builder).parameters
    sizes = {"channels": channels, "height": height, "width": width, "batch": batch}
    return builder(**{key: value for key, value in sizes.items() if key in known})
