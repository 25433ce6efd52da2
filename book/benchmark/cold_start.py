"""How long someone waits for a first small training: a fresh process, nothing kept from before."""

import os
import re
import subprocess
import sys
import tempfile
import time

from book.benchmark.contest import Measured, Sizes

COMMAND = ("-m", "models", "train", "--network", "lenet5", "--dataset", "mnist5k", "--epochs", "1")
IMPORTED = re.compile(r"import time: +(\d+) \|", re.MULTILINE)  # µs of a module by itself


def measure(sizes: Sizes) -> Measured:
    """Measure a training from the start of its process to its end, in seconds.

    `imports` is what importing takes of a second one that Python times (`-X importtime`), `floor`
    the seconds of a process that does nothing but import torch.
    """
    _train()  # what a first use leaves on the disk, such as compiled modules, is there from then on
    seconds, _ = _train()
    timed, report = _train("-X", "importtime")
    imports = sum(map(int, IMPORTED.findall(report))) / 1e6
    return {"value": seconds, "imports": imports / timed, "floor": _import_torch()}


def _import_torch() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started


def _train(*options: str) -> tuple[float, str]:
    """Train with a fresh cache; return the seconds of wall time, and what stderr says."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as cache:
        started = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, *options, *COMMAND],
            env={**os.environ, "CONVBOOK_CACHE": cache},
            capture_output=True,
            text=True,
            check=True,
        )
        return time.perf_counter() - started, ended.stderr
