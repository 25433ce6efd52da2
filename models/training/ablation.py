"""What the units of a finished network do: alone, together, and for one another (the probe
`units`).

In eval mode, on 2,000 test images, of each layer with a nonlinearity (those inside parallel
branches excepted)::

    {"images": …, "loss": …, "accuracy": …,                          of the whole network
     "filters": [C][channels][rows][columns],                        the first layer's raw weights, if a convolution
     "layers": {layer: {
        "losses": [C], "accuracies": [C],                            with one unit's activation set to zero
        "together": {"counts": [k], "losses": [k], "accuracies": [k]},    with k units at once, means over `DRAWS`
        "correlation": …, "correlations": histogram,                 |correlation| of two units' activations: mean, all
        "mean_activations": histogram, "activations": histogram}}}   over units; over units, images and positions

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
from models.training.loop import EVALUATION_BATCH, Training
from models.training.schedules import pieces

JUDGED = 2000  # images
DRAWS = 10  # of k units
DRAW_SEED = 0
BINS = 20
DIGITS = 6  # of every number


@torch.no_grad()
def measure_units(training: Training) -> dict[str, Any]:
    """Ablation, correlation and sparsity of every layer's units: see the module's text."""
    network, judged = copy.deepcopy(training.network).eval(), training.test.sample(JUDGED)
    modules = list(chain(network))
    x, labels = training.scaled(judged.images), judged.labels
    whole = _judge(network, x, labels)
    layers: dict[str, dict[str, Any]] = {}
    for place, (name, module) in enumerate(modules, start=1):
        x = module(x)
        layer, _, step = name.rpartition(".")
        if step == "activation":
            tail = nn.Sequential(*(following for _, following in modules[place:]))
            layers[layer] = _ablations(tail, x, labels) | _statistics(x, module)
    first = next(
        (module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)), None
    )
    filters = first.weight.tolist() if isinstance(first, nn.Conv2d) else None
    told = {
        "images": len(judged),
        "loss": whole[0],
        "accuracy": whole[1],
        "filters": filters,
        "layers": layers,
    }
    return dict(short(told, DIGITS))


def chain(network: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """A network's modules in the order in which an image passes them, by their full names.

    >>> [name for name, _ in chain(nn.Sequential(nn.Sequential(nn.ReLU(), nn.Tanh()), nn.Flatten()))]
    ['0.0', '0.1', '1']
    """
    for name, module in network.named_children():
        if isinstance(module, nn.Sequential):
            yield from chain(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module


def counts_of(units: int) -> list[int]:
    """How many units of so many are ablated together: 1, 2, 4 … and half of them.

    >>> counts_of(6), counts_of(120)
    ([1, 2, 3], [1, 2, 4, 8, 16, 32, 60])
    """
    half = max(1, units // 2)
    return [*(2**power for power in range(half.bit_length()) if 2**power < half), half]


def _ablations(tail: nn.Module, x: Tensor, labels: Tensor) -> dict[str, Any]:
    """Loss and accuracy without each unit, and without several; x (B, C, …) is what the whole layer
    says.
    """
    units = x.shape[1]

    def without(chosen: Sequence[int]) -> tuple[float, float]:
        kept = torch.ones(units, device=x.device)
        kept[list(chosen)] = 0
        return _judge(tail, x * kept.view(1, -1, *(1,) * (x.dim() - 2)), labels)

    singles = [without([unit]) for unit in range(units)]
    generator = torch.Generator().manual_seed(DRAW_SEED)
    means = []
    for count in counts_of(units):
        draws = [
            without(torch.randperm(units, generator=generator)[:count].tolist())
            for _ in range(DRAWS)
        ]
        means.append([sum(values) / DRAWS for values in zip(*draws, strict=True)])
    together = {"counts": counts_of(units), **_named(means)}
    return {**_named(singles), "together": together}


def _named(pairs: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    return {"losses": [pair[0] for pair in pairs], "accuracies": [pair[1] for pair in pairs]}


def _judge(tail: nn.Module, x: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy of what the rest of the network makes of x (B, C, …)."""
    logits = torch.cat([tail(x[part]) for part in pieces(len(x), EVALUATION_BATCH)])  # (B, classes)
    return F.cross_entropy(logits, labels).item(), (
        logits.argmax(1) == labels
    ).double().mean().item()


def _statistics(x: Tensor, activation: nn.Module) -> dict[str, Any]:
    """Correlations of a layer's units and histograms of what they say; x (B, C, …)."""
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
    """What the activation can say; of one without an upper end, up to the most it said."""
    if isinstance(activation, ACTIVATIONS["tanh"]):
        return -1.0, 1.0
    return 0.0, 1.0 if isinstance(activation, ACTIVATIONS["sigmoid"]) else max(
        values.max().item(), 1e-6
    )


def histogram(values: Tensor, low: float, high: float) -> dict[str, Any]:
    """The shares of the values in 20 equal bins; a value outside counts to the bin at that end.

    >>> histogram(torch.tensor([0.01, 0.02, 0.97, 1.0]), 0.0, 1.0)["shares"][::19]
    [0.5, 0.5]
    """
    counts = torch.histc(values.float().cpu().clamp(low, high), BINS, low, high)
    return {"low": low, "high": high, "shares": (counts / counts.sum().clamp(min=1)).tolist()}
