"""Compiled loops give what torch's modules give, and leave to them what they were not made for."""

import copy
import os
import subprocess
import sys
from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.networks.build import build
from models.networks.compiled import _tanh
from models.networks.fused import SMALLEST, THREADS, FusedStage
from models.networks.kernels import AveragePool2x2, Dropout, Tanh
from models.networks.spec import NetworkSpec

BATCH = 37
EXACT = 5e-6  # of the largest number beside it: what the roundings of a network add up to

FUSED = {
    "plain": {},
    "batch norm": {"norm": "batch"},
    "batch norm on the input": {"norm": "batch", "input_norm": "batch"},
    "dropout": {"dropout": 0.5, "input_dropout": 0.2},
    "both": {"norm": "batch", "input_norm": "batch", "dropout": 0.5, "input_dropout": 0.2},
    "one norm": {"norm": "batch", "norm_layers": ["conv2"]},
    "no biases": {"norm": "batch", "bias_before_norm": False},
    "colour": {"norm": "batch", "dataset": "cifar10", "width": 2, "norm_momentum": 0.3},
}
LEFT_TO_TORCH = {
    "another activation": {"activation": "sigmoid"},
    "another norm": {"norm": "layer"},
    "a norm that keeps no averages": {"norm": "batch-no-tracking"},
    "another order": {"norm": "batch", "order": "activation-norm-dropout"},
    "dropout before the activation": {"dropout": 0.5, "order": "norm-dropout-activation"},
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def network_of(**fields):
    """Return a network whose γ, β and biases are no longer those that it began with."""
    network = build(NetworkSpec(**fields))
    with torch.no_grad():
        for name, values in network.named_parameters():
            if values.dim() == 1:
                values.add_(torch.randn_like(values) / 4)
            assert name
    return network


def module_by_module(network):
    """Return a copy in float64 whose stages are torch's Sequential."""
    twin = copy.deepcopy(network).double()
    for name, stage in list(twin.named_modules()):
        if isinstance(stage, FusedStage):
            twin.set_submodule(name, nn.Sequential(OrderedDict(stage.named_children())))
    return twin


def images(network, batch=BATCH):
    side, channels = (32, 3) if network[0].mean.numel() == 3 else (28, 1)
    return torch.rand(batch, channels, side, side)


def is_fused(stage, x):
    """Return whether a stage has left its result with the batch last."""
    return isinstance(stage, FusedStage) and stage(x).stride(0) == 1


def assert_close(ours, theirs, scale=None):
    scale = theirs.abs().max() if scale is None else scale
    assert (ours - theirs).abs().max() <= EXACT * scale


def learn(network, x, y):
    """Return logits and gradients by name, after one pass there and back."""
    torch.manual_seed(1)
    logits = network(x)
    F.cross_entropy(logits, y).backward()
    return logits.detach(), {name: p.grad for name, p in network.named_parameters()}


def batch_of(fields):
    colour = fields.get("dataset") == "cifar10"
    shape = (3, 32, 32) if colour else (1, 28, 28)
    return torch.rand(BATCH, *shape), torch.randint(0, 10, (BATCH,))


@pytest.mark.parametrize("name", FUSED)
def test_logits_gradients_and_averages_are_those_of_the_modules(name):
    network = network_of(**FUSED[name])
    twin, (x, y) = module_by_module(network), batch_of(FUSED[name])
    logits, gradients = learn(network, x, y)
    expected, expected_gradients = learn(twin, x.double(), y)
    assert_close(logits, expected)
    for layer, gradient in expected_gradients.items():
        # a bias before a batch norm has no gradient but rounding: judged by its layer's weights;
        # the input's γ and β have theirs from the first kernel's, in sums that cancel
        owner = "conv1.conv" if layer.startswith("input.") else layer.rpartition(".")[0]
        weight = expected_gradients.get(f"{owner}.weight", gradient)
        assert_close(gradients[layer], gradient, max(weight.abs().max(), gradient.abs().max()))
    for layer, values in twin.named_buffers():
        assert_close(network.get_buffer(layer), values)


@pytest.mark.parametrize("name", FUSED)
def test_every_stage_of_lenet_is_fused(name):
    network, (x, _) = network_of(**FUSED[name]), batch_of(FUSED[name])
    for stage_name, stage in network.named_children():
        if stage_name in ("conv1", "conv2", "fc1", "fc2"):
            assert is_fused(stage, x)
        x = stage(x)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", FUSED)
def test_in_eval_mode_the_averages_normalise(name, context):
    network, (x, y) = network_of(**FUSED[name]), batch_of(FUSED[name])
    learn(network, x, y)  # moves the averages
    twin = module_by_module(network).eval()
    with context():
        assert_close(network.eval()(x), twin(x.double()))


@pytest.mark.parametrize("height", [9, 10, 11])
@pytest.mark.parametrize("width", [10, 13])
@pytest.mark.parametrize("padding", [0, 2])
def test_odd_sizes_lose_their_last_row_and_column_to_the_pooling(height, width, padding):
    stage = FusedStage(
        OrderedDict(
            conv=nn.Conv2d(2, 4, 5, padding=padding),
            norm=nn.BatchNorm2d(4),
            activation=Tanh(),
            pool=AveragePool2x2(2),
        )
    )
    twin = module_by_module(nn.Sequential(stage))[0]
    x = torch.randn(BATCH, 2, height, width, requires_grad=True)
    z = x.detach().double().requires_grad_()
    ours, theirs = stage(x), twin(z)
    assert ours.stride(0) == 1
    assert_close(ours, theirs)
    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    assert_close(x.grad, z.grad)


@pytest.mark.parametrize("name", LEFT_TO_TORCH)
def test_what_the_loops_were_not_made_for_is_left_to_torch(name):
    network, x = network_of(**LEFT_TO_TORCH[name]), torch.rand(BATCH, 1, 28, 28)
    assert not is_fused(network.conv1, network.input(x))


def test_small_batches_doubles_and_half_precision_are_left_to_torch():
    network, x = network_of(norm="batch"), torch.rand(BATCH, 1, 28, 28)
    assert is_fused(network.conv1, x)
    assert not is_fused(network.conv1, x[: SMALLEST - 1])
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_fused(network.conv1, x)
    assert not is_fused(network.double().conv1, x.double())


def test_many_threads_are_left_to_torch():
    network, x, threads = network_of(), torch.rand(BATCH, 1, 28, 28), torch.get_num_threads()
    torch.set_num_threads(THREADS + 1)
    try:
        assert not is_fused(network.conv1, x)
    finally:
        torch.set_num_threads(threads)


def test_the_number_of_threads_changes_no_bit():
    network, x, threads = (
        network_of(norm="batch"),
        torch.rand(BATCH, 1, 28, 28),
        torch.get_num_threads(),
    )
    results = []
    for count in (1, THREADS):
        torch.set_num_threads(count)
        results.append(network.conv1(x))
    torch.set_num_threads(threads)
    assert torch.equal(*results)


@pytest.mark.parametrize("part", ["conv", "norm", "activation", "pool"])
def test_a_hook_on_a_part_sees_what_goes_through_it(part):
    network, x, seen = network_of(norm="batch"), torch.rand(BATCH, 1, 28, 28), []
    module = network.conv1.get_submodule(part)
    handle = module.register_forward_hook(lambda module, arguments, result: seen.append(result))
    y = network.conv1(x)
    assert len(seen) == 1
    handle.remove()
    assert_close(network.conv1(x), y)
    assert len(seen) == 1


def test_a_gradient_in_eval_mode_is_that_of_fixed_statistics():
    network, x = network_of(norm="batch").eval(), torch.rand(BATCH, 1, 28, 28)
    y = torch.randint(0, 10, (BATCH,))
    twin = module_by_module(network)
    _, gradients = learn(network, x, y)
    _, expected = learn(twin, x.double(), y)
    for name, gradient in expected.items():
        assert_close(gradients[name], gradient)


@pytest.mark.parametrize("frozen", [["weight"], ["weight", "bias"]])
def test_the_gradient_goes_through_the_batchs_moments_though_gamma_does_not_learn(frozen):
    network = network_of(norm="batch")
    for name in frozen:
        network.conv1.norm.get_parameter(name).requires_grad_(False)
    twin, x = module_by_module(network), images(network)
    network(x).square().sum().backward()
    twin(x.double()).square().sum().backward()
    ours, theirs = network.conv1.conv.weight.grad, twin.conv1.conv.weight.grad
    assert (ours - theirs).abs().max() <= 1e-3 * theirs.abs().max()


@pytest.mark.parametrize("part", ["conv", "norm"])
def test_channels_that_do_not_fit_are_refused_as_torch_refuses_them(part):
    stage, channels = build(NetworkSpec(norm="batch")).conv1, 3 if part == "conv" else 1
    if part == "norm":
        stage.norm = nn.BatchNorm2d(4)
    with torch.no_grad(), pytest.raises(RuntimeError):
        stage(torch.rand(BATCH, channels, 28, 28))


def test_what_is_no_number_stays_none():
    network, x = network_of(norm="batch"), torch.rand(BATCH, 1, 28, 28)
    x[3, 0, 5, 5] = torch.nan
    assert network(x).isnan().all()  # by way of the batch's mean
    x = torch.rand(BATCH, 120)
    x[3, 5] = torch.nan
    stage = FusedStage(OrderedDict(linear=nn.Linear(120, 4), activation=Tanh()))
    assert stage(x).isnan().all(1).nonzero().flatten().tolist() == [3]


def test_the_quotient_of_polynomials_is_tanh_to_three_roundings():
    x = torch.linspace(-12, 12, 20_001)
    y = torch.tensor([_tanh(value) for value in x.numpy()])
    assert (y - torch.tanh(x.double())).abs().max() < 3 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("copies", [1, 2])
def test_dropout_in_the_loop_is_dropout_by_torch_bit_for_bit(copies):
    x, drop = torch.randn(BATCH, 4, 5, 5), Dropout(0.3, copies)
    by_layout = {}
    for name, values in (("rows", x), ("batch last", x.permute(1, 2, 3, 0).contiguous())):
        values = values if name == "rows" else values.permute(3, 0, 1, 2)
        torch.manual_seed(1)
        by_layout[name] = drop(values.requires_grad_())
    torch.manual_seed(1)
    expected = drop(x.detach().double())
    for values in by_layout.values():
        assert torch.equal(values != 0, expected != 0)
        torch.testing.assert_close(values.double(), expected, rtol=1e-6, atol=0)


FOUR_STEPS = """
import hashlib, torch
from torch.nn import functional as F
from models.networks.build import build
from models.networks.spec import NetworkSpec
torch.set_num_threads(1)
torch.manual_seed(0)
network = build(NetworkSpec(norm="batch", dropout=0.5))
optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
for _ in range(4):
    F.cross_entropy(network(torch.rand(64, 1, 28, 28)), torch.arange(64) % 10).backward()
    optimizer.step()
weights = b"".join(p.detach().numpy().tobytes() for p in network.parameters())
print(hashlib.sha256(weights).hexdigest())
"""


@pytest.mark.slow
def test_loops_out_of_the_cache_give_the_bits_of_freshly_compiled_ones(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", FOUR_STEPS]
    digests = []
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        digests.append(done.stdout)
    assert list(tmp_path.rglob("*.nbc"))
    assert digests[0] == digests[1]


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # as if it were not installed
import torch
from models.networks.build import build
from models.networks.spec import NetworkSpec
network, x = build(NetworkSpec(norm="batch", dropout=0.5)), torch.rand(64, 1, 28, 28)
network(x).sum().backward()
assert network.conv1(x).stride(0) > 1
assert "models.networks.compiled" not in sys.modules
"""


def test_without_numba_torch_does_all():
    subprocess.run([sys.executable, "-c", WITHOUT_NUMBA], check=True)


ONE_LOOP = """
import numpy as np
from models.networks import compiled
average = np.zeros(1, np.float32)
compiled.move(average, np.ones(1, np.float32), 0.5, 1.0)
assert average[0] == 0.5
"""


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_torn_cache_of_compiled_loops_is_compiled_anew(kind, share, tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", ONE_LOOP]
    subprocess.run(command, env=environment, check=True)
    (torn,) = tmp_path.rglob(f"*.{kind}")
    whole = torn.read_bytes()
    torn.write_bytes(whole[: int(share * len(whole))])  # as a loss of power leaves it
    subprocess.run(command, env=environment, check=True)
    assert torn.exists()
    subprocess.run(command, env=environment, check=True)
