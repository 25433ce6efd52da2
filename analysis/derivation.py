"""Walk through a network and derive every number of every layer, exactly, with its calculation."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any, TypeAlias

from sympy import Add, Expr, Integer, Mul

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
    Window,
    windows,
)
from analysis.notation import ZERO, calculation, plain, product, text, whole
from analysis.receptive_field import Field, jump_calculation, size_calculation, union
from analysis.rows import STATUSES, Derivation, Kind, Row, Shown, Status


@dataclass(frozen=True)
class Signal:
    """What flows from layer to layer: batch, shape, and what one position sees along each axis.

    `status` says how far the latter may be trusted. `pooled` is the signal before an adaptive pool:
    who reads the pool's whole map sees what that signal's whole map sees.
    """

    batch: Expr
    shape: tuple[Expr, ...]
    fields: tuple[Field, Field] = (Field(), Field())
    status: Status = "exact"
    pooled: "Signal | None" = None


Passed: TypeAlias = tuple[tuple[Row, ...], Signal]


def derive(network: Network) -> Derivation:
    """Derive every number of a network.

    Raises:
        AnalysisError: if a layer cannot take what reaches it, or two layers share a name.

    >>> from analysis.layers import Conv
    >>> conv = Conv("conv1", filters=96, kernel=11, stride=4)
    >>> derive(Network("one", (conv,), 227, 227, 3)).row("conv1").output
    (55, 55, 96)
    """
    sizes = {name: getattr(network, name) for name in ("height", "width", "channels", "batch")}
    height, width, channels, batch = (
        whole(f"{network.name}: {name}", size) for name, size in sizes.items()
    )
    signal = Signal(batch, (height, width, channels))
    try:
        rows, _ = _chain(network.layers, signal)
    except AnalysisError as error:
        raise AnalysisError(f"{network.name} with input {_by(signal.shape)}: {error}") from None
    rows = (_row("input", "input", signal), *rows)
    _check_names(network.name, rows)
    return Derivation(network, rows)


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
    height, width = _slide(layer, signal)
    channels = signal.shape[2]
    operators.check_groups(layer.name, channels, filters, groups)
    after, shown = _behind(signal, (height, width), filters)
    kernel = height.kernel, width.kernel
    row = _row(
        layer.name,
        "conv",
        after,
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
    after, shown = _behind(signal, _slide(layer, signal), signal.shape[-1])
    return (_row(layer.name, "pool", after, **shown),), after


@_pass.register
def _(layer: AdaptivePool, signal: Signal) -> Passed:
    _check_map(layer.name, signal)
    counts = (
        whole(f"{layer.name}: height", layer.height),
        whole(f"{layer.name}: width", layer.width),
    )
    along = operators.adaptive_windows(signal.shape[:2], counts)
    even = all(side % count == 0 for side, count in zip(signal.shape, counts, strict=False))
    after = Signal(
        signal.batch,
        (*counts, signal.shape[2]),
        _fields_behind(signal, along),
        signal.status if even else _worst((signal.status, "upper bound")),
        pooled=signal,
    )
    return (_row(layer.name, "pool", after, **_seen(signal, along)),), after


@_pass.register
def _(layer: GlobalPool, signal: Signal) -> Passed:
    along = _whole_map(layer.name, signal)
    after, shown = _behind(signal, along, signal.shape[-1])
    after = replace(after, status="global")
    return (_row(layer.name, "pool", after, **shown),), after


@_pass.register
def _(layer: Flatten, signal: Signal) -> Passed:
    return (), _flatten(signal)


@_pass.register
def _(layer: Linear, signal: Signal) -> Passed:
    units = whole(f"{layer.name}: units", layer.units)
    source = signal.pooled or signal
    seen = _seen(source, _whole_map(layer.name, source)) if len(signal.shape) == 3 else {}
    after = replace(_flatten(signal), shape=(units,))
    row = _row(
        layer.name,
        "fc",
        after,
        weights_shown=operators.linear_weights(signal.shape, units),
        biases_shown=calculation(units) if layer.bias else ZERO,
        macs_shown=operators.linear_macs(signal.batch, signal.shape, units),
        **seen,
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
        maps = " and ".join(_by(after.shape) for after in signals)
        raise AnalysisError(
            f"{layer.name}: branches of {maps} do not fit together; give them one height and width"
        )
    height, width = (
        union(layer.name, (after.fields[axis] for after in signals)) for axis in (0, 1)
    )
    channels = Add(*(after.shape[-1] for after in signals))
    status = _worst(after.status for after in signals)
    after = Signal(signal.batch, (*sides.pop(), channels), (height, width), status)
    row = _row(layer.name, "concat", after, receptive_field_shown=_unions(signals, after))
    return (*(row for rows, _ in passed for row in rows), row), after


def _slide(layer: Conv | Pool, signal: Signal) -> tuple[Window, Window]:
    """Return the layer's windows, checked to fit onto the map."""
    _check_map(layer.name, signal, "slides over")
    along = windows(layer)
    for side, window in zip(signal.shape[:2], along, strict=True):
        positions = operators.output_side(side, *window)
        if positions.is_number and positions <= 0:
            window_size = _by(tuple(one.dilation * (one.kernel - 1) + 1 for one in along))
            raise AnalysisError(
                f"{layer.name} cannot slide its {window_size} window over a map of "
                f"{_by(signal.shape)}; the input is too small"
            )
    return along


def _check_map(name: str, signal: Signal, needs: str = "needs") -> None:
    if len(signal.shape) != 3:
        raise AnalysisError(
            f"{name} {needs} a map of height x width x channels, not {_by(signal.shape)}"
        )


def _whole_map(name: str, signal: Signal) -> tuple[Window, Window]:
    """Return windows that cover the map once.

    Global pooling and a fully connected layer look through them.
    """
    _check_map(name, signal)
    height, width = (Window(side, Integer(1), Integer(0), Integer(1)) for side in signal.shape[:2])
    return height, width


def _behind(
    signal: Signal, along: tuple[Window, Window], channels: Expr
) -> tuple[Signal, dict[str, Shown]]:
    """Return the signal behind sliding windows, and how it comes about.

    How: the calculations of its sides, receptive field and jump.
    """
    axes = tuple(zip(signal.shape[:2], along, strict=True))
    height, width = (operators.output_side(side, *window) for side, window in axes)
    fields = _fields_behind(signal, along)
    after = Signal(signal.batch, (height, width, channels), fields, signal.status)
    return after, {
        "sides_shown": tuple(operators.side_calculation(*axis) for axis in axes),
        **_seen(signal, along),
    }


def _fields_behind(signal: Signal, along: tuple[Window, Window]) -> tuple[Field, Field]:
    height, width = (
        field.through(window) for field, window in zip(signal.fields, along, strict=True)
    )
    return height, width


def _seen(signal: Signal, along: tuple[Window, Window]) -> dict[str, Shown]:
    axes = tuple(zip(signal.fields, along, strict=True))
    return {
        "receptive_field_shown": tuple(size_calculation(*axis) for axis in axes),
        "jump_shown": tuple(jump_calculation(*axis) for axis in axes),
    }


def _flatten(signal: Signal) -> Signal:
    """Return the map as one vector, each of whose readers sees what the whole map sees."""
    if len(signal.shape) == 1:
        return signal
    source = signal.pooled or signal
    fields = _fields_behind(source, _whole_map("flatten", source))
    return Signal(signal.batch, (Mul(*signal.shape),), fields, "global")


def _worst(statuses: Iterable[Status]) -> Status:
    return max(statuses, key=STATUSES.index)


def _unions(signals: list[Signal], after: Signal) -> Shown:
    """Return what meets in a concatenation, and its hull: `1 ∪ 3 ∪ 5 = 5`."""
    calculations = []
    for axis in (0, 1):
        sizes = list(dict.fromkeys(signal.fields[axis].size for signal in signals))
        calculations.append(
            calculation(after.fields[axis].size, " ∪ ".join("{}" for _ in sizes), *sizes)
        )
    return tuple(calculations)


def _row(name: str, kind: Kind, signal: Signal, **shown: Any) -> Row:
    kept: dict[str, Any] = {
        "receptive_field_shown": tuple(calculation(field.size) for field in signal.fields),
        "jump_shown": tuple(calculation(field.jump) for field in signal.fields),
    }
    output = tuple(plain(size) for size in signal.shape)
    activations = operators.activations(signal.batch, signal.shape)
    return Row(name, kind, output, activations, **(kept | shown), status=signal.status)


def _check_names(network: str, rows: Iterable[Row]) -> None:
    twice = [name for name, count in Counter(row.layer for row in rows).items() if count > 1]
    if twice:
        raise AnalysisError(
            f"{network}: layers need names of their own, "
            f"but {', '.join(twice)} comes more than once"
        )


def _by(shape: tuple[Expr, ...]) -> str:
    """Write a shape in a sentence: `224x224x3`."""
    return "x".join(text(size).replace(",", "") for size in shape)
