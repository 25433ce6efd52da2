"""The loss along its gradient, and what steps do to gradients: the probe `gradients`.

In geometric steps of 1.45, on the batch that is to be learned next (of several micro-batches: the
first), with the same masks and the same noise throughout: Santurkar et al. 2018, figure 4 and
definition 2.1::

    {"iteration": [n], "loss": [n], "norm": [n],   of the gradient g, over all parameters
     "losses": [[s] n], "distances": [[s] n],      after a step −η g, η = `LENGTHS` × the
                                                   learning rate: the loss, and ‖gradient there − g‖
     "shift": {block: {"norm": [n], "distance": [n], "cosine": [n]}}}

`shift` says what a step of all blocks below does to a block's own gradient: its length before, the
length of the change, and the cosine of the angle between the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.records import short
from models.training.loop import Training
from models.training.measuring import POINT_DIGITS, PROBE_DIGITS, Entry, duplicate, point_seed
from models.training.randomness import reproducible

LENGTHS = (0.5, 1.0, 2.0, 4.0)  # of a step along the gradient, in learning rates

Gradients = list[Tensor]


class _Landscape:
    """The loss of one batch, uint8 (B, C, H, W) and int64 (B,), around a training's weights."""

    def __init__(self, training: Training, X: Tensor, y: Tensor) -> None:
        self.network, self.training = duplicate(training.network, dropout=True), training
        self.x, self.y = training.scaled(X), y
        self.weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.start = [weight.detach().clone() for weight in self.weights]
        self.loss, self.gradients = self._evaluate()

    def after_step(self, length: float, moved: Sequence[int]) -> tuple[float, Gradients]:
        """Return loss and gradients after a step of the weights with these numbers.

        Its length is in learning rates.
        """
        with torch.no_grad():
            for weight, value in zip(self.weights, self.start, strict=True):
                weight.copy_(value)
            for number in moved:
                self.weights[number].sub_(self.gradients[number], alpha=self.training.lr * length)
        return self._evaluate()

    def _evaluate(self) -> tuple[float, Gradients]:
        with reproducible(point_seed(self.training), self.training.device):
            loss = F.cross_entropy(self.network(self.x), self.y)
            return loss.item(), list(torch.autograd.grad(loss, self.weights))


def measure_gradients(training: Training, X: Tensor, y: Tensor) -> Entry:
    """Return the loss along its gradient, and what steps do to gradients: see the module's text.

    `X` uint8 (B, C, H, W) and `y` (B,) are one batch.
    """
    landscape = _Landscape(training, X, y)
    losses, distances = [], []
    for length in LENGTHS:
        loss, gradients = landscape.after_step(length, range(len(landscape.weights)))
        losses.append(loss)
        distances.append(_norm(_differences(gradients, landscape.gradients)))
    along = {
        "loss": landscape.loss,
        "norm": _norm(landscape.gradients),
        "losses": losses,
        "distances": distances,
    }
    return {**short(along, PROBE_DIGITS), "shift": short(_shifts(landscape), POINT_DIGITS)}


def _shifts(landscape: _Landscape) -> dict[str, dict[str, float]]:
    """Return what a step of all blocks below does to the gradient of each block."""
    shifts = {}
    for block, below, own in _blocks(landscape.network, landscape.weights):
        _, gradients = landscape.after_step(1.0, below)
        before, after = (
            [found[number] for number in own] for found in (landscape.gradients, gradients)
        )
        shifts[block] = _shift(before, after)
    return shifts


def _blocks(
    network: nn.Module, weights: Sequence[Tensor]
) -> list[tuple[str, list[int], list[int]]]:
    """Return each block above the first: its name, the numbers of weights below it, and its own."""
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
    """Return a gradient's length, that of its change, and the cosine between the two gradients."""
    product = sum(
        float((old * new).sum(dtype=torch.float64)) for old, new in zip(before, after, strict=True)
    )
    norms = _norm(before), _norm(after)
    cosine = product / math.prod(norms) if all(norms) else math.nan
    return {"norm": norms[0], "distance": _norm(_differences(after, before)), "cosine": cosine}


def _differences(some: Sequence[Tensor], others: Sequence[Tensor]) -> Gradients:
    return [one - other for one, other in zip(some, others, strict=True)]


def _norm(tensors: Sequence[Tensor]) -> float:
    return math.sqrt(sum(float(tensor.square().sum(dtype=torch.float64)) for tensor in tensors))
