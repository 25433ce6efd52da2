"""The optimizers, with what a spec says of each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar, cast

import torch
from torch import nn, optim
from torch.optim import Optimizer

from models.specs import RunSpec

Parameters = list[nn.Parameter]
Kind = TypeVar("Kind", bound=type[Optimizer])
# What torch hides from its compiler, and imports the compiler to do so: with the same of
# deterministic algorithms (`models.training.randomness`) a third of a first small training's time.
HIDDEN = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def eager(optimizer: Kind) -> Kind:
    """Return the same optimizer, for code that is not compiled: it imports no compiler.

    Its step is never differentiated.
    """
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in HIDDEN}
    step = torch.no_grad()(inspect.unwrap(optimizer.step))
    return cast(Kind, type(optimizer.__name__, (optimizer,), methods | {"step": step}))


SGD, Adam, AdamW = eager(optim.SGD), eager(optim.Adam), eager(optim.AdamW)


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
