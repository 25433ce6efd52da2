"""What one output position sees: drawn, and measured with torch.

The measurement is a second witness of `analysis.receptive_field`. For it, every convolution and
every pool is replaced by the plain average over its window, on one channel and in double precision.
All paths through the network then carry positive weight, so that nothing cancels: the gradient of
one output with respect to a pixel is the share of the output that comes from there, and 0 exactly
where no path leads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from analysis.derivation import derive
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
    Sides,
    windows,
)
from book.report.colours import BLUE, GREY
from book.report.figures import new


def features(network: Network) -> tuple[Layer, ...]:
    """Return a network's layers up to the first that looks at the whole map.

    >>> import analysis
    >>> [layer.name for layer in features(analysis.lenet5().network)]
    ['conv1', 'pool1', 'conv2', 'pool2']
    """
    return tuple(
        takewhile(
            lambda layer: not isinstance(layer, Linear | GlobalPool | AdaptivePool | Flatten),
            network.layers,
        )
    )


def influence(layers: Iterable[Layer], height: int, width: int) -> np.ndarray:
    """Measure the share of every input pixel in the middle output position, (height, width).

    The sum of the shares is 1 away from the border.

    The gradient as a measure: Luo et al. 2016, *Understanding the Effective Receptive Field*,
    section 2.

    Raises:
        ValueError: If a layer looks at the whole map, where a field of view means nothing.

    >>> influence([Conv("conv", filters=1, kernel=(1, 2))] * 2, height=1, width=3)
    array([[0.25, 0.5 , 0.25]])
    """
    pixels = torch.zeros(
        1, 1, height, width, dtype=torch.float64, requires_grad=True
    )  # (B, C, H, W)
    maps = _averages(layers, pixels)
    middle = maps[0, 0, maps.shape[2] // 2, maps.shape[3] // 2]
    (gradient,) = torch.autograd.grad(middle, pixels)
    return gradient[0, 0].numpy()


def extent(shares: np.ndarray) -> tuple[int, int]:
    """Return height and width, in pixels, from the first to the last pixel that has a share.

    >>> extent(np.array([[0, 0.5, 0, 0.5]]))
    (1, 3)
    """
    rows, columns = np.nonzero(shares)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def deviation(shares: np.ndarray) -> float:
    """Return the standard deviation, in pixels, of where a value comes from along the width.

    >>> deviation(np.array([[0.5, 0, 0.5]]))
    1.0
    """
    across = shares.sum(axis=0) / shares.sum()
    pixels = np.arange(across.size)
    return float(np.sqrt(across @ (pixels - across @ pixels) ** 2))


@dataclass(frozen=True)
class View:
    """The receptive field of a network's last map, as sympy and as torch have it.

    A side in pixels; a pair (height, width) where they differ.
    """

    layer: str
    jump: Sides
    derived: Sides
    measured: Sides

    @property
    def agrees(self) -> bool:
        """Whether both say the same."""
        return self.derived == self.measured


def compare(network: Network) -> View:
    """Derive and measure the receptive field of the last map.

    The image is so large that no border is in sight.

    >>> from analysis import vgg19
    >>> compare(vgg19().network).agrees
    True
    """
    layers = features(network)
    last = derive(replace(network, layers=layers)).rows[-1]
    axes = zip(last.receptive_field_shown, last.jump_shown, strict=True)
    image = [2 * int(field.value + jump.value) for field, jump in axes]
    height, width = extent(influence(layers, *image))
    return View(
        last.layer, last.jump, last.receptive_field, height if height == width else (height, width)
    )


def growth(network: Network) -> list[float]:
    """Return the field's height behind the input and behind each window, in input heights.

    Branches that meet count as one window.

    >>> from analysis import lenet5
    >>> [round(28 * share) for share in growth(lenet5().network)]
    [1, 5, 6, 14, 16]
    """
    derivation = derive(network)
    names = [
        "input",
        *(layer.name for layer in features(network) if not isinstance(layer, Norm | Flatten)),
    ]
    fields = [derivation.row(name).receptive_field_shown[0].value for name in names]
    return [float(field / network.height) for field in fields]


def same_view(side: int) -> list[tuple[int, int]]:
    """List the stacks of equal odd kernels at stride 1 that see the same side.

    Each is (kernel, layers); the one kernel comes last.

    >>> same_view(13)
    [(3, 6), (5, 3), (7, 2), (13, 1)]
    """
    kernels = [kernel for kernel in range(3, side, 2) if (side - 1) % (kernel - 1) == 0]
    return [*((kernel, (side - 1) // (kernel - 1)) for kernel in kernels), (side, 1)]


def _averages(layers: Iterable[Layer], maps: torch.Tensor) -> torch.Tensor:
    for layer in layers:
        match layer:
            case Conv() | Pool():
                maps = _average(layer, maps)
            case Branches(branches=branches):
                maps = torch.stack([_averages(branch, maps) for branch in branches]).mean(0)
            case Norm():
                pass  # one factor per channel: it looks nowhere else
            case _:
                raise ValueError(
                    f"{layer} looks at the whole map; measure the layers before it (`features`)"
                )
    return maps


def _average(layer: Conv | Pool, maps: torch.Tensor) -> torch.Tensor:
    """Average over a window that slides as the layer's does; (1, 1, H, W) before and after."""
    kernel, stride, padding, dilation = (
        [int(side) for side in pair] for pair in zip(*windows(layer), strict=True)
    )
    weights = torch.full((1, 1, *kernel), 1 / prod(kernel), dtype=maps.dtype)
    return F.conv2d(maps, weights, stride=stride, padding=padding, dilation=dilation)


def cone(layers: Sequence[Conv | Pool]) -> Figure:
    """Draw all that one output position sees along the width, down to the pixels in the lowest row.

    A pixel within the field that no path reaches (dilation leaves such gaps) is drawn hollow.
    """
    levels, links = _levels(layers)
    pixels = levels[0]
    figure, axes = new(size=(6.4, 0.5 + 0.6 * len(layers)))
    ax = axes[0][0]
    marker = {"marker": "s", "ls": "", "ms": min(7.0, 300 / (1 + max(pixels) - min(pixels)))}
    for height, (level, name) in enumerate(
        zip(levels, ["input", *(layer.name for layer in layers)], strict=True)
    ):
        ax.plot(list(level.values()), [height] * len(level), color=BLUE, **marker)
        _name(ax, height, name, len(level), pixels)
    for height, pairs in enumerate(links):
        lines = [
            [(levels[height][low], height), (levels[height + 1][top], height + 1)]
            for low, top in pairs
        ]
        ax.add_collection(LineCollection(lines, colors=BLUE, linewidths=0.8, alpha=0.45, zorder=1))
    gaps = sorted(set(range(min(pixels), max(pixels) + 1)) - set(pixels))
    ax.plot(gaps, [0] * len(gaps), color="white", mec=GREY, **marker)
    ax.set(ylim=(-0.4, len(layers) + 0.4))
    ax.set_axis_off()
    return figure


def _levels(
    layers: Sequence[Conv | Pool],
) -> tuple[list[dict[int, float]], list[list[tuple[int, int]]]]:
    """Return the positions seen, with their centres, and the pairs (low, high) linked.

    Both from the input up; the centres in input pixels.

    Padding moves all of a map at once, so it is left out.
    """
    along = [tuple(int(size) for size in windows(layer)[1]) for layer in layers]
    seen, links = [{0}], []
    for kernel, stride, _, dilation in reversed(along):
        reach = range(0, dilation * kernel, dilation)
        links.append([(top * stride + step, top) for top in sorted(seen[-1]) for step in reach])
        seen.append({low for low, _ in links[-1]})
    jump, offset, levels = 1, 0.0, []
    for positions, (kernel, stride, _, dilation) in zip(
        reversed(seen), [*along, (1, 1, 0, 1)], strict=True
    ):
        levels.append({position: offset + jump * position for position in positions})
        offset, jump = offset + dilation * (kernel - 1) * jump / 2, jump * stride
    return levels, links[::-1]


def _name(ax: Axes, height: int, name: str, count: int, pixels: dict[int, float]) -> None:
    """Write a level's name to its left, and how many of its positions are seen to its right."""
    field = 1 + max(pixels) - min(pixels)
    margin = 0.04 * max(field, 10)
    written = (
        f"{count:,}"
        if height
        else f"{count:,} pixels"
        if count == field
        else f"{count:,} of {field:,} pixels"
    )
    ax.text(min(pixels) - margin, height, name, ha="right", va="center", fontsize=9)
    ax.text(max(pixels) + margin, height, written, ha="left", va="center", fontsize=9, color=BLUE)
