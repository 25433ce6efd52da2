"""What enters a network's nonlinearities and norms: the probes `inputs` and `variances`.

`inputs`, at iterations 0, 1, 2 … in geometric steps of 1.3 and after every epoch::

    {"iteration": [n], "layers": {layer: {
        "percentiles": [[15th, 50th, 85th of one unit's input] n],
        "mean": [n], "variance": [n],                               over all units
        "unit_means": [[u] n], "unit_variances": [[u] n]}}}         of `UNITS` of them

The input to a layer's nonlinearity, over 500 training images (and all positions of a map), in train
mode (batch statistics) without dropout: Ioffe and Szegedy 2015, figure 1. The unit of the
percentiles is the first one; the u units stand at even distances.

`variances`, of the finished network, over 2,000 training images, means over a layer's units::

    {layer: {"train": …, "eval": …, "running": … or null, "shift": … or null}}

The variance of what enters the layer's norm (its nonlinearity, where it has none) in train mode,
with dropout, and in eval mode; the norm's moving variance; and the mean of max(eval/running,
running/eval): Li et al. 2019's shift ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from models.records import short
from models.training.batches import slices
from models.training.loop import EVALUATION_BATCH, Training
from models.training.measuring import (
    JUDGED,
    POINT_DIGITS,
    PROBE_DIGITS,
    Entry,
    duplicate,
    point_seed,
)
from models.training.randomness import reproducible

IMAGES_AT_POINTS = 500  # training images for `inputs`
PERCENTILES = (0.15, 0.5, 0.85)
UNITS = 6  # of a layer, whose moments are kept one by one


def activations(network: nn.Module) -> dict[str, nn.Module]:
    """Return the nonlinearities by layer, such as `conv1` or `inception1.conv1x1`."""
    return _modules_of(network, "activation")


def _modules_of(network: nn.Module, step: str) -> dict[str, nn.Module]:
    ending = f".{step}"
    return {
        name.removesuffix(ending): module
        for name, module in network.named_modules()
        if name.endswith(ending)
    }


def record_inputs(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return a dictionary that holds, after each forward pass, what entered the modules.

    Each is (C, N), a row a unit.
    """
    inputs: dict[str, Tensor] = {}

    def recorder(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def record(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            x = arguments[0].detach()
            inputs[name] = x.transpose(0, 1).flatten(1).float()  # (B, C, …) -> (C, N)

        return record

    for name, module in modules.items():
        module.register_forward_pre_hook(recorder(name))
    return inputs


@torch.no_grad()
def measure_inputs(training: Training) -> Entry:
    """Return the inputs to the nonlinearities as the network is now: see the module's text."""
    network = duplicate(training.network, dropout=False)
    inputs = record_inputs(activations(network))
    with reproducible(point_seed(training), training.device):
        network(training.scaled(training.train.sample(IMAGES_AT_POINTS).images))
    return {"layers": {layer: _moments(values) for layer, values in inputs.items()}}


def _moments(values: Tensor) -> Entry:
    """Return percentiles of the first unit, moments of all and of some; `values` (C, N)."""
    units = values[:: max(1, len(values) // UNITS)][:UNITS]  # (u, N)
    levels = torch.tensor(PERCENTILES, device=values.device)
    moments = {
        "percentiles": values[0].quantile(levels).tolist(),
        "mean": values.mean().item(),
        "variance": values.var(correction=0).item(),
        "unit_means": units.mean(1).tolist(),
        "unit_variances": units.var(1, correction=0).tolist(),
    }
    return dict(short(moments, POINT_DIGITS))


@torch.no_grad()
def measure_variances(training: Training) -> Entry:
    """Return the variance of what enters each layer's norm: see the module's text."""
    network = duplicate(training.network, dropout=True)
    norms = {
        layer: norm for layer, norm in _modules_of(network, "norm").items() if layer != "input"
    }
    modules = activations(network) | norms
    running = {
        layer: getattr(norm, "running_var", None)
        for layer, norm in _modules_of(training.network, "norm").items()
    }
    inputs = record_inputs(modules)
    judged = _variances(training, network.eval(), inputs)  # before train mode moves the statistics
    trained = _variances(training, network.train(), inputs)
    return {
        layer: _shift_ratio(trained[layer], judged[layer], running.get(layer)) for layer in modules
    }


def _variances(
    training: Training, network: nn.Module, inputs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the variances (C,) by layer over the images judged."""
    sums: dict[str, Tensor] = {}
    images = training.train.sample(JUDGED).images
    for part in slices(len(images), EVALUATION_BATCH):
        network(training.scaled(images[part]))
        for layer, values in inputs.items():  # (C, N)
            powers = [values.double().pow(power).sum(1) for power in range(3)]
            sums[layer] = sums.get(layer, 0) + torch.stack(powers)  # (3, C)
    return {
        layer: (square / count - (total / count).square())
        for layer, (count, total, square) in sums.items()
    }


def _shift_ratio(train: Tensor, judged: Tensor, running: Tensor | None) -> Entry:
    means = {
        "train": train.mean().item(),
        "eval": judged.mean().item(),
        "running": None,
        "shift": None,
    }
    if running is not None:
        ratio = judged / running
        means |= {
            "running": running.mean().item(),
            "shift": torch.maximum(ratio, 1 / ratio).mean().item(),
        }
    return dict(short(means, PROBE_DIGITS))
