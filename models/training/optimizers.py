"""The optimizers, with what a spec says of each."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from models.specs import RunSpec

Parameters = list[nn.Parameter]


def _sgd(parameters: Parameters, spec: RunSpec) -> Optimizer:
    return SGD(parameters, spec.lr, momentum=spec.momentum, weight_decay=spec.weight_decay)


def _adam(parameters: Parameters, spec: RunSpec) -> Optimizer:
    return Adam(parameters, spec.lr, weight_decay=spec.weight_decay)


def _adamw(parameters: Parameters, spec: RunSpec) -> Optimizer:
    return AdamW(parameters, spec.lr, weight_decay=spec.weight_decay)


OPTIMIZERS: dict[str, Callable[[Parameters, RunSpec], Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
}


def make_optimizer(spec: RunSpec, network: nn.Module) -> Optimizer:
    """Return the spec's optimizer over all parameters; Adam's betas are torch's, (0.9, 0.999)."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return OPTIMIZERS[spec.optimizer](parameters, spec)
