"""The steps of a run as the rows of a derivation: in numbers at given sizes, or in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any, TypeAlias

from sympy import Integer, Rational

from analysis.layers import Window
from analysis.notation import ZERO, Calculation, Number, calculation, plain, product
from analysis.operators import side_calculation
from analysis.reading.marks import Marks, Sight, View
from analysis.reading.saved import Saved
from analysis.reading.sizes import Shape
from analysis.reading.steps import Step, names
from analysis.reading.terms import Term, term
from analysis.rows import STATUSES, UNRULED, Kind, Row, Shown, Status

Write: TypeAlias = Callable[[Any], Number]
"""Turns a size into a plain number, or into a sympy expression."""


@dataclass(frozen=True)
class Held:
    """How many numbers a named parameter or buffer holds."""

    name: str
    numbers: int

    @property
    def is_bias(self) -> bool:
        """Whether its own name says bias: γ and β of a norm are a weight and a bias."""
        own = self.name.rpartition(".")[2]
        return own.startswith("bias") or own.endswith("bias")


def numeric(sizes: dict[str, int]) -> Write:
    """Return a function that writes sizes as plain numbers."""
    known: dict[Term, int] = {}

    def write(size: Any) -> Number:
        return size if type(size) is int else term(size).valued(sizes, known)

    return write


def symbolic(size: Any) -> Number:
    """Write a size as a sympy expression in B, H and W."""
    return plain(term(size).form) if type(size) is not int else size


def rows(
    steps: list[Step],
    entries: Sequence[Marks],
    held: dict[str, Held],
    buffers: dict[str, Held],
    write: Write,
) -> tuple[Row, ...]:
    """Return rows of the inputs, the steps, and modules with parameters that none of them read."""
    left, kept = dict(held), dict(buffers)
    inputs = enumerate(entries, start=1)
    listed = [_input_row(f"input:{i}" if i > 1 else "input", entry, write) for i, entry in inputs]
    for name, step in zip(names(steps), steps, strict=True):
        mine = [left.pop(one) for one in dict.fromkeys(step.parameters) if one in left]
        own = [kept.pop(one) for one in dict.fromkeys(step.buffers) if one in kept]
        listed.append(_row(name, step, mine, own, write))
    return (*listed, *_unused(left, kept))


def _input_row(name: str, entry: Marks, write: Write) -> Row:
    return Row(
        layer=name,
        kind="input",
        output=output_of(entry, write),
        activations_shown=_numbers(entry, write),
        receptive_field_shown=_sizes(entry.view, write),
        start_shown=_starts(entry.view, write),
        jump_shown=_jumps(entry.view, write),
    )


def _row(name: str, step: Step, mine: list[Held], own: list[Held], write: Write) -> Row:
    out = step.outputs[0]
    biases = [one for one in mine if one.is_bias]
    weights = [one for one in mine if not one.is_bias]
    view, bare = out.view, out.bare
    ungated = _sizes(bare, write) if bare != view else ()
    return Row(
        layer=name,
        kind=step.kind,
        output=output_of(out, write),
        activations_shown=ZERO if step.inplace else _numbers(out, write),
        receptive_field_shown=_sizes(view, write),
        start_shown=_starts(view, write),
        jump_shown=_jumps(view, write),
        weights_shown=_weights(step, weights),
        biases_shown=_summed([one.numbers for one in biases]),
        buffers_shown=_summed([one.numbers for one in own]),
        macs_shown=_macs(step, write),
        sides_shown=_sides(step, write),
        status=_status(view, write),
        ungated_shown=ungated,
        saved_shown=saved_bytes(step.saved, write),
        traffic_shown=_traffic(step, mine, write),
        note=_note(step, write),
    )


def output_of(marks: Marks, write: Write) -> tuple[Number, ...]:
    """Return a shape without its batch, a map's channels last as in the built-in networks."""
    sizes = tuple(write(size) for size in marks.shape[1:])
    a_map = len(sizes) > 1 and not any(marks.axes[:2]) and (all(marks.axes[2:]) or len(sizes) == 3)
    return (*sizes[1:], sizes[0]) if a_map else sizes


def _numbers(marks: Marks, write: Write) -> Calculation:
    sizes = [write(size) for size in marks.shape]
    batch = [] if not sizes or sizes[0] == 1 else sizes[:1]
    rest = output_of(marks, write)
    return product(*batch, *rest) if batch or rest else calculation(1)


def _weights(step: Step, weights: list[Held]) -> Calculation:
    kernel, groups = step.facts.get("kernel"), step.facts.get("groups", 1)
    if step.kind != "conv" or kernel is None or len(weights) != 1:
        return _summed([one.numbers for one in weights])
    if prod(kernel) != weights[0].numbers or step.facts["transposed"]:
        return calculation(weights[0].numbers)
    if groups == 1:
        return product((*kernel[2:], kernel[1]), kernel[0])
    return product(groups, (*kernel[2:], kernel[1]), kernel[0] // groups)


def _summed(numbers: list[int]) -> Calculation:
    if not numbers:
        return ZERO
    return calculation(sum(numbers), " + ".join("{}" for _ in numbers), *numbers)


def _macs(step: Step, write: Write) -> Calculation:
    shown = [_product(factors, write) for factors in step.products]
    if not shown:
        return ZERO
    if len(shown) == 1:
        return shown[0]
    parts = [one.value for one in shown]
    return calculation(sum(parts[1:], parts[0]), " + ".join("{}" for _ in parts), *parts)


def _product(factors: Iterable[Any], write: Write) -> Calculation:
    """Return the product of a count's factors; a batch of 1 isn't written."""
    written = [
        tuple(write(one) for one in factor) if isinstance(factor, tuple) else write(factor)
        for factor in factors
    ]
    if len(written) > 1 and isinstance(written[0], int) and written[0] == 1:
        written = written[1:]
    return product(*written)


def _sides(step: Step, write: Write) -> Shown:
    windows = step.facts.get("windows", ())
    if not windows or not step.inputs:
        return ()
    before = step.inputs[0].shape[-len(windows) :]
    after = step.outputs[0].shape[-len(windows) :]
    shown = [_side(write(side), window) for side, window in zip(before, windows, strict=True)]
    matches = zip(shown, after, strict=True)
    return tuple(shown) if all(one.value == write(size) for one, size in matches) else ()


def _side(side: Number, window: tuple[int, int, int, int]) -> Calculation:
    return side_calculation(side, Window(*map(Integer, window)))


def _sizes(view: View, write: Write) -> Shown:
    """Return the receptive field per axis: 0 where nothing arrives, one axis for both."""
    return _both(tuple(_seen(sight, write) for sight in view.sights))


def _both(axes: Shown) -> Shown:
    return (axes * 2 if len(axes) == 1 else axes) or (ZERO, ZERO)


def _seen(sight: Sight, write: Write) -> Calculation:
    if isinstance(sight.size, int):
        return calculation(write(sight.size))
    return calculation(_rounded_up(sight.size))


def _rounded_up(size: Any) -> int:
    return int(-(-size.numerator // size.denominator))


def _starts(view: View, write: Write) -> Shown:
    return _both(tuple(calculation(_step(sight.start, write)) for sight in view.sights))


def _jumps(view: View, write: Write) -> Shown:
    return _both(tuple(calculation(_jump(sight, write)) for sight in view.sights))


def _jump(sight: Sight, write: Write) -> Number:
    """Return the jump; the greatest, rounded up, where neighbours do not lie evenly."""
    uneven = sight.status in ("not shift-invariant", "global")
    if uneven and isinstance(sight.jump, Fraction) and sight.jump > 1:
        return _rounded_up(sight.jump)
    return _step(sight.jump, write)


def _step(pixels: int | Fraction, write: Write) -> Number:
    if isinstance(pixels, int):
        return write(pixels)
    return Rational(pixels.numerator, pixels.denominator)


def _status(view: View, write: Write) -> Status:
    known = view.at_best("not shift-invariant") if _elsewhere(view, write) else view
    statuses = [sight.status for sight in known.sights]
    return max(statuses, key=STATUSES.index, default="exact")


def saved_bytes(saved: Iterable[Saved], write: Write, floating: int = 4) -> Calculation:
    """Return the bytes kept for the backward pass: each storage's numbers times their size."""
    terms = [(write(one.numbers), one.itemsize(floating)) for one in saved]
    if not terms:
        return ZERO
    total = sum((number * size for number, size in terms), 0 * terms[0][0])
    operands = [value for pair in terms for value in pair]
    return calculation(total, " + ".join("{}·{}" for _ in terms), *operands)


def _traffic(step: Step, mine: list[Held], write: Write) -> Calculation:
    shapes = [marks.shape for marks in (*step.inputs, *step.outputs)]
    counts = [_count(shape, write) for shape in shapes]
    return calculation(plain(sum(counts[1:], counts[0])) if counts else 0)


def _count(shape: Shape, write: Write) -> Number:
    total: Number = 1
    for size in shape:
        total = total * write(size)
    return total


def _elsewhere(view: View, write: Write) -> bool:
    """Return whether a closed form is asked of a field that is known at this run's size alone."""
    return write is symbolic and any(sight.here for sight in view.sights)


def _note(step: Step, write: Write) -> str:
    if step.kind == "unknown":
        return f"{step.operator} {UNRULED}: its MACs are not counted, its shape is this run's"
    if _elsewhere(step.outputs[0].view, write):
        return "its receptive field is that of the size read: an adaptive pool's cells follow it"
    return ""


def _unused(left: dict[str, Held], kept: dict[str, Held]) -> list[Row]:
    """Return parameters that the run didn't read, by module: auxiliary heads in evaluation."""
    owners = dict.fromkeys(name.rpartition(".")[0] for name in (*left, *kept))
    listed = []
    for owner in owners:
        mine = [one for name, one in left.items() if name.rpartition(".")[0] == owner]
        own = [one for name, one in kept.items() if name.rpartition(".")[0] == owner]
        listed.append(_unread(owner, mine, own))
    return listed


def _unread(owner: str, mine: list[Held], own: list[Held]) -> Row:
    kind: Kind = "unused"
    return Row(
        layer=f"{owner or 'the module'} (unused)",
        kind=kind,
        output=(),
        activations_shown=ZERO,
        receptive_field_shown=(ZERO, ZERO),
        start_shown=(ZERO, ZERO),
        jump_shown=(ZERO, ZERO),
        weights_shown=_summed([one.numbers for one in mine if not one.is_bias]),
        biases_shown=_summed([one.numbers for one in mine if one.is_bias]),
        buffers_shown=_summed([one.numbers for one in own]),
        note="not read in this run",
    )
