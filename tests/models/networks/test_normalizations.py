"""Our own normalizations: against torch's, against their definitions, and their gradients against
differences.
"""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.networks import normalizations
from models.networks.build import build
from models.networks.layers import make_norm
from models.specs import RunSpec

SHAPES = [(9, 4), (3, 4, 2, 3)]
OURS = ("formula-batch", "batch-frozen-statistics", "pit", "whitening")


def made(kind: str, channels: int, spatial: bool, **options: Any) -> nn.Module:
    norm = make_norm(kind, channels, spatial, **options)
    assert norm is not None
    return norm.double()


def data(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rows(x: Tensor) -> Tensor:
    return x.detach().transpose(0, 1).flatten(1)  # (C, N)


# Batch norm from its formula


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 9),
    st.integers(1, 5),
    st.one_of(st.just(()), st.tuples(st.integers(1, 4), st.integers(1, 4))),
    st.integers(0, 2**31),
    st.floats(0, 1),
)
def test_batch_norm_from_its_formula_is_torchs_forward_backward_and_in_its_moving_statistics(
    batch: int, channels: int, sides: tuple[int, ...], seed: int, momentum: float
) -> None:
    x, g = (
        3 * data(batch, channels, *sides, seed=seed) + 2,
        data(batch, channels, *sides, seed=seed + 1),
    )
    states = []
    for kind in ("batch", "formula-batch"):
        norm, leaf = (
            made(kind, channels, bool(sides), momentum=momentum),
            x.clone().requires_grad_(),
        )
        with torch.no_grad():
            norm.weight.copy_(data(channels, seed=seed + 2))
            norm.bias.copy_(data(channels, seed=seed + 3))
        y = norm(leaf)
        (y * g).sum().backward()
        judged = norm.eval()(x)
        gradients = [leaf.grad, norm.weight.grad, norm.bias.grad]
        states.append([y, judged, *gradients, norm.running_mean, norm.running_var])
    for theirs, ours in zip(*states, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-11)


def test_a_network_trains_alike_with_the_formula_and_with_torchs_batch_norm() -> None:
    ends = []
    for kind in ("batch", "formula-batch"):
        torch.manual_seed(0)
        network = build(RunSpec(network="lenet5", activation="sigmoid", norm=kind)).double()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
        for step in range(5):
            optimizer.zero_grad()
            images = data(16, 1, 28, 28, seed=step)
            nn.functional.cross_entropy(network(images), torch.arange(16) % 10).backward()
            optimizer.step()
        ends.append(network.eval()(data(4, 1, 28, 28, seed=99)))
    torch.testing.assert_close(*ends, rtol=1e-10, atol=1e-10)


# Gradients


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", OURS)
def test_every_gradient_is_the_limit_of_differences(kind: str, shape: tuple[int, ...]) -> None:
    g = data(*shape, seed=1)

    def loss(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        norm = made(kind, shape[1], len(shape) == 4)  # a new one: it would count its calls
        y: Tensor = torch.func.functional_call(
            norm, {"weight": weight, "bias": bias}, (x,), strict=False
        )
        return (y * g).sum()

    leaves = (data(*shape), 1 + data(shape[1], seed=2) / 4, data(shape[1], seed=3))
    assert torch.autograd.gradcheck(loss, [leaf.requires_grad_() for leaf in leaves])


def test_the_root_of_a_covariance_with_equal_eigenvalues_has_a_gradient() -> None:
    """Where the gradient of torch's own eigenvectors is not finite."""
    identity = torch.eye(3, dtype=torch.float64, requires_grad=True)
    g = data(3, 3)
    (normalizations._InverseRoot.apply(identity) * g).sum().backward()
    torch.testing.assert_close(
        identity.grad, -(g + g.T) / 4
    )  # d(I + dS)^(−1/2) = −dS/2, dS symmetric


# What each promises


@pytest.mark.parametrize("shape", [(64, 3), (8, 3, 5, 5)])
@pytest.mark.parametrize("kind", OURS)
def test_training_gives_every_channel_mean_beta_and_about_the_variance_gamma_squared(
    kind: str, shape: tuple[int, ...]
) -> None:
    norm = made(kind, 3, len(shape) == 4)
    nn.init.constant_(norm.weight, 2.0)
    nn.init.constant_(norm.bias, -1.0)
    y = rows(norm(5 * data(*shape) + 7))
    torch.testing.assert_close(y.mean(1), torch.full((3,), -1.0, dtype=torch.float64))
    torch.testing.assert_close(
        y.var(1, correction=0), torch.full((3,), 4.0, dtype=torch.float64), rtol=0.1, atol=0
    )


@pytest.mark.parametrize("kind", OURS)
def test_a_bias_before_the_norm_changes_nothing(kind: str) -> None:
    x, bias = data(32, 5), torch.arange(5.0, dtype=torch.float64)
    torch.testing.assert_close(made(kind, 5, False)(x + bias), made(kind, 5, False)(x))


@pytest.mark.parametrize("kind", OURS)
def test_eval_mode_uses_the_moving_statistics_and_moves_nothing(kind: str) -> None:
    norm = made(kind, 3, False)
    for step in range(150):
        norm(2 * data(256, 3, seed=step) + 1)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    y = norm.eval()(2 * data(4000, 3, seed=999) + 1)
    torch.testing.assert_close(
        rows(y).mean(1), torch.zeros(3, dtype=torch.float64), atol=0.05, rtol=0
    )
    torch.testing.assert_close(
        rows(y).std(1), torch.ones(3, dtype=torch.float64), atol=0.05, rtol=0
    )
    assert torch.equal(y[:1], norm(2 * data(4000, 3, seed=999)[:1] + 1)), (
        "an example alone is judged the same"
    )
    assert all(torch.equal(before[name], value) for name, value in norm.state_dict().items())


@pytest.mark.parametrize("kind", OURS)
def test_a_saved_state_restores_the_norm(kind: str) -> None:
    trained, fresh = made(kind, 4, False), made(kind, 4, False)
    for step in range(3):
        trained(data(16, 4, seed=step))
    fresh.load_state_dict(trained.state_dict())
    x = data(16, 4, seed=9)
    assert torch.equal(trained(x), fresh(x))
    assert torch.equal(trained.eval()(x), fresh.eval()(x))


@pytest.mark.parametrize("kind", OURS)
def test_under_autocast_a_norm_computes_in_fp32(kind: str) -> None:
    norm, x = make_norm(kind, 4, spatial=False), data(16, 4).bfloat16()
    assert norm is not None
    with torch.autocast("cpu", torch.bfloat16):
        y = norm(x)
    assert torch.equal(y, make_norm(kind, 4, spatial=False)(x.float()))


def test_statistics_freeze_after_the_warm_up_at_the_plain_average() -> None:
    norm = made("batch-frozen-statistics", 2, False)
    batches = [data(8, 2, seed=step) + step / 10 for step in range(normalizations.WARM_UP)]
    for batch in batches:
        norm(batch)
    torch.testing.assert_close(
        norm.running_mean, torch.stack([batch.mean(0) for batch in batches]).mean(0)
    )
    torch.testing.assert_close(
        norm.running_var, torch.stack([batch.var(0) for batch in batches]).mean(0)
    )
    frozen = norm.running_mean.clone()
    x = data(8, 2, seed=7)
    y = norm(x + 5)
    assert torch.equal(norm.running_mean, frozen)
    torch.testing.assert_close(y, norm.eval()(x + 5))


def test_no_momentum_leaves_the_moving_statistics_at_0_and_1_and_trains_by_the_batch() -> None:
    norm = made("batch", 2, False, momentum=0.0)
    x = 3 * data(8, 2) + 4
    assert rows(norm(x)).mean(1).abs().max() < 1e-12
    torch.testing.assert_close(norm.eval()(x), x, rtol=1e-5, atol=1e-5)


def test_no_tracking_judges_by_the_batch() -> None:
    norm = made("batch-no-tracking", 2, False)
    x = 3 * data(8, 2) + 4
    assert torch.equal(norm(x), norm.eval()(x))


def test_unlearned_gamma_and_beta_are_no_parameters() -> None:
    assert not list(made("batch-unlearned", 2, True).parameters())


@pytest.mark.parametrize(
    "draw", [torch.randn, torch.rand, lambda *shape, **how: torch.randn(*shape, **how).exp()]
)
def test_the_probability_integral_transform_makes_any_distribution_uniform(draw: Any) -> None:
    x = draw(20_000, 1, generator=torch.Generator().manual_seed(0))
    y = rows(make_norm("pit", 1, spatial=False)(x)).flatten()
    uniform = torch.linspace(-(3**0.5), 3**0.5, len(y))
    assert (y.sort().values - uniform).abs().max() < 0.05 * 12**0.5, (
        "no place is off by more than 5 % of the range"
    )


def test_the_probability_integral_transform_keeps_the_order_of_values() -> None:
    x = data(500, 1).exp()
    y = made("pit", 1, False)(x).detach().flatten()
    assert (y[x.flatten().argsort()].diff() >= 0).all()


def test_whitening_leaves_no_correlation() -> None:
    mixed = data(16, 4, 20, 20).transpose(1, 3) @ data(4, 4, seed=1)
    y = rows(made("whitening", 4, True)(mixed.transpose(1, 3)))
    torch.testing.assert_close(
        torch.cov(y, correction=0), torch.eye(4, dtype=torch.float64), atol=0.02, rtol=0
    )


def test_whitening_one_channel_is_batch_norm() -> None:
    x = 3 * data(16, 1, 4, 4) + 2
    whitening, batch = made("whitening", 1, True), made("batch", 1, True)
    torch.testing.assert_close(whitening(x), batch(x))
    torch.testing.assert_close(whitening.running_var, batch.running_var)
    torch.testing.assert_close(whitening.eval()(x), batch.eval()(x))


def test_whitening_fewer_examples_than_channels_stays_within_bounds() -> None:
    y = make_norm("whitening", 120, spatial=False)(data(16, 120).float())
    assert torch.isfinite(y).all()
    assert y.abs().max() < 10


def test_whitening_passes_on_what_is_no_number() -> None:
    x = data(8, 3)
    x[0, 0] = float("inf")
    norm = made("whitening", 3, False)
    y = norm(x.requires_grad_())
    y.sum().backward()
    assert y.isnan().all()
    assert x.grad is not None


def test_whitening_refuses_more_channels_than_it_can_do_in_time() -> None:
    with pytest.raises(
        ValueError, match="expected at most 512 channels to whiten together, got 4096"
    ):
        make_norm("whitening", 4096, spatial=False)


@pytest.mark.parametrize("kind", OURS)
def test_two_passes_give_the_same_bits_by_deterministic_algorithms(kind: str) -> None:
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (make_norm(kind, 6, spatial=True) for _ in range(2))
        x = data(8, 6, 7, 7).float().requires_grad_()
        y, z = first(x), second(x)
        (d,) = torch.autograd.grad(y.square().sum(), x)
        (e,) = torch.autograd.grad(z.square().sum(), x)
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(y, z)
    assert torch.equal(d, e)
