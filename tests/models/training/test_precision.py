"""bf16 on a processor that has no products in it is what it is on one that has."""

from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from models.networks.architectures import ARCHITECTURES
from models.networks.build import build
from models.specs import RunSpec
from models.training.precision import (
    RoundedProducts,
    bf16,
    computing,
    has_fast_products,
    multiplies_fast,
)

AVX512 = {"avx512_f": True, "avx512_bf16": True}
MATRIX_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "convolution", "convolution_backward")


@contextmanager
def in_bf16(rounded):
    """Autocast as torch does it, or with rounded products, whatever the processor."""
    with torch.autocast("cpu", torch.bfloat16), RoundedProducts() if rounded else nullcontext():
        yield


def taken(network):
    """A spec of a network, and images for it."""
    spec = RunSpec(network=network, precision="bf16", norm="batch", dataset="cifar10")
    images = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return spec, images


def whole(*shape, generator):
    """Numbers from −4 to 4 without a fraction: their sums of products are exact in any order."""
    return torch.randint(-4, 5, shape, generator=generator).float()


LAYERS = {
    "dense": (nn.Linear(40, 12), (32, 40)),
    "3 × 3": (nn.Conv2d(6, 8, 3, padding=1), (8, 6, 9, 9)),
    "1 × 1, stride 2": (nn.Conv2d(6, 8, 1, stride=2, bias=False), (8, 6, 9, 9)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_exact_sums_are_rounded_once_forward_and_backward(name):
    layer, shape = LAYERS[name]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(whole(*parameter.shape, generator=generator))
    x = whole(*shape, generator=generator)
    found = []
    for precision in ("fp32", "bf16"):
        layer.zero_grad()
        given = x.clone().requires_grad_()
        with in_bf16(rounded=True) if precision == "bf16" else nullcontext():
            y = layer(given)
        y.backward(whole(*y.shape, generator=torch.Generator().manual_seed(1)).to(y.dtype))
        found.append([y.detach(), given.grad, *(one.grad for one in layer.parameters())])
    exact, rounded = found
    assert rounded[0].dtype == torch.bfloat16
    for sums, own in zip(exact, rounded, strict=True):
        assert torch.equal(own.float(), sums.bfloat16().float())


def test_factors_and_results_are_rounded_to_bf16():
    between = torch.tensor([[1 + 2**-9]])  # bf16 has 1 and 1 + 2⁻⁷
    with bf16("cpu"):
        assert F.linear(between, torch.tensor([[1.0]])).item() == 1
        assert F.linear(torch.tensor([[257.0, 2.0]]), torch.tensor([[1.0, 0.25]])).item() == 256


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_networks_give_the_logits_that_fp32_gives_but_for_rounding(name):
    spec, X = taken(name)
    torch.manual_seed(0)
    network = build(spec)
    exact = network(X)
    with in_bf16(rounded=True):
        rounded = network(X)
    error = torch.linalg.norm(rounded.float() - exact) / torch.linalg.norm(exact)
    assert 1e-4 < error < 0.05


class Watched(TorchDispatchMode):
    """Keeps the names of products of which a factor is in bf16."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [one for one in args if isinstance(one, torch.Tensor)]
        name = func.overloadpacket.__name__
        if name in MATRIX_PRODUCTS and any(one.dtype == torch.bfloat16 for one in tensors):
            self.seen.add(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_no_network_has_a_product_that_is_left_to_bf16(name):
    spec, X = taken(name)
    network = build(spec)
    natively = Watched()
    with natively, in_bf16(rounded=False):
        logits = network(X)
    with natively:
        logits.float().sum().backward()
    assert {"convolution", "convolution_backward", "mm"} <= natively.seen  # it sees them, both ways
    with Watched() as watched, in_bf16(rounded=True):
        logits = network(X)
    with watched:
        logits.float().sum().backward()
    assert not watched.seen


def test_a_training_leaves_its_products_to_torch_where_the_processor_has_them_alone():
    with Watched() as watched, computing("bf16", "cpu"):
        F.linear(torch.rand(2, 3), torch.rand(4, 3))
    assert bool(watched.seen) is multiplies_fast("cpu")


def test_products_that_are_not_under_autocast_are_left_alone():
    x, w = torch.rand(2, 3), torch.rand(4, 3)
    with RoundedProducts():
        assert torch.equal(F.linear(x, w), x @ w.t())
    with computing("fp32", "cpu"):
        assert F.linear(x, w).dtype == torch.float32
    with bf16("cpu"), torch.autocast("cpu", enabled=False):
        assert torch.equal(F.linear(x, w), x @ w.t())


@pytest.mark.parametrize(
    ("processor", "fast"),
    [
        ({**AVX512, "amx_bf16": True, "cpu_name": "Intel(R) Xeon(R)"}, True),
        ({**AVX512, "cpu_name": "Intel(R) Xeon(R)"}, False),
        ({**AVX512, "cpu_name": "AMD EPYC 9R14"}, True),
        ({"avx2": True, "avx512_bf16": False, "cpu_name": "AMD EPYC"}, False),
        ({}, False),
    ],
)
def test_what_a_processor_can_do_decides_how_it_multiplies(processor, fast):
    assert has_fast_products(processor) is fast


def test_a_gpu_multiplies_in_its_own_way():
    assert multiplies_fast("cuda")
