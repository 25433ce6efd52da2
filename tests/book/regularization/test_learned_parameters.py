"""What a batch norm on the input learns, when another one follows."""

import pytest
import torch
from torch.nn import functional as F

from models.networks.build import build
from models.specs import RunSpec


def squared_lengths_and_steps(lr: float) -> tuple[list[float], list[float]]:
    """γ² + β² of the input's batch norm before and after each step, and each step's own square."""
    torch.manual_seed(0)
    network = build(RunSpec(network="lenet5", norm="batch", input_norm="batch")).train()
    pair = [value for name, value in network.named_parameters() if name.startswith("input")]
    assert len(pair) == 2
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    lengths, steps = [sum(float(one.detach().square()) for one in pair)], []
    for _ in range(20):
        X, y = torch.rand(50, 1, 28, 28), torch.randint(10, (50,))
        before = [one.detach().clone() for one in pair]
        optimizer.zero_grad()
        F.cross_entropy(network(X), y).backward()
        optimizer.step()
        after = [one.detach() for one in pair]
        steps.append(sum(float((a - b).square()) for a, b in zip(after, before, strict=True)))
        lengths.append(sum(float(one.square()) for one in after))
    return lengths, steps


def test_before_another_batch_norm_gamma_and_beta_grow_by_the_squares_of_their_steps():
    lengths, steps = squared_lengths_and_steps(lr=2.0)
    assert lengths[0] == 1
    assert lengths[-1] - lengths[0] == pytest.approx(sum(steps), rel=0.02)
    assert sum(steps) > 1e-3, "they took steps"
