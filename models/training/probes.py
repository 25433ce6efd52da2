"""What a run measures of itself: the `probes` of its spec. Copies are measured, so that the
training never notices.

**While it trains**, into `Epoch.probes`; each list has one entry a point, in the order of
`iteration` (the steps taken before it). An epoch without a point of some kind lacks that kind;
`Record.probed` joins the epochs.

`inputs`, at iterations 0, 1, 2 … in geometric steps of 1.3 and after every epoch::

    {"iteration": [n], "layers": {layer: {
        "percentiles": [[15th, 50th, 85th of one unit's input] n], "mean": [n], "variance": [n],   over all units
        "unit_means": [[u] n], "unit_variances": [[u] n]}}}                                        of `UNITS` of them

The input to a layer's nonlinearity, over 500 training images (and all positions of a map), in train
mode (batch statistics) without dropout: Ioffe and Szegedy 2015, figure 1. The unit of the
percentiles is the first one; the u units stand at even distances.

`gradients`, in geometric steps of 1.45, on the batch that is to be learned next (of several
micro-batches: the first), with the same masks and the same noise throughout: Santurkar et al. 2018,
figure 4 and definition 2.1::

    {"iteration": [n], "loss": [n], "norm": [n],              of the gradient g, over all parameters
     "losses": [[s] n], "distances": [[s] n],                 after a step −η g, η = `STEPS` × the learning rate:
                                                              the loss, and ‖gradient there − g‖
     "shift": {block: {"norm": [n], "distance": [n], "cosine": [n]}}}

`shift` says what a step of all blocks below does to a block's own gradient: its length before, the
length of the change, and the cosine of the angle between the two.

**Of the finished network**, into `diagnostics["probes"]` (nothing of one that diverged).

`variances`, over 2,000 training images, means over a layer's units::

    {layer: {"train": …, "eval": …, "running": … or null, "shift": … or null}}

The variance of what enters the layer's norm (its nonlinearity, where it has none) in train mode,
with dropout, and in eval mode; the norm's moving variance; and the mean of max(eval/running,
running/eval): Li et al. 2019's shift ratio.

`units`: see `models.training.ablation`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.kernels import Dropout
from models.records import short
from models.training.ablation import DIGITS, JUDGED, measure_units
from models.training.loop import EVALUATION_BATCH, Training, random_seed, reproducible
from models.training.schedules import pieces

RATIOS = {"inputs": 1.3, "gradients": 1.45}  # from one point of training to the next
LOOKED_AT = 500  # training images for `inputs`
PERCENTILES = (0.15, 0.5, 0.85)
UNITS = 6  # of a layer, whose moments are kept one by one
STEPS = (0.5, 1.0, 2.0, 4.0)  # lengths of a step along the gradient, in learning rates
POINT_DIGITS = 4  # of the numbers at each point: there are many
SEED = 0  # of the masks while the finished network is measured
POINTS = 500_000  # the epochs' random numbers come from the seeds below (see `models.training.loop.random_seed`)

Entry = dict[str, Any]


def attach(training: Training) -> bool:
    """Makes a training measure what its spec asks for while it trains; returns whether that is
    anything.
    """
    kinds = [kind for kind in training.spec.probes or () if kind in RATIOS]
    training.probe = Watch(training, kinds) if kinds else None
    return bool(kinds)


def finished(training: Training) -> dict[str, Any]:
    """What the spec asks for of the finished network, as the record's diagnostics hold it; without
    probes, nothing.
    """
    measures: dict[str, Callable[[Training], Entry]] = {
        "variances": measure_variances,
        "units": measure_units,
    }
    if training.spec.probes is None or training.diverged:
        return {}
    with reproducible(SEED, training.device):
        return {
            "probes": {
                kind: measures[kind](training) for kind in training.spec.probes if kind in measures
            }
        }


class Watch:
    """Measures at its points while a training goes on: its `models.training.loop.Probe`."""

    def __init__(self, training: Training, kinds: Iterable[str]) -> None:
        self.training, self.kinds = training, tuple(kinds)
        self.entries: dict[str, list[Entry]] = {}

    def before_step(self, images: Tensor, labels: Tensor) -> None:
        """Measures where a point of the series lies; an epoch's first step is the state after the
        one before.
        """
        iteration = self.training.iteration
        if iteration and iteration == sum(epoch.iterations for epoch in self.training.history):
            return
        if "inputs" in self.kinds and is_point(iteration, RATIOS["inputs"]):
            self._keep("inputs", measure_inputs(self.training))
        if "gradients" in self.kinds and is_point(iteration, RATIOS["gradients"]):
            part = next(pieces(len(labels), self.training.spec.micro_batch or len(labels)))
            self._keep("gradients", measure_gradients(self.training, images[part], labels[part]))

    def after_epoch(self) -> Entry:
        """What was measured since the epoch began, and the inputs as they are now."""
        if "inputs" in self.kinds:
            self._keep("inputs", measure_inputs(self.training))
        entries, self.entries = self.entries, {}
        return {kind: _columns(points) for kind, points in entries.items()}

    def _keep(self, kind: str, entry: Entry) -> None:
        self.entries.setdefault(kind, []).append({"iteration": self.training.iteration, **entry})


def is_point(iteration: int, ratio: float) -> bool:
    """Whether an iteration is 0 or a power of `ratio`, rounded.

    >>> [iteration for iteration in range(12) if is_point(iteration, 1.45)]
    [0, 1, 2, 3, 4, 6, 9]
    """
    powers = range(int(math.log(iteration, ratio)) + 2) if iteration else ()
    return iteration == 0 or any(round(ratio**power) == iteration for power in powers)


def _columns(points: Sequence[Any]) -> Any:
    """Equal entries, one a point, as one entry of lists."""
    if isinstance(points[0], dict):
        return {name: _columns([point[name] for point in points]) for name in points[0]}
    return list(points)


# What is measured


def duplicate(network: nn.Module, *, dropout: bool) -> nn.Module:
    """A copy in train mode to do anything with; without dropout, its dropout layers stay in eval
    mode.
    """
    duplicated = copy.deepcopy(network).train()
    for module in duplicated.modules():
        if isinstance(module, Dropout):
            module.train(dropout)
    return duplicated


def _seed(training: Training) -> int:
    """The seed of masks and noise at a point of training: that of the run and the iteration, and no
    epoch's.
    """
    return random_seed(training.spec.seed, POINTS + training.iteration)


def activations(network: nn.Module) -> dict[str, nn.Module]:
    """The nonlinearities by layer, such as `conv1` or `inception1.conv1x1`."""
    return _named(network, "activation")


def _named(network: nn.Module, step: str) -> dict[str, nn.Module]:
    ending = f".{step}"
    return {
        name.removesuffix(ending): module
        for name, module in network.named_modules()
        if name.endswith(ending)
    }


def watched(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """A dictionary that holds, after each forward pass, what entered the modules: (C, N), a row a
    unit.
    """
    seen: dict[str, Tensor] = {}

    def keeper(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen[name] = (
                inputs[0].detach().transpose(0, 1).flatten(1).float()
            )  # (B, C, …) -> (C, N)

        return keep

    for name, module in modules.items():
        module.register_forward_pre_hook(keeper(name))
    return seen


@torch.no_grad()
def measure_inputs(training: Training) -> Entry:
    """The inputs to the nonlinearities as the network is now: see the module's text."""
    network = duplicate(training.network, dropout=False)
    seen = watched(activations(network))
    with reproducible(_seed(training), training.device):
        network(training.scaled(training.train.sample(LOOKED_AT).images))
    return {"layers": {layer: _moments(values) for layer, values in seen.items()}}


def _moments(values: Tensor) -> Entry:
    """Percentiles of the first unit, moments of all and of some; `values` (C, N)."""
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


def measure_gradients(training: Training, images: Tensor, labels: Tensor) -> Entry:
    """The loss along its gradient, and what steps do to gradients: see the module's text.

    `images` uint8 (B, C, H, W) and `labels` (B,) are one batch.
    """
    network, x = duplicate(training.network, dropout=True), training.scaled(images)
    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    start = [weight.detach().clone() for weight in weights]
    lr = training.optimizer.param_groups[0]["lr"]

    def look(
        length: float, moved: Iterable[int] = range(len(weights))
    ) -> tuple[float, list[Tensor]]:
        """Loss and gradients after a step of so many learning rates of the weights with these
        numbers.
        """
        with torch.no_grad():
            for weight, value in zip(weights, start, strict=True):
                weight.copy_(value)
            for number in moved if length else ():
                weights[number].sub_(gradients[number], alpha=lr * length)
        with reproducible(_seed(training), training.device):
            loss = F.cross_entropy(network(x), labels)
            return loss.item(), list(torch.autograd.grad(loss, weights))

    loss, gradients = look(0.0)
    losses, distances = [], []
    for length in STEPS:
        there, turned = look(length)
        losses.append(there)
        distances.append(_length(_differences(turned, gradients)))
    shift = {}
    for block, below, own in _blocks(network, weights):
        mine, shifted = (
            [found[number] for number in own] for found in (gradients, look(1.0, below)[1])
        )
        shift[block] = _shift(mine, shifted)
    along = {"loss": loss, "norm": _length(gradients), "losses": losses, "distances": distances}
    return {**short(along, DIGITS), "shift": short(shift, POINT_DIGITS)}


def _blocks(
    network: nn.Module, weights: Sequence[Tensor]
) -> list[tuple[str, list[int], list[int]]]:
    """Each block above the first: its name, the numbers of the weights below it, and of its own."""
    numbers = {id(weight): number for number, weight in enumerate(weights)}
    below: list[int] = []
    found = []
    for name, block in network.named_children():
        own = [numbers[id(weight)] for weight in block.parameters() if id(weight) in numbers]
        if below and own:
            found.append((name, list(below), own))
        below += own
    return found


def _shift(before: Sequence[Tensor], after: Sequence[Tensor]) -> dict[str, float]:
    """Length of a gradient, of its change, and the cosine between the two gradients."""
    product = sum(
        float((old * new).sum(dtype=torch.float64)) for old, new in zip(before, after, strict=True)
    )
    lengths = _length(before), _length(after)
    cosine = product / math.prod(lengths) if all(lengths) else math.nan
    return {"norm": lengths[0], "distance": _length(_differences(after, before)), "cosine": cosine}


def _differences(some: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    return [one - other for one, other in zip(some, others, strict=True)]


def _length(tensors: Sequence[Tensor]) -> float:
    return math.sqrt(sum(float(tensor.square().sum(dtype=torch.float64)) for tensor in tensors))


@torch.no_grad()
def measure_variances(training: Training) -> Entry:
    """The variance of what enters each layer's norm, in train and in eval mode: see the module's
    text.
    """
    network = duplicate(training.network, dropout=True)
    norms = {layer: norm for layer, norm in _named(network, "norm").items() if layer != "input"}
    places = activations(network) | norms
    running = {
        layer: getattr(norm, "running_var", None)
        for layer, norm in _named(training.network, "norm").items()
    }
    seen = watched(places)
    judged = _variances(training, network.eval(), seen)  # before train mode moves the statistics
    trained = _variances(training, network.train(), seen)
    return {
        layer: _shift_ratio(trained[layer], judged[layer], running.get(layer)) for layer in places
    }


def _variances(
    training: Training, network: nn.Module, seen: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Variances (C,) by layer over the images judged."""
    sums: dict[str, Tensor] = {}
    images = training.train.sample(JUDGED).images
    for part in pieces(len(images), EVALUATION_BATCH):
        network(training.scaled(images[part]))
        for layer, values in seen.items():  # (C, N)
            powers = torch.stack(
                [values.double().pow(power).sum(1) for power in range(3)]
            )  # (3, C)
            sums[layer] = sums.get(layer, 0) + powers
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
    return dict(short(means, DIGITS))
