"""What follows from a benchmark's raw numbers: ratios round by round, targets reached, effects."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import analysis
from book.benchmark.contest import VARIANTS, Measured, Sizes
from book.benchmark.medians import Judged, Spread
from book.benchmark.result import (
    OURS,
    Contest,
    Effect,
    Load,
    Machine,
    Result,
    Start,
    contest,
    effect,
    share_of_core_time,
    share_of_rate,
)
from book.benchmark.under_load import CREWS

Raw = Mapping[str, Mapping[str, Sequence[Measured]]]  # measurement, contender, round

TARGETS: dict[str, dict[str, float]] = {
    "experiment": {"keras": 3.0, "keras, joined": 3.0},
    "lenet5": {"tutorial": 5.0},
    "minigooglenet": {
        "keras": 2.5,
        "tutorial": 2.0,
        "keras, bf16": 2.0,
        "keras, bf16 jit": 2.0,
    },
}
"""How many times as fast as its peers ours is to be."""

SHARE_TARGET = 0.75  # of the machine's bf16 matrix-product rate
LOAD_TARGET = 0.8  # of the fair share of the cores, beside busy processes
START_TARGET = 4.0  # seconds of a first small training, at most
IMPORTS_TARGET = 1 / 3  # of these, at most
CONTESTS = ("experiment", "lenet5", "minigooglenet")
UNITS = {"experiment": "s", "start": "s"}  # all else is in examples/s

LENET_STEP, GOOGLENET_STEP = "LeNet-5 step, one thread", "MiniGoogLeNet step, all threads"
BY_MODULE = "LeNet-5 step, one thread, module by module"
LAYER = "alone, one thread"
EFFECTS: dict[str, tuple[str, str, str]] = {
    "layer-tanh": ("tanh as a logistic function", "nn.Tanh", LAYER),
    "layer-pooling": ("pooling as sums of slices", "nn.AvgPool2d", LAYER),
    "layer-dropout": ("dropout from 16-bit numbers", "nn.Dropout", LAYER),
    "layer-input": ("input norm in the kernel", "norm, then convolution", LAYER),
    "step-tanh": ("tanh as a logistic function", "nn.Tanh", BY_MODULE),
    "step-pooling": ("pooling as sums of slices", "nn.AvgPool2d", BY_MODULE),
    "step-dropout": ("dropout from 16-bit numbers", "nn.Dropout", BY_MODULE),
    "step-input": ("input norm in the kernel", "norm, then convolution", BY_MODULE),
    "step-fused": ("stages in compiled loops", "module by module", LENET_STEP),
    "step-all": ("all of these", "torch's own layers", LENET_STEP),
    "step-memory": ("freed memory kept", "given back", LENET_STEP),
    "step-contiguous": ("channels first", "channels last", BY_MODULE),
    "googlenet-fused": ("batch norm and ReLU in one", "one by one", GOOGLENET_STEP),
    "googlenet-bf16": ("bf16", "fp32", GOOGLENET_STEP),
    "googlenet-layout": ("channels last", "channels first", GOOGLENET_STEP),
    "loading": ("images in memory", "DataLoader", "batch of 128"),
    "waiting-lenet5": ("threads that sleep", "that spin", "LeNet-5 step, all threads"),
    "waiting-minigooglenet": ("threads that sleep", "that spin", GOOGLENET_STEP),
    "compile": ("eager", "torch.compile", LENET_STEP),
    "tried-bf16": ("fp32", "bf16", LENET_STEP),
    "tried-fused": ("SGD over lists of tensors", "SGD in one kernel", LENET_STEP),
}
"""What is done, instead of what, and where it was measured."""

TRIED = ("compile", "tried-bf16", "tried-fused")
"""The effects of which the second side was tried and is not used."""


FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
PACKAGES = ("torch", "torchvision", "numpy", "tensorflow", "keras", "jax", "flax", "numba")


def unit(measurement: str) -> str:
    """Return a measurement's unit: seconds, of which less is better, or examples a second."""
    return UNITS.get(measurement, "examples/s")


def summarise(raw: Raw, rounds: int, sizes: Sizes, *, quick: bool) -> Result:
    """Return the result that the raw numbers of every round amount to."""
    contests = {name: _contest(name, raw[name], sizes) for name in raw if name in CONTESTS}
    machine = describe_machine()
    googlenet = raw.get("minigooglenet", {}).get(OURS, [])
    start = raw.get("start", {}).get(OURS, [])
    effects = raw.get("effects", {}).get(OURS, [])
    starts = [
        measured["compile_seconds"]
        for measured in effects
        if measured["compile_seconds"] is not None
    ]
    return Result(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        rounds=rounds,
        quick=quick,
        machine=machine,
        sizes=asdict(sizes),
        contests=contests,
        rates={
            kind: Spread.of([one["rates"][kind] for one in googlenet])
            for kind in ("fp32", "bf16")
            if googlenet
        },
        forward_flops=int(analysis.minigooglenet().total.flops),
        share=_share(googlenet) if googlenet else None,
        effects=_effects(effects),
        compile_seconds=Spread.of(starts) if starts else None,
        profiles=_profiles(effects),
        load={name: _load(name, rows, machine.cores) for name, rows in raw.get("load", {}).items()},
        start=_start(start) if start else None,
    )


def _contest(name: str, raw: Mapping[str, Sequence[Measured]], sizes: Sizes) -> Contest:
    values = {contender: [one["value"] for one in rounds] for contender, rounds in raw.items()}
    accuracies = {
        contender: [fmean(one["accuracies"]) for one in rounds]
        for contender, rounds in raw.items()
        if all("accuracies" in one for one in rounds)
    }
    return contest(title(name, sizes), unit(name), values, TARGETS.get(name, {}), accuracies)


def title(measurement: str, sizes: Sizes) -> str:
    """Say what is trained.

    >>> title("experiment", Sizes())
    'LeNet-5 on mnist: 4 variants × 1 seed × 2 epochs, whole process'
    """
    if measurement == "experiment":
        times = f"{sizes.seeds} seed{'s' * (sizes.seeds > 1)} × {sizes.epochs} epochs"
        work = f"{len(VARIANTS)} variants × {times}"
        return f"LeNet-5 on {sizes.lenet_data}: {work}, whole process"
    if measurement == "lenet5":
        return f"LeNet-5 with batch norm on {sizes.lenet_data}, training"
    return f"MiniGoogLeNet on {sizes.googlenet_data}, training"


def _load(name: str, rounds: Sequence[Measured], cores: int) -> Load:
    shares = {
        others: Judged.against(
            [
                share_of_core_time(one["beside"][others], one["value"], cores, int(others))
                for one in rounds
            ],
            LOAD_TARGET if CREWS[name].contender == OURS else None,
        )
        for others in rounds[0]["beside"]
    }
    alone = Spread.of([one["value"] for one in rounds])
    return Load(
        title=CREWS[name].title, contender=CREWS[name].contender, alone=alone, shares=shares
    )


def _start(rounds: Sequence[Measured]) -> Start:
    seconds, imports = ([one[name] for one in rounds] for name in ("value", "imports"))
    return Start(
        seconds=Judged.against(seconds, START_TARGET, below=True),
        imports=Judged.against(imports, IMPORTS_TARGET, below=True),
        floor=Spread.of([one["floor"] for one in rounds]),
    )


def _share(googlenet: Sequence[Measured]) -> Judged:
    forward = int(analysis.minigooglenet().total.flops)
    shares = [share_of_rate(one["value"], forward, one["rates"]["bf16"]) for one in googlenet]
    return Judged.against(shares, SHARE_TARGET)


def _effects(rounds: Sequence[Measured]) -> dict[str, Effect]:
    """Return those effects that every round has measured."""
    return {
        name: effect(*words, *zip(*(one["pairs"][name] for one in rounds), strict=True))
        for name, words in EFFECTS.items()
        if rounds and all(name in one["pairs"] for one in rounds)
    }


def _profiles(rounds: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Return the mean share over the rounds of each operator, by network.

    It takes the operators that the first round found among the longest.
    """
    networks = rounds[0]["profiles"] if rounds else {}
    return {
        network: {
            name: fmean(one["profiles"][network].get(name, 0.0) for one in rounds)
            for name in shares
        }
        for network, shares in networks.items()
    }


# The machine


def describe_machine(packages: Iterable[str] = PACKAGES) -> Machine:
    """Describe this machine, as far as it matters to speed and may be published."""
    cpu = _cpuinfo()
    known = cpu.get("flags", "").split()
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    memory = (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    )
    return Machine(
        processor=cpu.get("model name") or platform.processor() or platform.machine(),
        cores=cores,
        memory=memory,
        flags=tuple(flag for flag in FLAGS if flag in known),
        system=f"{_system()} {platform.machine()}",
        versions={"Python": platform.python_version(), **_versions(packages)},
    )


def _cpuinfo() -> dict[str, str]:
    """Return the first processor's facts as Linux lists them; elsewhere nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _versions(packages: Iterable[str]) -> dict[str, str]:
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
