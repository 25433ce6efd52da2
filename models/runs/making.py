"""Making one record: train from the last checkpoint on, judge, and write down."""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from models import records
from models.data.loading import DataError, Dataset, load
from models.files import write_atomically
from models.fingerprint import code_fingerprint
from models.networks.build import count_parameters, learned_normalization
from models.progress import Progress
from models.records import Provenance, Record
from models.runs import checkpoints
from models.runs.bf16_note import note
from models.runs.store import Store
from models.specs import RunSpec, SpecError
from models.training import probes
from models.training.loop import Training
from models.training.schedules import batch_size_at

PACKAGES = ("convbook", "torch", "torchvision", "numpy", "numba", "safetensors")
# Instructions of matrix products in fewer bits, beside torch's own name for the processor's kind
FEATURES = ("avx512_bf16", "avx512_fp16", "avx512_vnni", "amx_tile", "amx_bf16", "amx_fp16")
# Sizes in bytes by the parameters of malloc.h: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD
MALLOC_SIZES = {-3: 32 << 20, -1: 1 << 30, -2: 128 << 20}


def make(spec: RunSpec, store: Store, progress: Progress, device: str | None = None) -> Record:
    """Train a run and write its weights and its record into the store's folder of runs.

    The caller holds the run's lock.

    Raises:
        DataError: The data are missing or damaged.
        SpecError: The device is not there, or the network cannot be built so.
    """
    device = available_device(device)
    keep_freed_memory()
    keep_threads(spec.precision)
    dataset = data_of(spec)
    training = Training(spec, dataset, device, progress)
    resumed = checkpoints.resume(training, store, progress)
    if spec.batch_size > len(training.train):
        progress.note(clipped(spec.batch_size, len(training.train)))
    if no_gain := note(spec.precision, device):
        progress.note(no_gain)
    progress.start(spec, resumed or 0)
    try:
        _train(training, store)
    finally:
        progress.close()
    record = to_record(training, dataset, resumed)
    _keep(record, training, store)
    return record


def _train(training: Training, store: Store) -> None:
    """Train to the end, with a checkpoint after each epoch and inside long ones."""
    if not probes.attach(training):  # a probe's state is in no snapshot: only whole epochs are kept
        training.snapshot = lambda: checkpoints.write(training, store)
        training.snapshot_seconds = checkpoints.SNAPSHOT_SECONDS
    for _ in training.epochs():
        if not training.diverged:
            checkpoints.write(training, store)


def _keep(record: Record, training: Training, store: Store) -> None:
    """Write the weights, then the record: whoever sees the record has the weights too."""
    tensors = training.network.state_dict().items()
    weights = save({name: tensor.cpu().contiguous() for name, tensor in tensors})
    write_atomically(store.weights_file(record.key), weights)
    records.write(record, store.runs)
    checkpoints.drop(record.key, store)


def data_of(spec: RunSpec) -> Dataset:
    """Return the data set that a spec names, with the content that it names.

    Raises:
        DataError: It is missing or damaged, or its content is another.
    """
    dataset = load(spec.dataset)
    if dataset.digest != spec.dataset_digest:
        raise DataError(
            f"{spec.dataset}: expected the digest {spec.dataset_digest}, got {dataset.digest}"
        )
    return dataset


def keep_freed_memory() -> None:
    """Ask the C library not to hand freed memory back after every layer, only to fetch it again.

    Page faults were a tenth of a small network's training time. Elsewhere than with glibc, nothing
    happens.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for parameter, size in MALLOC_SIZES.items():
            library.mallopt(parameter, size)


def keep_threads(precision: str) -> None:
    """Have numba start its threads before a training in bf16, whose loops use them, not within it.

    When they start, OpenMP's number of threads becomes that of all cores, and torch has the same
    OpenMP: a training that was told to take one thread would go on with all. Without numba, nothing
    happens.
    """
    if precision != "bf16":
        return
    try:
        import numba
    except (ImportError, RuntimeError):
        return
    threads = torch.get_num_threads()
    numba.set_num_threads(1)  # any number starts them; each loop sets its own
    torch.set_num_threads(threads)


def available_device(device: str | None) -> str:
    """Return the device that was asked for, by default the best one here.

    Raises:
        SpecError: It is not there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise SpecError("device: expected cpu, for torch finds no CUDA here, got cuda")
    return device or default_device()


def default_device() -> str:
    """Return `cuda` when there is one, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def clipped(batch_size: int, examples: int) -> str:
    """Return what is said of a batch larger than the training set."""
    return f"batch size {batch_size} clipped to the {examples} training examples"


def to_record(training: Training, dataset: Dataset, resumed: int | None = None) -> Record:
    """Return the record of a training that has ended."""
    spec = training.spec
    return Record(
        key=spec.key,
        spec=spec,
        diverged=training.diverged,
        history=tuple(training.history),
        parameters=records.short(learned_normalization(training.network)),
        diagnostics=records.strict(diagnostics(training) | probes.finished(training)),
        provenance=provenance(training, dataset.source_kind, resumed),
    )


def diagnostics(training: Training) -> dict[str, Any]:
    """Return what the finished network gives in eval mode, its sizes, and notes.

    `confusion[truth][answer]` is on the test set. The training set is judged on as many images as
    the test set has, drawn at random: all would cost a small network a quarter of an epoch, to
    learn what a tenth of the time tells as exactly as the test set does.
    """
    sample = training.train.sample(len(training.test))
    train, test = training.evaluate(sample), training.tested or training.evaluate(training.test)
    counted = count_parameters(training.network)
    batch_size = batch_size_at(training.spec, len(training.history), training.iteration - 1)
    examples = len(training.train)
    return {
        "train_loss": train.loss,
        "train_accuracy": train.accuracy,
        "train_examples": examples,
        "train_judged": len(sample),
        "test_loss": test.loss,
        "test_accuracy": test.accuracy,
        "confusion": test.confusion,
        "parameter_count": counted.total,
        "trainable_parameter_count": counted.trainable,
        "notes": [clipped(batch_size, examples)] if batch_size > examples else [],
    }


def provenance(training: Training, data_source: str, resumed: int | None) -> Provenance:
    """Return where, when and with what the training was done."""
    spec, seconds = training.spec, sum(training.epoch_seconds)
    versions: dict[str, str | None] = {name: version(name) for name in PACKAGES}
    undeclared: dict[str, Any] = {"processor_features": processor_features()}
    return Provenance(
        code_fingerprint=code_fingerprint(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        device=training.device.type,
        device_name=device_name(training.device),
        threads=torch.get_num_threads(),
        platform=f"{platform.system()} {platform.machine()}",
        versions=versions | {"python": platform.python_version()},
        data_source=data_source,
        seconds=seconds,
        epoch_seconds=tuple(training.epoch_seconds),
        examples_per_second=len(training.history) * spec.passes * len(training.train) / seconds,
        resumed_from_epoch=resumed,
        **undeclared,
    )


def version(package: str) -> str | None:
    """Return a package's version; None when it is not installed (convbook in a bare checkout)."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor_features() -> str:
    """Return by what torch chooses its kernels here, such as `AVX512 avx512_bf16 avx512_vnni`."""
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    there = [name for name in FEATURES if known.get(name)]
    return " ".join([torch.backends.cpu.get_cpu_capability(), *there])


def device_name(device: torch.device) -> str:
    """Return the processor's or the GPU's marketing name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines: Sequence[str] = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
