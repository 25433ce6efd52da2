"""What all measurements of a training share: copies of its network, their seeds, and sizes."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from models.networks.kernels import Dropout
from models.training.loop import Training
from models.training.randomness import random_seed

JUDGED = 2000  # images that a finished network is measured on
PROBE_DIGITS = 6  # significant ones of every number
POINT_DIGITS = 4  # of most numbers at each point: there are many
POINT_SEEDS = 500_000  # where the seeds of points begin: those of epochs come before

Entry = dict[str, Any]


def duplicate(network: nn.Module, *, dropout: bool) -> nn.Module:
    """Return a copy in train mode to do anything with; its dropout drops only if `dropout`."""
    duplicated = copy.deepcopy(network).train()
    for module in duplicated.modules():
        if isinstance(module, Dropout):
            module.train(dropout)
    return duplicated


def point_seed(training: Training) -> int:
    """Return the seed of masks and noise at a point of training: its own, and no epoch's."""
    return random_seed(training.spec.seed, POINT_SEEDS + training.iteration)
