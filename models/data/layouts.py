"""The layouts in which the files of a data set may come, and how each is read.

A reader looks for one layout in a folder and gives the arrays, or None when nothing of the layout
is there. Once a single file of a layout is there, anything wrong with it is a `DataError`.
"""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# Below a place: torchvision's layout, a folder of the set's name, the place itself
IDX_FOLDERS = {
    "mnist": ("MNIST/raw", "mnist", ""),
    "fashion-mnist": ("FashionMNIST/raw", "fashion-mnist", ""),
}
CIFAR_BATCHES = "cifar-10-batches-py"
NPZ_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


class DataError(Exception):
    """A data set that is missing or damaged: the message says what, where, and what to do."""


class Arrays(NamedTuple):
    """A set as read: images uint8 (N, C, H, W), labels int64 (N,)."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


Reader = Callable[[Path], tuple[Arrays, Path] | None]


def readers(name: str) -> tuple[Reader, ...]:
    """Return a set's readers: of its official files, then of `NAME.npz` as Keras writes it."""
    if name == "cifar10":
        return _read_cifar_batches, partial(_read_npz, file="cifar10.npz")
    official = partial(_read_idx_set, folders=IDX_FOLDERS[name])
    return official, partial(_read_npz, file=f"{name}.npz")


def looked_for(name: str) -> str:
    """Return which files the readers of a set look for, in words."""
    if name == "cifar10":
        return f"{CIFAR_BATCHES}/ or cifar10.npz"
    return f"{IDX_FOLDERS[name][0]}/*-ubyte (or .gz) or {name}.npz"


# idx: MNIST and its like


def _read_idx_set(place: Path, folders: tuple[str, ...]) -> tuple[Arrays, Path] | None:
    """Return the four idx files of the first folder that has any, plain or gzipped."""
    for folder in (place / below for below in folders):
        files = {file: _plain_or_gzipped(folder / file) for file in IDX_FILES}
        if any(files.values()):
            absent = [str(folder / file) for file, found in files.items() if found is None]
            if absent:
                raise DataError(
                    f"expected four idx files (.gz or not), but {', '.join(absent)} is not there"
                )
            return _arrays([read_idx(file) for file in files.values() if file], folder), folder
    return None


def _plain_or_gzipped(path: Path) -> Path | None:
    files = (path, path.with_name(f"{path.name}.gz"))
    return next((file for file in files if file.is_file()), None)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return one idx file of unsigned bytes, plain or gzipped, in the shape of its header.

    Layout: two zero bytes, the type (8 is unsigned byte), the number of dimensions, each dimension
    as a big-endian 32-bit number, then the bytes (LeCun, Cortes and Burges, *The MNIST database*).

    Raises:
        DataError: the header is not of that kind, or the file is shorter or longer than it says.
    """
    content = _unpacked(path)
    shape, header = _idx_shape(content, path)
    expected, came = math.prod(shape), len(content) - header
    if came != expected:
        problem = "is truncated" if came < expected else "is too long"
        raise DataError(
            f"{path} {problem}: expected {expected:,} bytes after its header, got {came:,}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _idx_shape(content: bytes, path: Path) -> tuple[tuple[int, ...], int]:
    """Return the shape that an idx header gives, and the header's length."""
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError(
            f"{path} is no idx file of unsigned bytes: expected it to start 00 00 08, "
            f"got {content[:3].hex(' ')}"
        )
    dimensions = content[3]
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise DataError(
            f"{path} is truncated: expected a header of {header} bytes, got {len(content)}"
        )
    return tuple(np.frombuffer(content, ">u4", dimensions, offset=4).tolist()), header


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is no whole gzip file: {error}") from error


# npz: Keras


def _read_npz(place: Path, file: str) -> tuple[Arrays, Path] | None:
    """Return a set in the layout of Keras' `mnist.npz`.

    Images are (N, H, W) or (N, H, W, C), labels (N,) or (N, 1).
    """
    path = place / file
    if not path.is_file():
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            parts = [stored[name] for name in NPZ_ARRAYS]
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        wanted = ", ".join(NPZ_ARRAYS)
        raise DataError(f"{path} is no npz file of the arrays {wanted}: {error}") from error
    return _arrays(parts, path), path


# Pickled batches: CIFAR-10


def _read_cifar_batches(place: Path) -> tuple[Arrays, Path] | None:
    """Return torchvision's pickled batches, by its own reader.

    It looks at their checksums before it unpickles.
    """
    folder = place if place.name == CIFAR_BATCHES else place / CIFAR_BATCHES
    if not any(folder.glob("*_batch*")):
        return None
    from torchvision.datasets import CIFAR10

    try:
        train, test = (CIFAR10(folder.parent, train=part, download=False) for part in (True, False))
    except RuntimeError as error:
        wrong = ", ".join(_wrong_batches(folder))
        raise DataError(
            f"expected the published MD5 checksums, but {wrong} is missing or differs"
        ) from error
    return _arrays([train.data, train.targets, test.data, test.targets], folder), folder


def _wrong_batches(folder: Path) -> list[str]:
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    labels = (CIFAR10.meta["filename"], CIFAR10.meta["md5"])
    checksums = [*CIFAR10.train_list, *CIFAR10.test_list, labels]
    return [
        str(folder / file) for file, md5 in checksums if not check_integrity(folder / file, md5)
    ]


# Our shapes and types


def _arrays(parts: Sequence[object], path: Path) -> Arrays:
    """Return images and labels to train on, then those to test on, in our shapes and types."""
    return Arrays(*_pair(parts[0], parts[1], path), *_pair(parts[2], parts[3], path))


def _pair(
    images: object, labels: object, path: Path
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    ours = _channels_first(np.asarray(images), path), _flat_labels(np.asarray(labels), path)
    if len(ours[0]) != len(ours[1]):
        raise DataError(f"{path} holds {len(ours[0]):,} images but {len(ours[1]):,} labels of them")
    return ours


def _flat_labels(labels: NDArray[np.generic], path: Path) -> NDArray[np.int64]:
    whole = np.issubdtype(labels.dtype, np.integer)
    if not whole or (labels.size and not 0 <= labels.min() <= labels.max() <= 255):
        raise DataError(
            f"{path} holds labels of type {labels.dtype}: expected whole numbers from 0 to 255"
        )
    return labels.reshape(-1).astype(np.int64)  # (N,) or (N, 1) -> (N,)


def _channels_first(images: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        came = f"{images.dtype} {images.shape}"
        raise DataError(
            f"{path} holds images {came}: expected uint8 of shape (N, H, W) or (N, H, W, C)"
        )
    if images.ndim == 3:
        return images[:, np.newaxis]  # (N, H, W) -> (N, 1, H, W)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))  # (N, H, W, C) -> (N, C, H, W)
