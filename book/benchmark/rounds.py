"""Contenders measured in turn, each in a process of its own, on the same data and cores."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

import analysis
from book.benchmark.contest import TORCHVISION, VARIANTS, Measured, Sizes
from book.benchmark.result import Result
from book.benchmark.verdicts import summarise, unit
from book.report.methods import BATCH_NORM
from models.data.layouts import IDX_FILES, DataError

PACKAGES = Path(__file__).resolve().parents[2]  # the folder of book, models and analysis
OPTIONAL = (  # left out where it does not run
    *("tutorial, compiled", "keras, joined", "keras, jit", "keras, bf16", "keras, bf16 jit"),
    *("keras, MiniGoogLeNet", "jax"),
)
DEFAULTS = (  # each contender takes its own
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
    *("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "CONVBOOK_WORKERS", "CONVBOOK_CLUSTER"),
)

SELDOM = ("effects",)  # measured in every other round, from the first on: no target hangs on it

Raw = dict[str, dict[str, list[Measured]]]  # measurement, contender, round


class BenchmarkError(Exception):
    """A contender failed, or did not do the same work: the message is for the user."""


def run(
    contenders: Mapping[str, Sequence[str]], rounds: int, sizes: Sizes, *, quick: bool = False
) -> Result:
    """Measure all contenders in turn, round after round.

    Raises:
        BenchmarkError: A contender failed, or trained a network of another size than `analysis`
            derives.
        DataError: The data are missing or damaged.
    """
    raw: Raw = {
        measurement: {name: [] for name in names} for measurement, names in contenders.items()
    }
    with prepared(sizes, raw) as (environment, sizes):
        for number in range(1, rounds + 1):
            for measurement, names in raw.items():
                if measurement in SELDOM and number % 2 == 0:
                    continue
                for name in list(names):
                    _run_once(
                        raw, measurement, name, sizes, environment, f"round {number}/{rounds}"
                    )
    left_out = [
        f"{measurement}: {name}"
        for measurement, names in contenders.items()
        for name in names
        if name not in raw[measurement]
    ]
    return summarise(raw, rounds, sizes, quick=quick).model_copy(
        update={"left_out": tuple(left_out)}
    )


@contextmanager
def prepared(sizes: Sizes, raw: Raw) -> Iterator[tuple[dict[str, str], Sizes]]:
    """Prepare the processes' environment.

    Data for all in torchvision's layout, no records, no GPU, default threads.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        if raw.keys() - {"minigooglenet"}:
            write_torchvision(sizes.lenet_data, Path(folder, "data"))
        if raw.keys() & {"minigooglenet", "load"}:
            try:
                write_torchvision(sizes.googlenet_data, Path(folder, "data"))
            except DataError:
                sizes = replace(sizes, googlenet_data="mnist")
                write_torchvision(sizes.googlenet_data, Path(folder, "data"))
        path = os.pathsep.join([str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
        quiet = {
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "KERAS_BACKEND": "tensorflow",
            "CUDA_VISIBLE_DEVICES": "",
            "JAX_PLATFORMS": "cpu",
        }
        ours = {
            "CONVBOOK_DATA": f"{folder}/data",
            "CONVBOOK_RUNS": f"{folder}/none",
            "PYTHONPATH": path,
            "TORCHINDUCTOR_CACHE_DIR": f"{folder}/compiled",  # what a round compiles, the next has
        }
        kept = {name: value for name, value in os.environ.items() if name not in DEFAULTS}
        yield kept | quiet | ours, sizes


def write_torchvision(name: str, folder: Path) -> None:
    """Write the data set's files below `folder`, as torchvision's own classes read them.

    The set is taken from wherever ours finds it.

    Raises:
        DataError: It is missing or damaged.
    """
    from models.data.loading import load

    dataset = load(name)
    parts = (
        dataset.train_images[:, 0],
        dataset.train_labels,
        dataset.test_images[:, 0],
        dataset.test_labels,
    )
    raw = folder / TORCHVISION[name] / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for file, part in zip(IDX_FILES, parts, strict=True):
        header = bytes([0, 0, 8, part.ndim]) + np.array(part.shape, dtype=">u4").tobytes()
        (raw / file).write_bytes(header + part.numpy().astype(np.uint8).tobytes())


def _run_once(
    raw: Raw, measurement: str, name: str, sizes: Sizes, environment: dict[str, str], when: str
) -> None:
    """Run one contender once, and keep what it measured."""
    try:
        measured = contend(measurement, name, sizes, environment)
    except BenchmarkError as error:
        if name not in OPTIONAL:
            raise
        del raw[measurement][name]
        print(f"{when}  {measurement}: {name} left out: {error}", file=sys.stderr)
        return
    raw[measurement][name].append(measured)
    value = f"{measured['value']:,.1f} {unit(measurement)}" if measurement != "effects" else "done"
    print(f"{when}  {measurement}: {name}  {value}", file=sys.stderr, flush=True)


def contend(measurement: str, name: str, sizes: Sizes, environment: Mapping[str, str]) -> Measured:
    """Return what one contender measured.

    For the experiment, `value` is the wall time of its whole process, in seconds.

    Raises:
        BenchmarkError: It failed, or its networks have other parameter counts than `analysis`
            derives.
    """
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "book.benchmark.contenders",
        measurement,
        name,
        json.dumps(asdict(sizes)),
    ]
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as cache:
        started = time.perf_counter()
        fresh = {**environment, "CONVBOOK_CACHE": cache}
        if measurement == "effects":  # what compiling costs is one
            fresh["TORCHINDUCTOR_CACHE_DIR"] = cache
        ended = subprocess.run(command, env=fresh, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
    if ended.returncode:
        lines = ended.stderr.strip().splitlines() or ["it said nothing"]
        raise BenchmarkError(f"{measurement}: {name} failed (exit {ended.returncode}): {lines[-1]}")
    measured: Measured = json.loads(ended.stdout.strip().splitlines()[-1])
    check_parameters(name, measured.get("parameters", {}))
    return {"value": seconds, **measured}


def check_parameters(name: str, counts: Mapping[str, int]) -> None:
    """Compare a contender's parameter counts with those that `analysis` derives.

    Moving statistics are included.

    Raises:
        BenchmarkError: One differs: the networks are not the same.
    """
    for network, count in counts.items():
        expected = derived_parameters(network)
        if count != expected:
            raise BenchmarkError(
                f"{name}: expected {network} to have {expected:,} parameters, got {count:,}"
            )


def derived_parameters(network: str) -> Any:
    """Return Keras' total of a network.

    That is LeNet-5 with batch norm, MiniGoogLeNet, or one of the experiment's variants.

    >>> derived_parameters("lenet5")
    62610
    """
    if network == "minigooglenet":
        return analysis.minigooglenet().total.keras_parameters
    variant = VARIANTS[BATCH_NORM if network == "lenet5" else network]
    placement: Any = (
        "none" if not variant["norm"] else "input_and_hidden" if variant["input_norm"] else "hidden"
    )
    return analysis.lenet5(normalization=placement).total.keras_parameters
