"""A training's examples on its device, and the batches that its epochs take of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import torch
from torch import Tensor

from models.data.loading import Dataset, split_validation, subset
from models.specs import RunSpec

#: Of which examples `train_size`, `validation_size` and a sample choose: the same for every run.
CHOICE_SEED = 0


@dataclass(frozen=True)
class Examples:
    """Images uint8 (N, C, H, W) and labels int64 (N,) on the training's device."""

    images: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Examples:
        """Return the same examples on a device."""
        return Examples(self.images.to(device), self.labels.to(device))

    def sample(self, count: int) -> Examples:
        """Return `count` of them, or all, drawn at random and the same ones each time.

        To take one at equal distances would not do: MNIST's images come from two sources in turn,
        of which one is harder.
        """
        generator = torch.Generator().manual_seed(CHOICE_SEED)
        chosen = torch.randperm(len(self), generator=generator)[:count]
        return Examples(self.images[chosen], self.labels[chosen])

    def __len__(self) -> int:
        return len(self.labels)


def split(
    dataset: Dataset, spec: RunSpec, device: torch.device
) -> tuple[Examples, Examples | None, Examples]:
    """Return what a spec trains on, holds out (None where nothing), and tests on.

    Raises:
        models.data.loading.DataError: The spec's sizes do not fit the data set.
    """
    dataset, validation = subset(dataset, spec.train_size, CHOICE_SEED), None
    if spec.validation_size:
        dataset, images, labels = split_validation(dataset, spec.validation_size, CHOICE_SEED)
        validation = Examples(images, labels).to(device)
    train = Examples(dataset.train_images, dataset.train_labels).to(device)
    test = Examples(dataset.test_images, dataset.test_labels).to(device)
    return train, validation, test


def shuffled(examples: int, passes: int, generator: torch.Generator) -> Tensor:
    """Return an order (N,) in which each example comes once in every pass."""
    return torch.cat([torch.randperm(examples, generator=generator) for _ in range(passes)])


def batches(
    examples: Examples, order: Tensor, sizes: Iterable[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images uint8 (B, C, H, W) and labels int64 (B,) in an order (N,).

    `sizes` are those that the batches shall have, see `slices`.
    """
    for part in _slices(len(order), sizes):
        chosen = order[part].to(examples.labels.device)  # (B,)
        yield examples.images[chosen], examples.labels[chosen]


def slices(total: int, size: int) -> Iterator[slice]:
    """Yield consecutive slices of `size` that cover `total`.

    A rest of less than half a slice joins the one before it. A small last batch makes a noisy step,
    and a batch norm's moving statistics of it, right before the network is judged: 32 images after
    batches of 128 cost LeNet-5 up to 18 points of test accuracy at a learning rate of 1.

    >>> [part.stop - part.start for part in slices(9, 4)]
    [4, 5]
    """
    return _slices(total, repeat(size))


def _slices(total: int, sizes: Iterable[int]) -> Iterator[slice]:
    start, wanted = 0, iter(sizes)
    while start < total:
        stop = start + _length(total - start, next(wanted))
        yield slice(start, stop)
        start = stop


def _length(left: int, size: int) -> int:
    """Return how many of the `left` examples a slice of about `size` takes."""
    rest = left - size
    return left if 2 * rest < size or rest == 1 < size else size


def iterations_per_epoch(examples: int, size: int) -> int:
    """Return the number of batches in one pass over the training set.

    >>> iterations_per_epoch(4_000, 128), iterations_per_epoch(257, 128)
    (31, 2)
    """
    return sum(1 for _ in slices(examples, size))
