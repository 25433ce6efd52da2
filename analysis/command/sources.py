"""Where a network comes from: built in, from torchvision, or made by a function of a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from sympy import sympify

from analysis import counting, footprint
from analysis.errors import AnalysisError
from analysis.folding import SUMMED
from analysis.footprint import Memory
from analysis.hints import RELATIVES
from analysis.networks import find
from analysis.notation import SYMBOLS, B, Calculation, Number, plain
from analysis.rows import Derivation, Row

if TYPE_CHECKING:
    from analysis.reading import Reading, Summary


class Source(Protocol):
    """A network at the sizes asked for: its rows, and what else can be asked of it."""

    @property
    def derivation(self) -> Derivation:
        """The rows, in numbers or in closed form."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before trusting the rows."""

    def count(self, convention: str) -> Number:
        """Return the total that another tool would print."""

    def memory(self, *, training: bool, optimizer: str, precision: str) -> Memory:
        """Return the bytes that training or inference keeps."""


@dataclass(frozen=True)
class BuiltIn:
    """A built-in network, its sizes and settings as keyword arguments of its builder."""

    name: str
    given: Mapping[str, Any]
    closed_form: bool = False

    @cached_property
    def derivation(self) -> Derivation:
        """The rows; what is not given is a symbol in closed form."""
        symbols = SYMBOLS if self.closed_form else {}
        if self.closed_form and symbols.keys() <= self.given.keys():
            raise AnalysisError(
                "--closed-form has no symbol left: batch and input are both given; leave one out"
            )
        return find(self.name)(**(symbols | dict(self.given)))

    @property
    def notes(self) -> tuple[str, ...]:
        """Which layers' weights follow an input of another size than the published one."""
        if not {"height", "width"} & self.given.keys() or self.closed_form:
            return ()
        published = {row.layer: row.note for row in find(self.name)().rows}
        follows = [
            f"{row.layer}: {row.note}"
            for row in self.derivation.rows
            if row.note != published.get(row.layer)
        ]
        relative = RELATIVES.get(self.name)
        return (*follows, *([relative] if follows and relative else ()))

    def count(self, convention: str) -> Number:
        """Return the total by a convention."""
        return counting.count(self.derivation, convention)

    def memory(self, *, training: bool, optimizer: str, precision: str) -> Memory:
        """Return the bytes that training or inference keeps."""
        if not training:
            return footprint.inference_memory(self.derivation, precision=precision)
        return footprint.training_memory(self.derivation, optimizer=optimizer, precision=precision)


@dataclass(frozen=True)
class Module:
    """A torch module that is read, its inputs' shapes without the batch, channels first."""

    name: str
    factory: Callable[[], Any]
    shapes: tuple[tuple[int, ...], ...]
    batch: int | None = None
    closed_form: bool = False
    dtypes: tuple[str, ...] = ()

    @cached_property
    def summary(self) -> "Summary":
        """What `analysis.summary` makes of it; two sizes may be (tokens, features) as well."""
        try:
            return self._summary(self.shapes)
        except AnalysisError as refusal:
            turned = tuple(one[::-1] if len(one) == 2 else one for one in self.shapes)
            if turned == self.shapes:
                raise
            try:
                return self._summary(turned)
            except AnalysisError:
                raise refusal from None

    def _summary(self, shapes: tuple[tuple[int, ...], ...]) -> "Summary":
        import torch

        from analysis.reading import summary

        shape: Any = shapes if len(shapes) > 1 else shapes[0]
        types = [getattr(torch, name) for name in self.dtypes]
        dtype: Any = types if len(types) > 1 else next(iter(types), None)
        return summary(self.factory, shape, batch=self.batch or 1, name=self.name, dtype=dtype)

    @property
    def reading(self) -> "Reading":
        """The run that was read."""
        reading = self.summary.reading
        assert reading is not None
        return reading

    @cached_property
    def derivation(self) -> Derivation:
        """The rows; in closed form, a batch that is given stands in for its symbol."""
        if not self.closed_form:
            return self.summary.derivation
        return _at_batch(self.summary.closed_form, self.batch)

    @property
    def notes(self) -> tuple[str, ...]:
        """Unknown operators, guards, and what a second run at other sizes said."""
        checked = (self.reading.check.told,) if self.closed_form else ()
        return (*self.summary.caveats, *checked)

    def count(self, convention: str) -> Number:
        """Return the total that another tool would print."""
        from analysis.reading.conventions import convention as named

        formula = named(convention).formula(self.reading)
        if not self.closed_form:
            return formula.at(self.reading.sizes)
        return _value_at(formula.form, self.batch)

    def memory(self, *, training: bool, optimizer: str, precision: str) -> Memory:
        """Return the bytes that training or inference keeps."""
        from analysis.reading import memory

        if not training and self.closed_form:
            raise AnalysisError(
                "which layer has most alive at once depends on the size of the input: leave out "
                "--closed-form, or ask for --memory training"
            )
        if self.closed_form and self.batch == 1:
            raise AnalysisError(
                "the closed form of what training keeps is that of two images or more: leave out "
                "--closed-form, or ask for --batch 2"
            )
        if not training:
            return memory.inference_memory(self.reading, precision=precision)
        make = memory.training_formula if self.closed_form else memory.training_memory
        kept = make(self.reading, optimizer=optimizer, precision=precision)
        layers = tuple((name, _calculation_at(part, self.batch)) for name, part in kept.layers)
        return replace(kept, saved=_calculation_at(kept.saved, self.batch), layers=layers)


def _at_batch(derivation: Derivation, batch: int | None) -> Derivation:
    """Return closed forms with the batch's number in the place of its symbol, if it is given."""
    if batch is None:
        return derivation
    network = replace(derivation.network, batch=batch)  # type: ignore[type-var]
    return Derivation(network, tuple(_row_at(row, batch) for row in derivation.rows))


def _row_at(row: Row, batch: int) -> Row:
    counted = {f"{key}_shown" for key in SUMMED} | {"traffic_shown"}
    changed: dict[str, Any] = {key: _calculation_at(getattr(row, key), batch) for key in counted}
    return replace(row, **changed)


def _calculation_at(one: Calculation, batch: int | None) -> Calculation:
    operands = tuple(_value_at(operand, batch) for operand in one.operands)
    return Calculation(_value_at(one.result, batch), one.template, operands)


def _value_at(value: Number, batch: int | None) -> Number:
    return value if batch is None else plain(sympify(value).subs(B, batch))
