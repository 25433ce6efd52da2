"""Data that are missing or damaged, as a user of the command line meets them: what, where, and what
to do.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.data.layouts import IDX_FILES
from models.data.sources import SYSTEM_FOLDER

pytestmark = pytest.mark.usefixtures("own_folders", "no_network")

SECONDS = 60  # nearly all of it for a slow machine to load torch
WAYS = ("set CONVBOOK_DATA", "with a network", "mnist5k")


def train(folder: Path, dataset: str) -> subprocess.CompletedProcess[str]:
    """`python -m models train` where only `folder` may hold data."""
    started = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "models", "train", "--dataset", dataset, "--device", "cpu"],
        env={**os.environ, "CONVBOOK_DATA": str(folder / "data")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert time.perf_counter() - started < SECONDS
    return run


def write_mnist(raw: Path, kept: dict[str, int]) -> None:
    """Files with MNIST's headers; of those in `kept`, only so many bytes after the header."""
    raw.mkdir(parents=True)
    for name in IDX_FILES:
        count = 60_000 if name.startswith("train") else 10_000
        shape = (count, 28, 28) if "images" in name else (count,)
        header = bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in shape)
        size = count * (784 if "images" in name else 1)
        (raw / name).write_bytes(header + bytes(kept.get(name, size)))


@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
def test_missing_data_name_every_place_that_was_searched_and_the_ways_to_get_them(
    dataset, tmp_path
):
    (tmp_path / "data").mkdir()
    run = train(tmp_path, dataset)
    assert (run.returncode, run.stdout) == (2, "")
    assert f"the data set {dataset} was not found. Looked for" in run.stderr
    places = (
        tmp_path / "data",
        tmp_path / "cache" / "data",
        SYSTEM_FOLDER,
        f"{dataset}.npz",
        "download",
    )
    for part in (*places, *WAYS):
        assert str(part) in run.stderr
    assert "Traceback" not in run.stderr


def test_a_truncated_mnist_file_is_named_with_what_it_lacks(tmp_path):
    raw = tmp_path / "data" / "MNIST" / "raw"
    write_mnist(raw, kept={"train-images-idx3-ubyte": 47_039_000})
    run = train(tmp_path, "mnist")
    assert (run.returncode, run.stdout) == (2, "")
    damaged = raw / "train-images-idx3-ubyte"
    assert (
        f"{damaged} is truncated: expected 47,040,000 bytes after its header, got 47,039,000"
        in run.stderr
    )
    for way in ("Replace what is damaged", *WAYS):
        assert way in run.stderr
    assert "Traceback" not in run.stderr


def test_whole_files_of_other_images_are_not_taken_for_mnist(tmp_path):
    write_mnist(tmp_path / "data" / "MNIST" / "raw", kept={})
    run = train(tmp_path, "mnist")
    assert (run.returncode, run.stdout) == (2, "")
    assert "the data set mnist is damaged" in run.stderr
    assert "digest" in run.stderr
    assert "Traceback" not in run.stderr
