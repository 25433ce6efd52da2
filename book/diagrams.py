"""Diagrams drawn from derivations: nothing in them is placed or labelled by hand."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from analysis.layers import Branches, Conv, Layer, Pool, windows
from analysis.rows import Derivation, Row
from book.figures import BLACK, BLUE, GREY, ORANGE


@dataclass(frozen=True)
class _Level:
    """Positions of one map that the top position sees, and where they lie, in input pixels."""

    places: dict[int, float]
    links: tuple[tuple[int, int], ...] = ()


def cone(layers: Sequence[Conv | Pool], ax: Axes | None = None) -> Figure:
    """Everything that one output position sees along one axis, down to the pixels; the input is the lowest row.

    A pixel inside the field that no path reaches (dilation leaves such gaps) is drawn hollow.
    """
    ax = ax or plt.subplots(figsize=(6.4, 0.9 + 0.65 * len(layers)))[1]
    levels = _levels(layers)
    names = ["input", *(layer.name for layer in layers)]
    size = min(7.0, 300 / len(levels[0].places))
    for height, (level, name) in enumerate(zip(levels, names, strict=True)):
        lines = [[(levels[height - 1].places[low], height - 1), (level.places[top], height)] for top, low in level.links]
        ax.add_collection(LineCollection(lines, colors=BLUE, linewidths=0.8, alpha=0.45, zorder=1))
        ax.plot(list(level.places.values()), [height] * len(level.places), "s", color=BLUE, ms=size)
        _name_level(ax, height, name, len(level.places), levels[0])
    first, last = min(levels[0].places), max(levels[0].places)
    unseen = sorted(set(range(first, last + 1)) - set(levels[0].places))
    ax.plot(unseen, [0] * len(unseen), "s", color="white", mec=GREY, ms=size)
    ax.set(ylim=(-0.4, len(layers) + 0.4))
    ax.set_axis_off()
    return _figure(ax)


def _levels(layers: Sequence[Conv | Pool]) -> list[_Level]:
    """From the input up: which positions of each map the top position sees (the top one is position 0)."""
    positions, links, offsets, jumps = {0}, [], [0.0], [1]
    along = [windows(layer)[1] for layer in layers]
    for window in along:
        offsets.append(offsets[-1] + float(window.dilation * (window.kernel - 1)) / 2 * jumps[-1])
        jumps.append(jumps[-1] * int(window.stride))
    seen = [positions]
    for window in reversed(along):
        reach = range(0, int(window.dilation * window.kernel), int(window.dilation))
        down = tuple((top, top * int(window.stride) + step) for top in sorted(positions) for step in reach)
        positions = {low for _, low in down}
        links.append(down)
        seen.append(positions)
    places = [
        {position: offset + jump * position for position in level}
        for level, offset, jump in zip(reversed(seen), offsets, jumps, strict=True)
    ]
    return [_Level(*level) for level in zip(places, ((), *reversed(links)), strict=True)]


def _name_level(ax: Axes, height: int, name: str, count: int, bottom: _Level) -> None:
    left, right = min(bottom.places.values()), max(bottom.places.values())
    margin = 0.04 * max(right - left, 1)
    ax.text(left - margin, height, name, ha="right", va="center")
    ax.text(right + margin, height, f"{count:,}", ha="left", va="center", color=BLUE)


_BOX = {"conv": BLUE, "1x1": ORANGE, "pool": GREY, "ends": BLACK}


def branches(derivation: Derivation) -> Figure:
    """A module of branches, from its input at the bottom to its concatenation at the top.

    Every box says what it is and what it costs, every arrow how many channels it carries.

    Raises
    ------
    ValueError
        If the network is more than one module of branches.
    """
    match derivation.network.layers:
        case (Branches(name=name, branches=chains),):
            pass
        case _:
            raise ValueError(f"{derivation.network.name} is no single module of branches: nothing to draw")
    depth = max(len(chain) for chain in chains)
    _, ax = plt.subplots(figsize=(6.4, 1.9 + 0.85 * depth))
    middle, top = (len(chains) - 1) / 2, depth + 1.0
    _box(ax, (middle, 0), f"input {_size(derivation.rows[0])}", "ends")
    _box(ax, (middle, top), f"concatenation {_size(derivation.row(name))}", "ends")
    for column, chain in enumerate(chains):
        _draw_chain(ax, derivation, chain, column, middle, top)
    ax.set(xlim=(-0.55, len(chains) - 0.45), ylim=(-0.35, top + 0.35))
    ax.set_axis_off()
    return _figure(ax)


def _draw_chain(
    ax: Axes, derivation: Derivation, chain: Sequence[Layer], column: float, middle: float, top: float
) -> None:
    """One branch upwards; a shorter one than the longest stands on the lowest level."""
    below, channels = (middle, 0.0), derivation.rows[0].output[-1]
    for height, layer in enumerate(chain, start=1):
        place = (column, float(height))
        _arrow(ax, below, place, channels)
        row = derivation.row(layer.name)  # type: ignore[union-attr]
        _box(ax, place, *_described(layer, row))
        below, channels = place, row.output[-1]
    _arrow(ax, below, (middle, top), channels)


def _described(layer: Layer, row: Row) -> tuple[str, str]:
    """The words in a layer's box, and its colour's name."""
    if isinstance(layer, Pool):
        return f"{_window(layer)} pool", "pool"
    if isinstance(layer, Conv):
        return f"{_window(layer)} conv\n{row.macs / 1e6:,.1f}M MACs", "1x1" if _window(layer) == "1×1" else "conv"
    raise ValueError(f"{row.layer} is neither a convolution nor a pool: no picture for it")


def _window(layer: Conv | Pool) -> str:
    return "×".join(str(window.kernel) for window in windows(layer))


def _size(row: Row) -> str:
    return " × ".join(f"{side:,}" for side in row.output)


def _box(ax: Axes, place: tuple[float, float], words: str, colour: str) -> None:
    frame = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": _BOX[colour], "linewidth": 1.4}
    ax.text(*place, words, ha="center", va="center", fontsize=9, bbox=frame, zorder=3)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], channels: object) -> None:
    """An arrow from box to box, the channels it carries beside its middle."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": GREY, "shrinkA": 14, "shrinkB": 17, "lw": 1})
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    label = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    ax.text(*middle, f"{channels:,}", ha="center", va="center", fontsize=9, bbox=label, zorder=2)


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    return figure
