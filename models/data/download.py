"""torchvision's downloads, made safe: they fail fast without a network and arrive whole or not at
all.
"""

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

PROBE_SECONDS = 3.0  # how long a server may take to answer at all
SOCKET_SECONDS = 10.0  # how long it may then fall silent
# The folder that torchvision fills for each set
DOWNLOADED = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "cifar10": "cifar-10-batches-py"}


def download(name: str, folder: Path, probe_seconds: float = PROBE_SECONDS) -> None:
    """Download a set with torchvision (which verifies its checksums) into a folder, whole or not at
    all.

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
    urls = (
        [source.url]
        if name == "cifar10"
        else [f"{mirror}{source.resources[-1][0]}" for mirror in source.mirrors]
    )
    _probe(urls, probe_seconds)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as workshop,
        _silence_limited(),
    ):
        source(workshop, train=False, download=True)
        try:
            os.replace(Path(workshop) / DOWNLOADED[name], folder / DOWNLOADED[name])
        except OSError:  # another process may have been first: then its copy is as good as ours
            if not (folder / DOWNLOADED[name]).is_dir():
                raise


def _probe(urls: list[str], seconds: float) -> None:
    """Return when an address answers; in a thread, as looking up a name may outlast any socket's
    time limit.
    """
    answered = threading.Event()
    problems: list[str] = []

    def ask() -> None:
        for url in urls:
            try:
                urllib.request.urlopen(
                    urllib.request.Request(url, method="HEAD"), timeout=seconds
                ).close()
            except urllib.error.HTTPError:
                pass  # it refuses, but it is there
            except OSError as error:
                problems.append(f"{url}: {getattr(error, 'reason', error)}")
                continue
            answered.set()
            return

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    if not answered.is_set():
        raise OSError("; ".join(problems) or f"{urls[0]}: no answer within {seconds:g} s")


@contextmanager
def _silence_limited() -> Iterator[None]:
    """torchvision opens its connections without a time limit and prints to stdout: set one, and
    print to stderr.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SOCKET_SECONDS)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)
