"""Our optimizers are torch's, without its compiler."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from torch import nn, optim

from models.specs import RunSpec
from models.training.optimizers import OPTIMIZERS, make_optimizer

TORCHS = {
    "sgd": lambda parameters: optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda parameters: optim.Adam(parameters, 0.1, weight_decay=0.01),
    "adamw": lambda parameters: optim.AdamW(parameters, 0.1, weight_decay=0.01),
}
TRAIN = """
import json, sys
from pathlib import Path

from models.runs.obtain import obtain
from models.runs.store import Store
from models.specs import RunSpec

spec = RunSpec(train_size=64, epochs=2, **json.loads(sys.argv[1]))
obtain(spec, store=Store(Path(sys.argv[2])))
print(*(name for name in ("torch._dynamo", "torch._inductor") if name in sys.modules))
"""


def steps(network, optimizer):
    """Take three steps on fixed gradients, with the state carried over after the first."""
    generator = torch.Generator().manual_seed(0)
    for number in range(3):
        optimizer.zero_grad()
        network(torch.randn(5, 4, generator=generator)).square().sum().backward()
        optimizer.step()
        if number == 0:
            optimizer.load_state_dict(optimizer.state_dict())
    return [parameter.detach().clone() for parameter in network.parameters()]


def linear():
    torch.manual_seed(1)
    return nn.Linear(4, 2)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_torch_bit_for_bit(name):
    momentum = 0.9 if name == "sgd" else 0.0
    spec = RunSpec(optimizer=name, lr=0.1, momentum=momentum, weight_decay=0.01)
    network, reference = linear(), linear()
    ours = steps(network, make_optimizer(spec, network))
    theirs = steps(reference, TORCHS[name](reference.parameters()))
    assert all(map(torch.equal, ours, theirs))
    assert not torch.equal(ours[0], linear().weight)


@pytest.mark.parametrize(
    "choices",
    [
        *({"optimizer": name} for name in OPTIMIZERS),
        {"network": "minigooglenet", "norm": "batch", "precision": "bf16", "momentum": 0.9}
        | {"schedule": "one-cycle", "lr": 0.01, "max_lr": 0.1},
    ],
)
def test_a_training_imports_no_compiler(choices, tmp_path):
    run = [sys.executable, "-c", TRAIN, json.dumps(choices), str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
