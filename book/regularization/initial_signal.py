"""How large a signal becomes on its way through a fresh deep network."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure

from book.regularization.norm_folding import noise
from book.report import figures
from book.report.methods import named
from models.networks.build import build
from models.networks.spec import NetworkSpec

IMAGES = 64  # that are sent through


@torch.no_grad()
def sizes(spec: NetworkSpec) -> list[float]:
    """Return the root mean square behind each pair of convolutions, in training mode.

    The network has fresh weights, the images are noise.
    """
    torch.manual_seed(0)
    x, found = noise(spec, IMAGES), []
    for name, block in build(spec).named_children():
        x = block(x)
        if name.startswith("pair"):
            found.append(float(x.square().mean().sqrt()))
    return found


def draw(kinds: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the sizes against the pair's number, a line a kind of network."""
    figure, ((ax,),) = figures.new(size=(6.4, 2.9))
    ends = []
    for kind, values in kinds.items():
        look = named(kind)
        ax.plot(range(1, len(values) + 1), values, color=look.colour, ls=look.dash, marker=".")
        ends.append((values[-1], kind, look.colour))
    ax.set(yscale="log", xlabel="pair of convolutions", ylabel="root mean square")
    figures.label_ends(ax, ends)
    return figure
