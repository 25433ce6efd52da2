"""What the units of a finished network do, alone and together: the probe `units`.

In eval mode, on 2,000 test images, of each layer with a nonlinearity (those inside parallel
branches excepted)::

    {"images": …, "loss": …, "accuracy": …,           of the whole network
     "filters": [C][channels][rows][columns],         the weights of a first convolution
     "layers": {layer: {
        "losses": [C], "accuracies": [C],             with one unit's activation set to zero
        "together": {"counts": [k],                   with k units at once,
                     "losses": [k],                   means over `DRAWS`
                     "accuracies": [k]},
        "correlation": …, "correlations": histogram,  |correlation| of two units' activations:
                                                      its mean, all of them
        "mean_activations": histogram,                over units
        "activations": histogram}}}                   over units, images and positions

A histogram is `{"low": …, "high": …, "shares": [20]}`: the shares of 20 equal bins. A unit of a
convolution is a channel; its values at all positions are one sample. Which units go together is
drawn once for all runs: k = 1, 2, 4 … and half the layer.

Srivastava et al. 2014 show filters (figure 7) and, for ReLU, both histograms of activations (figure
8): there a silent unit says 0, the end of its range. With tanh 0 is the middle, and the ends, −1
and 1, are saturation.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.layers import ACTIVATIONS
from models.records import short
from models.training.batches import slices
from models.training.loop import EVALUATION_BATCH, Training
from models.training.measuring import JUDGED, PROBE_DIGITS, Entry

DRAWS = 10  # of k units
DRAW_SEED = 0
HISTOGRAM_BINS = 20
LEAST_END = 1e-6  # of a histogram of activations that are all silent


@torch.no_grad()
def measure_units(training: Training) -> Entry:
    """Return ablation, correlation and sparsity of every layer's units: see the module's text."""
    network, judged = copy.deepcopy(training.network).eval(), training.test.sample(JUDGED)
    x, y = training.scaled(judged.images), judged.labels
    loss, accuracy = _judge(network, x, y)
    measured = {
        "images": len(judged),
        "loss": loss,
        "accuracy": accuracy,
        "filters": _filters(network),
        "layers": _layers(network, x, y),
    }
    return dict(short(measured, PROBE_DIGITS))


def _filters(network: nn.Module) -> list[Any] | None:
    """Return the first layer's weights (C, channels, rows, columns); None if no convolution."""
    layers = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    first = next(layers, None)
    return first.weight.tolist() if isinstance(first, nn.Conv2d) else None


def _layers(network: nn.Module, x: Tensor, y: Tensor) -> dict[str, Entry]:
    """Return what is measured of each layer; x (B, C, H, W) are the images, y (B,) the labels."""
    modules = list(chain(network))
    layers: dict[str, Entry] = {}
    for place, (name, module) in enumerate(modules, start=1):
        x = module(x)
        layer, _, step = name.rpartition(".")
        if step == "activation":
            tail = nn.Sequential(*(following for _, following in modules[place:]))
            layers[layer] = _ablations(tail, x, y) | _statistics(x, module)
    return layers


def chain(network: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield a network's modules in the order in which an image passes them, by their full names.

    >>> network = nn.Sequential(nn.Sequential(nn.ReLU(), nn.Tanh()), nn.Flatten())
    >>> [name for name, _ in chain(network)]
    ['0.0', '0.1', '1']
    """
    for name, module in network.named_children():
        if isinstance(module, nn.Sequential):
            yield from chain(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module


def counts_of(units: int) -> list[int]:
    """Return how many of a layer's units are ablated together: 1, 2, 4 … and half of them.

    >>> counts_of(6), counts_of(120)
    ([1, 2, 3], [1, 2, 4, 8, 16, 32, 60])
    """
    half = max(1, units // 2)
    return [*(2**power for power in range(half.bit_length()) if 2**power < half), half]


def _ablations(tail: nn.Module, x: Tensor, y: Tensor) -> Entry:
    """Return loss and accuracy without each unit, and without several.

    x (B, C, …) is what the whole layer says.
    """
    units = x.shape[1]

    def without(chosen: Sequence[int]) -> tuple[float, float]:
        kept = torch.ones(units, device=x.device)
        kept[list(chosen)] = 0
        return _judge(tail, x * kept.view(1, -1, *(1,) * (x.dim() - 2)), y)

    singles = [without([unit]) for unit in range(units)]
    generator = torch.Generator().manual_seed(DRAW_SEED)
    means = []
    for count in counts_of(units):
        draws = [
            without(torch.randperm(units, generator=generator)[:count].tolist())
            for _ in range(DRAWS)
        ]
        means.append([sum(values) / DRAWS for values in zip(*draws, strict=True)])
    together = {"counts": counts_of(units), **_columns(means)}
    return {**_columns(singles), "together": together}


def _columns(pairs: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    return {"losses": [pair[0] for pair in pairs], "accuracies": [pair[1] for pair in pairs]}


def _judge(tail: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Return mean loss and accuracy of what the rest of the network makes of x (B, C, …)."""
    logits = torch.cat([tail(x[part]) for part in slices(len(x), EVALUATION_BATCH)])  # (B, classes)
    right = logits.argmax(1) == y
    return F.cross_entropy(logits, y).item(), right.double().mean().item()


def _statistics(x: Tensor, activation: nn.Module) -> Entry:
    """Return correlations of a layer's units and histograms of what they say; x (B, C, …)."""
    values = x.transpose(0, 1).flatten(1)  # (C, N)
    pairs = torch.triu_indices(len(values), len(values), offset=1, device=x.device)
    correlations = torch.corrcoef(values.double())[pairs[0], pairs[1]].abs()
    known = correlations[correlations.isfinite()]  # a unit that always says the same has none
    low, high = _range(values, activation)
    return {
        "correlation": known.mean().item(),
        "correlations": histogram(known, 0.0, 1.0),
        "mean_activations": histogram(values.mean(1), low, high),
        "activations": histogram(values, low, high),
    }


def _range(values: Tensor, activation: nn.Module) -> tuple[float, float]:
    """Return what the activation can say; of one without an upper end, up to the most it said."""
    if isinstance(activation, ACTIVATIONS["tanh"]):
        return -1.0, 1.0
    if isinstance(activation, ACTIVATIONS["sigmoid"]):
        return 0.0, 1.0
    return 0.0, max(values.max().item(), LEAST_END)


def histogram(values: Tensor, low: float, high: float) -> dict[str, Any]:
    """Return the shares of the values in 20 equal bins; one outside counts to the nearest bin.

    >>> histogram(torch.tensor([0.01, 0.02, 0.97, 1.0]), 0.0, 1.0)["shares"][::19]
    [0.5, 0.5]
    """
    counts = torch.histc(values.float().cpu().clamp(low, high), HISTOGRAM_BINS, low, high)
    return {"low": low, "high": high, "shares": (counts / counts.sum().clamp(min=1)).tolist()}
