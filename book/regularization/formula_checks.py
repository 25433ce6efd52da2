"""Checks made on the spot: our batch norm from the formula against torch's, and its gradients.

No data set is needed: every check holds for any numbers, so it is made on random ones, of a fixed
seed, in fp64 unless it says otherwise.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.build import build
from models.networks.layers import make_norm
from models.specs import RunSpec

#: What a batch norm computes: in training, for the layers below, for its own parameters, in use.
PARTS = (
    "output",
    "gradient of x",
    "gradient of γ",
    "gradient of β",
    "moving mean",
    "moving variance",
    "output in use",
)


def _random(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(
        shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    ).to(dtype)


def agreement(*shape: int, dtype: torch.dtype = torch.float64) -> dict[str, float]:
    """Return how far ours (`formula-batch`) and torch's batch norm differ in each of `PARTS`.

    A difference is the largest absolute one. `shape` is (B, C) or (B, C, H, W).
    """
    ours, theirs = (_all_parts(kind, shape, dtype) for kind in ("formula-batch", "batch"))
    gaps = [_farthest(one, other) for one, other in zip(ours, theirs, strict=True)]
    return dict(zip(PARTS, gaps, strict=True))


def _farthest(one: Tensor, other: Tensor) -> float:
    """Return the largest absolute difference."""
    return float((one - other).detach().abs().max())


def _all_parts(kind: str, shape: tuple[int, ...], dtype: torch.dtype) -> list[Tensor]:
    norm: Any = make_norm(kind, shape[1], spatial=len(shape) == 4)
    norm.to(dtype)
    with torch.no_grad():
        norm.weight += _random(shape[1], dtype=dtype, seed=1) / 4
        norm.bias += _random(shape[1], dtype=dtype, seed=2)
    x = (3 * _random(*shape, dtype=dtype, seed=3) + 2).requires_grad_()
    y = norm(x)
    (y * _random(*shape, dtype=dtype, seed=4)).sum().backward()
    assert x.grad is not None
    used = norm.eval()(x)
    return [y, x.grad, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var, used]


def dimensions_gap() -> float:
    """Return how far batch norms for sequences, images and volumes differ on the same numbers.

    The numbers are the same, their arrangement is not.
    """
    x = _random(8, 4, 3, 2, 5)  # (B, C, D, H, W)
    sequence = nn.BatchNorm1d(4).double()(x.flatten(2)).view(x.shape)  # (B, C, D·H·W)
    image = nn.BatchNorm2d(4).double()(x.flatten(3)).view(x.shape)  # (B, C, D, H·W)
    volume = nn.BatchNorm3d(4).double()(x)
    return max(_farthest(volume, other) for other in (sequence, image))


def step_gap(lr: float) -> float:
    """Return how far γ and β are from γ − η Σ g x̂ and β − η Σ g after a step of SGD.

    g is the loss's gradient by the output, η the learning rate `lr`.
    """
    norm = nn.BatchNorm1d(4).double()
    x, g = _random(16, 4), _random(16, 4, seed=1)
    normal = (x - x.mean(0)) / (x.var(0, correction=0) + norm.eps).sqrt()
    expected = (1 - lr * (g * normal).sum(0), -lr * g.sum(0))
    (norm(x) * g).sum().backward()
    with torch.no_grad():  # as torch.optim.SGD, which takes a second to load torch's compiler
        for parameter in norm.parameters():
            assert parameter.grad is not None
            parameter.add_(parameter.grad, alpha=-lr)
    stepped = (norm.weight, norm.bias)
    return max(_farthest(ours, theirs) for ours, theirs in zip(stepped, expected, strict=True))


def bias_gradients(activation: str) -> dict[str, float]:
    """Return of each layer the largest gradient of its biases as a share of its weights' largest.

    The network is LeNet-5 with batch norm. The output layer is the one that no batch norm follows.
    """
    torch.manual_seed(0)
    network = build(RunSpec(network="lenet5", norm="batch", activation=activation)).double()
    images = _random(64, 1, 28, 28).sigmoid()
    nn.functional.cross_entropy(network(images), torch.arange(64) % 10).backward()
    largest = {
        name: parameter.grad.abs().max().item()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None and ".norm." not in name
    }
    layers = [name.removesuffix(".bias") for name in largest if name.endswith(".bias")]
    return {
        layer.split(".")[0]: largest[f"{layer}.bias"] / largest[f"{layer}.weight"]
        for layer in layers
    }


def kept_nodes(steps: int, *, detached: bool) -> list[int]:
    """Return how many nodes of past steps' graphs a moving mean keeps alive after each step.

    Detached is what `.data`, `.detach()` and `torch.no_grad()` all do.
    """
    layer = nn.Linear(3, 4)
    moving, kept = torch.zeros(4), []
    for step in range(steps):
        mean = layer(_random(8, 3, dtype=torch.float32, seed=step)).mean(0)
        moving = 0.9 * moving + 0.1 * (mean.detach() if detached else mean)
        kept.append(_nodes(moving))
    return kept


def _nodes(tensor: Tensor) -> int:
    """Count the nodes of the graph that a tensor keeps."""
    waiting, seen = [tensor.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [below for below, _ in node.next_functions]
    return len(seen)


def scaled_gap(factor: float, layer: str = "conv2") -> float:
    """Return how far the note's network moves when a layer's parameters are times `factor`.

    It is the largest change of a class's probability, in training mode without dropout, in double
    precision, on random images. The layer is followed by ReLU, max pooling and batch norm: the
    first two pass the factor on, the third takes it out, but for its ε.
    """
    torch.manual_seed(0)
    network = build(
        RunSpec(network="cifar-note", dataset="cifar10", norm="batch", input_norm="batch")
    ).double()
    images = torch.rand(
        16, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    scaled = copy.deepcopy(network)
    part = next(
        module
        for module in scaled.get_submodule(layer).modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    )
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.mul_(factor)
        first, second = (F.softmax(one(images), dim=1) for one in (network, scaled))  # (B, classes)
    return _farthest(first, second)
