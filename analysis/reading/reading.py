"""A module that was read: its rows at any size, in closed form, and how far they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from analysis.errors import AnalysisError
from analysis.notation import B, H, Number, W
from analysis.reading.checking import Check, check
from analysis.reading.inputs import Inputs, inputs
from analysis.reading.journal import Guard
from analysis.reading.listing import Held, Write, numeric, rows, symbolic
from analysis.reading.marks import Marks
from analysis.reading.run import are_tokens, on_meta, one_input, run
from analysis.reading.sizes import AXES, shaped, symbols
from analysis.reading.steps import Step, Trace, names
from analysis.reading.sums import Totals, count, saved_formula
from analysis.reading.terms import Term, add, compiled, multiply
from analysis.reading.trust import Trust, asked
from analysis.rows import Derivation, Row


@dataclass(frozen=True)
class Source:
    """What was read, as a derivation names its network: input sizes and batch."""

    name: str
    channels: Number
    height: Number = 1
    width: Number = 1
    batch: Number = 1


@dataclass(frozen=True)
class Reading:
    """One run of a module, and everything that follows from it.

    `shape` is the input's, with the batch. Rows are numbers at that size; `at` gives them at
    another one by another run, `macs` and `totals` by the formulas where a run confirmed them.
    """

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    trace: Trace = field(repr=False)
    dtype: Any = None
    in_training: bool = False
    tokens: bool = False
    inputs: Inputs = field(default_factory=Inputs, repr=False)
    others: dict[tuple[int, ...], Reading] = field(default_factory=dict, repr=False)

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of this run by symbol: B, and H and W where the input has them."""
        return symbols(self.shape, self.tokens)

    @property
    def steps(self) -> list[Step]:
        """The operators in the order of the run, views left out."""
        return self.trace.steps

    @property
    def guards(self) -> tuple[Guard, ...]:
        """The comparisons of sizes on which the module's way depended."""
        return tuple(self.trace.journal.guards.values())

    @property
    def leaks(self) -> tuple[str, ...]:
        """Where a size became a bare number, by layer: there a formula may end."""
        return tuple(self.trace.journal.leaks)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Operators without a rule, by name: what they cost is not counted."""
        return tuple(dict.fromkeys(s.operator for s in self.steps if s.kind == "unknown"))

    @cached_property
    def held(self) -> dict[str, Held]:
        """Every parameter once, by name."""
        return {n: Held(n, p.numel()) for n, p in self.module.named_parameters()}

    @cached_property
    def buffers(self) -> dict[str, Held]:
        """Every buffer that is more than a counter, by name."""
        return {n: Held(n, b.numel()) for n, b in self.module.named_buffers() if b.dim()}

    def _derivation(self, source: Source, write: Write) -> Derivation:
        entry = self.trace.entry
        assert entry is not None
        entries = (entry, *self.trace.besides)
        return Derivation(source, rows(self.steps, entries, self.held, self.buffers, write))

    @cached_property
    def derivation(self) -> Derivation:
        """The rows in numbers, at the sizes of this run."""
        return self._derivation(self._source(self.sizes), numeric(self.sizes))

    @cached_property
    def closed_form(self) -> Derivation:
        """The rows as expressions in B, H and W, checked by a run at other sizes.

        A row whose formula that run contradicts carries a note that says so.
        """
        source = self._source(dict(zip(AXES, (B, H, W), strict=True)))
        written = self._derivation(source, symbolic)
        return Derivation(source, tuple(self._noted(row) for row in written.rows))

    def _noted(self, row: Row) -> Row:
        found = self.check.notes.get(row.layer)
        return row if found is None else replace(row, note=f"{row.note} {found}".strip())

    def _source(self, sizes: dict[str, Any]) -> Source:
        known = {
            name: sizes[axis]
            for name, axis in (("batch", "B"), ("height", "H"), ("width", "W"))
            if axis in self.sizes
        }
        return Source(self.name, self.shape[-1 if self.tokens else 1], **known)

    @cached_property
    def check(self) -> Check:
        """A second run at other sizes, compared row by row."""
        return check(self.module, self.shape, self.trace, names(self.steps), self._run, self.tokens)

    def _run(self, shape: Sequence[int]) -> Trace:
        return run(self.module, shape, self.in_training, self.dtype, self.tokens, self.inputs)

    @property
    def total(self) -> Any:
        """The sums over the rows at the sizes of this run."""
        return self.derivation.total

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows at the sizes of this run."""
        return self.derivation.rows

    def row(self, layer: str) -> Row:
        """Return the row of a layer."""
        return self.derivation.row(layer)

    def resized(
        self, *, height: int | None = None, width: int | None = None, batch: int | None = None
    ) -> tuple[int, ...]:
        """Return the input's shape with other sizes."""
        wanted = {"B": batch, "H": height, "W": width}
        unknown = [axis for axis, size in wanted.items() if size and axis not in self.sizes]
        if unknown:
            raise AnalysisError(
                f"{self.name} was read on an input of {_by(self.shape)}, which has no "
                f"{' or '.join(unknown)}; leave it out"
            )
        sizes = self.sizes | {axis: size for axis, size in wanted.items() if size is not None}
        return shaped(self.shape, sizes, self.tokens)

    def at(
        self, *, height: int | None = None, width: int | None = None, batch: int | None = None
    ) -> Derivation:
        """Return the rows in numbers at other sizes, where the module runs again.

        Raises:
            AnalysisError: If the module itself refuses an input of that size.
        """
        shape = self.resized(height=height, width=width, batch=batch)
        return self.derivation if shape == self.shape else self.again(shape).derivation

    def holds(self, sizes: dict[str, int]) -> bool:
        """Return whether the formulas hold at these sizes: far ones cost another run."""
        return sizes == self.sizes or self.trust.holds(sizes)

    @cached_property
    def trust(self) -> Trust:
        """Where the formulas may be used."""
        return Trust(self.trace, names(self.steps), self.check, lambda s: self.there(s).trace)

    def there(self, sizes: dict[str, int]) -> Reading:
        """Return the same module read at these sizes, by symbol."""
        return self.again(shaped(self.shape, sizes, self.tokens))

    def again(self, shape: tuple[int, ...]) -> Reading:
        """Return the same module read at another shape."""
        if shape not in self.others:
            self.others[shape] = replace(self, shape=shape, trace=self._run(shape), others={})
        return self.others[shape]

    @cached_property
    def training(self) -> Reading:
        """The same module read in training, with what each operator saves for the backward pass.

        A batch of at least 2: a batch norm has no statistics of one number.
        """
        shape = (max(2, self.shape[0]), *self.shape[1:])
        trace = run(self.module, shape, True, self.dtype, self.tokens, self.inputs)
        return replace(self, shape=shape, trace=trace, in_training=True, others={})

    @cached_property
    def totals(self) -> Callable[..., Totals]:
        """The totals, compiled: `reading.totals(B, H, W)` in microseconds.

        Where the formulas may not hold (`holds`), the module runs again.

        Raises:
            AnalysisError: For a reading in training of which not all saved bytes are known.
        """
        self.checked_saves()
        written = [one.shape for one in self._written]
        numbers = add(multiply(shape) for shape in written)
        evaluate = compiled([self.macs_formula, numbers, saved_formula(self.steps)])
        return lambda B=1, H=1, W=1: Totals(*asked(self, "totals", evaluate, (B, H, W)))

    def checked_saves(self, at_least: bool = False) -> Reading:
        """Return it, if all that its operators save for backward is known, or that `at_least`.

        Raises:
            AnalysisError: If it is not; it names the operators.
        """
        bounded = () if at_least else self.trace.bounded
        unruled = self.unknown if self.in_training else ()
        unsure = dict.fromkeys((*self.trace.unsaved, *bounded, *unruled))
        if unsure:
            raise AnalysisError(
                f"the bytes that {', '.join(unsure)} saves for the backward pass are not known, so "
                f"that the training memory of {self.name} is not either"
            )
        return self

    @property
    def _written(self) -> list[Marks]:
        """The input, and every output that isn't written over an input."""
        entry = [self.trace.entry] if self.trace.entry else []
        return [
            *entry,
            *self.trace.besides,
            *(step.outputs[0] for step in self.steps if not step.inplace),
        ]

    @cached_property
    def macs(self) -> Callable[..., int]:
        """The total of MACs, compiled: `reading.macs(B, H, W)` in microseconds.

        Where the formulas may not hold (`holds`), the module runs again.
        """
        evaluate = compiled([self.macs_formula])
        return lambda B=1, H=1, W=1: int(asked(self, "macs", evaluate, (B, H, W))[0])

    @cached_property
    def macs_formula(self) -> Term:
        """The total of MACs as a formula."""
        return add(count(step) for step in self.steps)


def _by(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def read(
    module: nn.Module | Callable[[], nn.Module],
    shape: Any,
    *,
    batch: int = 1,
    name: str | None = None,
    dtype: Any = None,
) -> Reading:
    """Read a module: run it once on the meta device and return what was seen.

    Args:
        module: a module, which is left as it is, or a factory that makes one (on the meta device).
        shape: the input's without the batch: (C, H, W), (C, L), (features,), (C, depth, H, W), or
            (tokens, features), told from (C, L) by which of the two the module lets change.
            Several inputs: a list of shapes, or a dictionary of them by name. A list or a
            dictionary inside is handed over as one argument. H and W are those of the first, and of
            others that share its height and width.
        batch: images in a batch.
        name: what to call it; the module's class otherwise.
        dtype: of the input; that of all the module's own floating numbers unless given, float32
            where they differ (int64 for token ids). Of several inputs, a list or a dictionary.

    Raises:
        AnalysisError: For a shape that is none, or one that the module refuses.
    """
    on = on_meta(module)
    first, given = inputs(shape, batch, dtype, _own_dtype(on))
    if given.single:
        one_input(on)
    tokens = are_tokens(on, first.shape, first.dtype, given)
    trace = run(on, first.shape, dtype=first.dtype, tokens=tokens, inputs=given)
    name = name or type(on).__name__
    return Reading(name, on, first.shape, trace, first.dtype, tokens=tokens, inputs=given)


def _own_dtype(module: nn.Module) -> torch.dtype:
    found = {one.dtype for one in module.parameters() if one.is_floating_point()}
    return found.pop() if len(found) == 1 else torch.float32
