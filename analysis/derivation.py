"""Walk through a network and derive every number of every layer, exactly, with its calculation."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import singledispatch
from typing import Any, TypeAlias

from sympy import S, sympify

from analysis import operators
from analysis.errors import AnalysisError
from analysis.layers import (
    AdaptivePool,
    Branches,
    Conv,
    Flatten,
    GlobalPool,
    Layer,
    Linear,
    Network,
    Norm,
    Pool,
)
from analysis.notation import ZERO, Calculation, calculation, plain, product, whole
from analysis.receptive_field import union
from analysis.rows import Derivation, Kind, Row
from analysis.signals import (
    Signal,
    behind,
    by,
    check_map,
    fields_behind,
    flatten,
    seen,
    slide,
    unions,
    whole_map,
    worst,
)

INDEX = 8
"""Bytes of the position that a maximum pool keeps for each of its outputs: torch's int64."""

Passed: TypeAlias = tuple[tuple[Row, ...], Signal]


def derive(network: Network, itemsize: int = 4) -> Derivation:
    """Derive every number of a network; what it saves for training, in numbers of `itemsize` bytes.

    Raises:
        AnalysisError: If a layer cannot take what reaches it, or two layers share a name.

    >>> from analysis.layers import Conv
    >>> conv = Conv("conv1", filters=96, kernel=11, stride=4)
    >>> derive(Network("one", (conv,), 227, 227, 3)).row("conv1").output
    (55, 55, 96)
    """
    sizes = {name: getattr(network, name) for name in ("height", "width", "channels", "batch")}
    height, width, channels, batch = (
        whole(f"{network.name}: {name}", size) for name, size in sizes.items()
    )
    signal = Signal(batch, (height, width, channels), itemsize=itemsize)
    try:
        rows, _ = _chain(network.layers, signal)
    except AnalysisError as error:
        raise AnalysisError(f"{network.name} with input {by(signal.shape)}: {error}") from None
    rows = (_row("input", "input", signal), *rows)
    _check_names(network.name, rows)
    return Derivation(network, (*rows[:-1], replace(rows[-1], saved_shown=ZERO)))


def built_in(derivation: Derivation) -> Network:
    """Return the network of layers that was derived.

    Raises:
        AnalysisError: If a module was read instead.
    """
    if not isinstance(derivation.network, Network):
        raise AnalysisError(
            f"{derivation.network.name} is a module that was read, which has rows but no layers; "
            "ask analysis.reading"
        )
    return derivation.network


def _chain(layers: Iterable[Layer], signal: Signal) -> Passed:
    rows: tuple[Row, ...] = ()
    for layer in layers:
        more, signal = _pass(layer, signal)
        rows += more
    return rows, signal


@singledispatch
def _pass(layer: Layer, signal: Signal) -> Passed:
    """Send a signal through a layer: its rows, and the signal behind it."""
    raise AnalysisError(f"{layer!r} is no layer that this package knows")


@_pass.register
def _(layer: Conv, signal: Signal) -> Passed:
    filters, groups = (
        whole(f"{layer.name}: filters", layer.filters),
        whole(f"{layer.name}: groups", layer.groups),
    )
    height, width = slide(layer, signal)
    channels = signal.shape[2]
    operators.check_groups(layer.name, channels, filters, groups)
    after, shown = behind(signal, (height, width), filters)
    kernel = height.kernel, width.kernel
    row = _row(
        layer.name,
        "conv",
        after,
        signal,
        weights_shown=operators.conv_weights(kernel, channels, filters, groups),
        biases_shown=calculation(filters) if layer.bias else ZERO,
        macs_shown=operators.conv_macs(
            signal.batch, after.shape[:2], kernel, channels, filters, groups
        ),
        **shown,
    )
    return (row,), after


@_pass.register
def _(layer: Pool, signal: Signal) -> Passed:
    after, shown = behind(signal, slide(layer, signal), signal.shape[-1])
    size = after.itemsize + (0 if layer.average else INDEX)
    saved = operators.saved(size, after.batch, after.shape)
    return (_row(layer.name, "pool", after, signal, saved_shown=saved, **shown),), after


@_pass.register
def _(layer: AdaptivePool, signal: Signal) -> Passed:
    check_map(layer.name, signal)
    counts = (
        whole(f"{layer.name}: height", layer.height),
        whole(f"{layer.name}: width", layer.width),
    )
    along = operators.adaptive_windows(signal.shape[:2], counts)
    even = all(side % count == 0 for side, count in zip(signal.shape, counts, strict=False))
    after = replace(
        signal,
        shape=(*counts, signal.shape[2]),
        fields=fields_behind(signal, along),
        status=signal.status if even else worst((signal.status, "upper bound")),
        pooled=signal,
    )
    return (_row(layer.name, "pool", after, signal, **seen(signal, along)),), after


@_pass.register
def _(layer: GlobalPool, signal: Signal) -> Passed:
    along = whole_map(layer.name, signal)
    after, shown = behind(signal, along, signal.shape[-1])
    after = replace(after, status="global")
    return (_row(layer.name, "pool", after, signal, **shown),), after


@_pass.register
def _(layer: Flatten, signal: Signal) -> Passed:
    return (), flatten(signal)


@_pass.register
def _(layer: Linear, signal: Signal) -> Passed:
    units = whole(f"{layer.name}: units", layer.units)
    source = signal.pooled or signal
    shown = seen(source, whole_map(layer.name, source)) if len(signal.shape) == 3 else {}
    after = replace(flatten(signal), shape=(units,))
    row = _row(
        layer.name,
        "fc",
        after,
        signal,
        weights_shown=operators.linear_weights(signal.shape, units),
        biases_shown=calculation(units) if layer.bias else ZERO,
        macs_shown=operators.linear_macs(signal.batch, signal.shape, units),
        note=_follows(signal),
        **shown,
    )
    return (row,), after


@_pass.register
def _(layer: Norm, signal: Signal) -> Passed:
    channels = signal.shape[-1]
    learned = product(*signal.shape) if layer.elementwise else calculation(channels)
    row = _row(
        layer.name,
        "norm",
        signal,
        signal,
        weights_shown=learned if layer.affine else ZERO,
        biases_shown=learned if layer.affine else ZERO,
        buffers_shown=product(2, channels) if layer.tracked else ZERO,
    )
    return (row,), signal


@_pass.register
def _(layer: Branches, signal: Signal) -> Passed:
    passed = [_chain(branch, signal) for branch in layer.branches]
    signals = [after for _, after in passed]
    sides = {after.shape[:-1] for after in signals}
    if len(sides) != 1:
        maps = " and ".join(by(after.shape) for after in signals)
        raise AnalysisError(
            f"{layer.name}: branches of {maps} do not fit together; give them one height and width"
        )
    height, width = (
        union(layer.name, (after.fields[axis] for after in signals)) for axis in (0, 1)
    )
    channels = sum((after.shape[-1] for after in signals), S.Zero)
    status = worst(after.status for after in signals)
    shape = (*sides.pop(), channels)
    after = replace(signal, shape=shape, fields=(height, width), status=status, pooled=None)
    shown = unions(signals, after)
    row = _row(layer.name, "concat", after, after, receptive_field_shown=shown)
    return (*(row for rows, _ in passed for row in _joined(rows, after)), row), after


def _joined(rows: tuple[Row, ...], after: Signal) -> tuple[Row, ...]:
    """Return a branch's rows: a concatenation copies a pool's output, and nobody keeps it."""
    if not rows or rows[-1].kind != "pool":
        return rows
    last = rows[-1]
    outputs = after.itemsize * sympify(last.activations_shown.result)
    indices = last.saved_shown.result - outputs
    return (*rows[:-1], replace(last, saved_shown=calculation(indices)))


def _follows(signal: Signal) -> str:
    """Say that a layer's weights follow the map that reaches it."""
    height, width, *_ = (*signal.shape, 1)
    if len(signal.shape) != 3 or signal.pooled is not None or height == width == 1:
        return ""
    told = "its weights follow the input's size"
    known = all(size.is_number for size in signal.shape)
    return f"{told}; here it reads a map of {by(signal.shape)}" if known else told


def _row(name: str, kind: Kind, signal: Signal, source: Signal | None = None, **shown: Any) -> Row:
    """Make the row of a layer that turns `source` into `signal`."""
    derived: dict[str, Any] = {
        "activations_shown": operators.activations(signal.batch, signal.shape),
        "receptive_field_shown": tuple(calculation(field.size) for field in signal.fields),
        "start_shown": tuple(calculation(field.start) for field in signal.fields),
        "jump_shown": tuple(calculation(field.jump) for field in signal.fields),
        "saved_shown": operators.saved(signal.itemsize, signal.batch, signal.shape),
        "status": signal.status,
    }
    row = Row(name, kind, tuple(plain(size) for size in signal.shape), **(derived | shown))
    return row if source is None else replace(row, traffic_shown=_traffic(row, source))


def _traffic(row: Row, source: Signal) -> Calculation:
    """Return the numbers read (input, parameters, buffers) and written (output)."""
    held = [row.weights_shown.result, row.biases_shown.result, row.buffers_shown.result]
    moved = [source.numbers, *(part for part in held if part != 0), row.activations_shown.result]
    # one by one: numbers never meet Add, whose first use imports sympy's tensors
    return calculation(sum(map(sympify, moved), S.Zero), " + ".join("{}" for _ in moved), *moved)


def _check_names(network: str, rows: Iterable[Row]) -> None:
    twice = [name for name, count in Counter(row.layer for row in rows).items() if count > 1]
    if twice:
        raise AnalysisError(
            f"{network}: layers need names of their own, "
            f"but {', '.join(twice)} comes more than once"
        )
