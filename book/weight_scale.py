"""What a batch norm does about the size of the weights before it: nothing, and nothing depends on it."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from models.networks import build
from models.specs import RunSpec


def scaled_gap(factor: float, layer: str = "conv2") -> float:
    """How far the note's network's answers move when one layer's weights and biases are multiplied by `factor`.

    The largest change of a class's probability, in training mode without dropout, in double precision, on random
    images. The layer is followed by ReLU, max pooling and batch norm: the first two pass the factor on, the third takes
    it out, but for its ε.
    """
    torch.manual_seed(0)
    network = build(RunSpec(network="cifar-note", dataset="cifar10", norm="batch", input_norm="batch")).double()
    images = torch.rand(16, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    scaled = copy.deepcopy(network)
    part = next(module for module in scaled.get_submodule(layer).modules() if isinstance(module, nn.Conv2d | nn.Linear))
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.mul_(factor)
        first, second = (F.softmax(one(images), dim=1) for one in (network, scaled))  # (B, classes)
    return (first - second).abs().max().item()
