"""Batch norm and ReLU in one compiled loop: torch's results, whatever the threads."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.networks.channels_last import norm_relu
from models.networks.fused import can_rectify

SHAPES = [(64, 32, 14, 14), (17, 5, 3, 7), (16, 3, 1, 1), (33, 48, 1, 5)]


def batch(shape, seed=0):
    """Channels last, in bf16, far from zero mean and unit variance."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 2 + 3
    return x.bfloat16().to(memory_format=torch.channels_last)


def norms(channels):
    """Our norm, in fp32, and the same one for the reference, in fp64."""
    own, exact = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
    with torch.no_grad():
        own.weight.uniform_(0.5, 1.5)
        own.bias.normal_()
    exact.load_state_dict(own.state_dict())
    return own, exact.double()


def in_bf16(x):
    return x.bfloat16().double()


def assert_close(ours, exact, error=2e-6):
    """Equal to the reference up to a part of its largest number."""
    assert (ours.double() - exact).abs().max() <= error * exact.abs().max()


@pytest.mark.parametrize("shape", SHAPES)
def test_training_gives_what_exact_arithmetic_gives_rounded_to_bf16(shape):
    x, g = batch(shape), batch(shape, seed=1)
    own, exact = norms(shape[1])
    inputs, reference = x.clone().requires_grad_(), x.double().requires_grad_()
    y = norm_relu(inputs, own)
    y.backward(g)
    expected = F.relu(exact(reference))
    expected.backward(g.double())

    assert y.dtype == torch.bfloat16
    assert_close(y, expected.detach(), 2**-8)
    assert_close(inputs.grad, reference.grad, 2**-7)
    assert_close(own.weight.grad, exact.weight.grad)
    assert_close(own.bias.grad, exact.bias.grad)
    assert_close(own.running_mean, exact.running_mean)
    assert_close(own.running_var, exact.running_var)
    assert own.num_batches_tracked == 1


def test_evaluation_uses_the_averages_and_leaves_them():
    shape = (20, 6, 4, 4)
    own, exact = norms(shape[1])
    for norm in (own, exact):
        norm.running_mean.copy_(torch.linspace(1, 2, 6))
        norm.eval()
    x, kept = batch(shape), own.running_mean.clone()
    assert_close(norm_relu(x, own), F.relu(exact(x.double())).detach(), 2**-8)
    assert own.running_mean.equal(kept)
    assert own.num_batches_tracked == 0


def test_the_bits_do_not_depend_on_the_number_of_threads():
    shape, found = (50, 24, 9, 9), []
    x, g, before = batch(shape), batch(shape, seed=1), torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            torch.manual_seed(0)
            norm, inputs = norms(shape[1])[0], x.clone().requires_grad_()
            y = norm_relu(inputs, norm)
            y.backward(g)
            found.append((y.detach(), inputs.grad, norm.weight.grad, norm.running_var))
    finally:
        torch.set_num_threads(before)
    assert all(one.equal(other) for one, other in zip(*found, strict=True))


def test_what_is_no_number_stays_none():
    x = batch((20, 4, 3, 3))
    x[0, 1, 0, 0] = float("nan")
    y = norm_relu(x, nn.BatchNorm2d(4))
    assert y[:, 1].isnan().all()
    assert not y[:, 0].isnan().any()


def test_only_a_plain_pair_of_modules_on_channels_last_bf16_is_taken():
    x, norm, relu = batch((20, 4, 3, 3)), nn.BatchNorm2d(4), nn.ReLU()
    assert can_rectify(x, norm, relu)
    assert not can_rectify(x.float(), norm, relu)
    assert not can_rectify(x.contiguous(), norm, relu)
    assert not can_rectify(x, nn.BatchNorm2d(4, affine=False), relu)
    assert not can_rectify(x, norm, nn.Tanh())
    assert not can_rectify(x[:1], norm, relu), "torch refuses or takes so few"
    norm.register_forward_hook(lambda *_: None)
    assert not can_rectify(x, norm, relu), "a hook sees what goes in and out"


ONE_STEP = """
import hashlib, torch
from models.networks.channels_last import norm_relu
torch.manual_seed(0)
x = torch.randn(64, 24, 9, 9).bfloat16().to(memory_format=torch.channels_last).requires_grad_()
norm = torch.nn.BatchNorm2d(24)
norm_relu(x, norm).backward(torch.randn_like(x))
found = x.grad.float(), norm.weight.grad, norm.bias.grad, norm.running_var
print(hashlib.sha256(b"".join(one.numpy().tobytes() for one in found)).hexdigest())
"""


@pytest.mark.slow
def test_loops_out_of_the_cache_give_the_bits_of_freshly_compiled_ones(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", ONE_STEP]
    runs = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert list(tmp_path.rglob("*.nbc"))
    assert runs[0].stdout == runs[1].stdout


FORKED = """
import os
import torch
from torch import nn
from models.networks.channels_last import norm_relu
x = torch.rand(16, 3, 4, 4).bfloat16().to(memory_format=torch.channels_last)
norm_relu(x, nn.BatchNorm2d(3))
if not (child := os.fork()):
    norm_relu(x, nn.BatchNorm2d(3))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks after threads were started")
@pytest.mark.xfail(strict=True, reason="numba ends the process: its threads are GNU OpenMP's")
def test_a_process_forked_after_the_loops_were_used_uses_them_too():
    environment = {**os.environ, "NUMBA_THREADING_LAYER": "omp"}
    command = [sys.executable, "-c", FORKED]
    assert not subprocess.run(command, env=environment, capture_output=True).returncode
