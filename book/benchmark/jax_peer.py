"""The same networks and the same training in JAX, as users of Flax and Optax write them.

The images lie in memory, a step is compiled whole (`nnx.jit`) and bound to the network and its
optimizer (`nnx.cached_partial`), as Flax advises for speed. JAX, Flax and Optax are an extra,
imported only when called.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

import numpy as np

from book.benchmark.contest import Trainer, timed
from book.benchmark.keras_peer import Array, arrays

PLAN: tuple[tuple[int, int] | int, ...] = (
    *((32, 32), (32, 48), 80),
    *((112, 48), (96, 64), (80, 80), (48, 96), 96),
    *((176, 160), (176, 160)),
)
"""Filters of MiniGoogLeNet's 1 × 1 and 3 × 3 branches, or of a downsampling."""


def flat(x: Any) -> Any:
    """Return (B, H·W·C) of x (B, H, W, C)."""
    return x.reshape(x.shape[0], -1)


def lenet5(rngs: Any) -> Any:
    """Build LeNet-5 with batch norm before each tanh: (B, 28, 28, 1) → (B, 10)."""
    from flax import nnx

    conv = partial(nnx.Conv, kernel_size=(5, 5), rngs=rngs)
    norm, dense = partial(nnx.BatchNorm, rngs=rngs), partial(nnx.Linear, rngs=rngs)
    pool = partial(nnx.avg_pool, window_shape=(2, 2), strides=(2, 2))
    return nnx.Sequential(
        *(conv(1, 6), norm(6), nnx.tanh, pool),
        *(conv(6, 16, padding="VALID"), norm(16), nnx.tanh, pool, flat),
        *(dense(400, 120), norm(120), nnx.tanh),
        *(dense(120, 84), norm(84), nnx.tanh),
        dense(84, 10),
    )


@cache
def side_by_side() -> Any:
    """Return the class of two branches on one input, (B, H, W, C) → (B, H', W', C₁ + C₂)."""
    import jax
    from flax import nnx

    class SideBySide(nnx.Module):  # type: ignore[misc] # Flax says nothing of its types
        def __init__(self, first: Any, second: Any) -> None:
            self.first, self.second = first, second

        def __call__(self, x: Any) -> Any:
            return jax.numpy.concatenate([self.first(x), self.second(x)], axis=-1)

    return SideBySide


def minigooglenet(rngs: Any) -> Any:
    """Build MiniGoogLeNet (Zhang et al. 2017, fig. 3): (B, 28, 28, 1) → (B, 10)."""
    from flax import nnx

    def conv(channels: int, filters: int, kernel: int, stride: int = 1) -> Any:
        layer = nnx.Conv(channels, filters, (kernel, kernel), strides=stride, rngs=rngs)
        return nnx.Sequential(layer, nnx.BatchNorm(filters, rngs=rngs), nnx.relu)

    pool = partial(nnx.max_pool, window_shape=(3, 3), strides=(2, 2), padding="SAME")
    branches, layers, width = side_by_side(), [conv(1, 96, 3)], 96
    for filters in PLAN:
        if isinstance(filters, tuple):
            layers.append(branches(conv(width, filters[0], 1), conv(width, filters[1], 3)))
            width = sum(filters)
        else:
            layers.append(branches(conv(width, filters, 3, stride=2), pool))
            width += filters
    dropout, dense = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(width, 10, rngs=rngs)
    return nnx.Sequential(*layers, lambda x: x.mean((1, 2)), dropout, dense)


NETWORKS: dict[str, Callable[[Any], Any]] = {"lenet5": lenet5, "minigooglenet": minigooglenet}


def compiled_step(network: Any, lr: float) -> Callable[[Array, Array], Any]:
    """Return what takes a step of SGD on a batch (B, 28, 28, 1), (B,), and returns the loss."""
    import optax
    from flax import nnx

    def loss(network: Any, X: Array, y: Array) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(network(X), y).mean()

    @nnx.jit  # type: ignore[untyped-decorator]
    def step(network: Any, optimizer: Any, X: Array, y: Array) -> Any:
        value, gradients = nnx.value_and_grad(loss)(network, X, y)
        optimizer.update(network, gradients)
        return value

    optimizer = nnx.Optimizer(network, optax.sgd(lr), wrt=nnx.Param)
    bound: Callable[[Array, Array], Any] = nnx.cached_partial(step, network, optimizer)
    return bound


def trainer(name: str, dataset: str, batch_size: int, lr: float) -> Trainer:
    """Return a training that is warmed up: its step is compiled."""
    import jax
    from flax import nnx

    network = NETWORKS[name](nnx.Rngs(0))
    network.train()
    step, (images, labels) = compiled_step(network, lr), arrays(dataset)[:2]

    def train(batches: Iterable[Array]) -> int:
        seen, loss = 0, None
        for chosen in batches:  # (B,)
            loss = step(images[chosen], labels[chosen])
            seen += len(chosen)
        jax.block_until_ready(loss)
        return seen

    whole = len(images) // batch_size
    order = np.random.default_rng(0).permutation(len(images))[: whole * batch_size]
    parts = nnx.state(network, nnx.Any(nnx.Param, nnx.BatchStat))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(parts))
    return Trainer(timed(train, order.reshape(whole, batch_size)), parameters)
