"""torchvision's downloads, made safe: they fail fast without a network and arrive whole or not."""

import os
import socket
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

PROBE_SECONDS = 3.0  # how long a server may take to answer at all
SOCKET_SECONDS = 10.0  # how long it may then fall silent
# The folder that torchvision fills for each set
DOWNLOADED = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "cifar10": "cifar-10-batches-py"}


def download(name: str, folder: Path, probe_seconds: float = PROBE_SECONDS) -> None:
    """Download a set into a folder with torchvision, which verifies its checksums.

    It arrives whole or not at all.

    Raises:
        OSError: nothing answers within `probe_seconds`, or the connection breaks.
        RuntimeError: torchvision found what came damaged.
    """
    from torchvision import datasets

    source = {
        "mnist": datasets.MNIST,
        "fashion-mnist": datasets.FashionMNIST,
        "cifar10": datasets.CIFAR10,
    }[name]
    _probe(_addresses(source), probe_seconds)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as workshop,
        _within_limits(),
    ):
        source(workshop, train=False, download=True)
        _move(Path(workshop) / DOWNLOADED[name], folder / DOWNLOADED[name])


def _addresses(source: Any) -> list[str]:
    """Return where torchvision finds a set: the last file of each mirror, or its archive."""
    if hasattr(source, "mirrors"):
        return [f"{mirror}{source.resources[-1][0]}" for mirror in source.mirrors]
    return [source.url]


def _move(arrived: Path, goal: Path) -> None:
    try:
        os.replace(arrived, goal)
    except OSError:  # another process may have been first: then its copy is as good as ours
        if not goal.is_dir():
            raise


def _probe(urls: list[str], seconds: float) -> None:
    """Return when an address answers.

    In a thread, as looking up a name may outlast any socket's time limit.
    """
    answered = threading.Event()
    problems: list[str] = []

    def try_each() -> None:
        for url in urls:
            if problem := _problem(url, seconds):
                problems.append(problem)
            else:
                answered.set()
                return

    trying = threading.Thread(target=try_each, daemon=True)
    trying.start()
    trying.join(seconds)
    if not answered.is_set():
        raise OSError("; ".join(problems) or f"{urls[0]}: no answer within {seconds:g} s")


def _problem(url: str, seconds: float) -> str | None:
    """Return why an address does not answer; None when it does, if only to refuse."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=seconds).close()
    except urllib.error.HTTPError:
        return None
    except OSError as error:
        return f"{url}: {getattr(error, 'reason', error)}"
    return None


@contextmanager
def _within_limits() -> Iterator[None]:
    """Limit how long connections may be silent, and print to stderr instead of stdout.

    torchvision sets no such limit, and reports on stdout.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SOCKET_SECONDS)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)
