"""What each of our measures for speed brings: the same work with it and without, in turn.

The images are random.

LeNet's are taken on one thread, as LeNets are trained: one process a core.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from book.benchmark import tutorial, under_load
from book.benchmark.contest import GOOGLENET_BATCH, LENET_BATCH, LR, Sizes
from book.benchmark.plain_parts import PLAIN, watched, with_plain
from models.data.loading import load
from models.networks import kernels
from models.networks.build import build
from models.networks.layers import AffineConv2d, InputNorm
from models.runs.making import keep_freed_memory
from models.specs import RunSpec
from models.training.optimizers import SGD
from models.training.precision import computing

Call = Callable[[], object]
Pairs = dict[str, tuple[float, float]]  # an effect: seconds a call with it, and without

EVERYTHING = RunSpec(
    network="lenet5", norm="batch", input_norm="batch", dropout=0.5, input_dropout=0.2
)
PROFILED = 6  # operators of a profile
TURNS = 3  # of processes that take turns
GOOGLENET = RunSpec(network="minigooglenet", norm="batch", dropout=0.5)
WAITS = {
    "ours": {"OMP_WAIT_POLICY": "PASSIVE"},  # threads that wait for others sleep
    "other": {"GOMP_SPINCOUNT": "300000"},  # they try so often before they do: OpenMP's default
}


def measure(sizes: Sizes) -> dict[str, Any]:
    """Measure every effect, a compiled network's first step, and profiles.

    An effect is a pair of seconds; of the first step the seconds until it is done.
    """
    cores, seconds = torch.get_num_threads(), sizes.effect_seconds
    torch.set_num_threads(1)
    pairs = freed_memory(seconds) | layers(seconds) | steps(seconds) | loading(sizes)
    compile_seconds = None
    if sizes.compiled and (compiled := compiling(seconds)):
        pairs["compile"], compile_seconds = compiled
    profiles = {"LeNet-5": profile(stepper(build(EVERYTHING), LENET_BATCH))}
    torch.set_num_threads(cores)
    pairs |= precision_and_layout(2 * seconds) | waiting(sizes)
    googlenet = build(GOOGLENET).to(memory_format=torch.channels_last)
    profiles["MiniGoogLeNet"] = profile(stepper(googlenet, GOOGLENET_BATCH, "bf16"))
    return {"pairs": pairs, "compile_seconds": compile_seconds, "profiles": profiles}


def alternate(calls: Mapping[str, Call], seconds: float) -> dict[str, float]:
    """Return the median seconds of each call.

    They are called in turn, for so many seconds in all, after one round unmeasured.

    >>> sorted(alternate({"a": int, "b": str}, seconds=0.0))
    ['a', 'b']
    """
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while not all(times.values()) or time.perf_counter() < end:
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(row) for name, row in times.items()}


def _against_ours(calls: Mapping[str, Call], seconds: float) -> Pairs:
    """Return the median seconds of the call named "ours" beside those of every other."""
    medians = alternate(calls, seconds)
    return {name: (medians["ours"], other) for name, other in medians.items() if name != "ours"}


# Single layers, forward and backward


def layers(seconds: float) -> Pairs:
    """Compare our layers with torch's own, at the shape of LeNet's first layer."""
    shape, norm = (LENET_BATCH, 6, 28, 28), InputNorm("batch", (0.1,), (0.3,))
    ours = nn.Sequential(norm, AffineConv2d(norm.norm, 6, 5, 1, 2, bias=True))
    plain = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 6, 5, padding=2))
    image = torch.rand(LENET_BATCH, 1, 28, 28)
    modules: dict[str, tuple[nn.Module, nn.Module, Tensor]] = {
        "layer-tanh": (kernels.Tanh(), nn.Tanh(), torch.randn(shape, requires_grad=True)),
        "layer-pooling": (
            kernels.AveragePool2x2(2),
            nn.AvgPool2d(2),
            torch.randn(shape, requires_grad=True),
        ),
        "layer-dropout": (
            kernels.Dropout(0.5),
            nn.Dropout(0.5),
            torch.randn(shape, requires_grad=True),
        ),
        "layer-input": (ours, plain, image),
    }
    return {
        name: _pair(first, second, x, seconds / 4) for name, (first, second, x) in modules.items()
    }


def _pair(ours: nn.Module, other: nn.Module, x: Tensor, seconds: float) -> tuple[float, float]:
    medians = alternate(
        {"ours": lambda: _there_and_back(ours, x), "other": lambda: _there_and_back(other, x)},
        seconds,
    )
    return medians["ours"], medians["other"]


def _there_and_back(module: nn.Module, x: Tensor) -> None:
    y = module(x)
    y.backward(torch.ones_like(y))


# Whole steps of the optimizer


def stepper(
    network: nn.Module,
    batch: int,
    precision: str = "fp32",
    *,
    call: Callable[..., Any] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> Call:
    """Return a function that does one training step on the same random images.

    `call` stands for the network (compiled), `optimizer` by default is plain SGD.
    """
    images, labels = torch.rand(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    optimizer = optimizer or SGD(network.parameters(), lr=LR)
    network.train()

    def step() -> None:
        optimizer.zero_grad()
        with computing(precision, "cpu"):
            logits = (call or network)(images)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step


def steps(seconds: float) -> Pairs:
    """Compare a step of the LeNet that has everything with one that lacks a measure.

    Where a layer is replaced by torch's, the compiled loops stand aside on either side: they would
    do without both.
    """
    channels_last = build(EVERYTHING).to(memory_format=torch.channels_last)
    networks = {
        "ours": build(EVERYTHING),
        "layers": watched(build(EVERYTHING)),
        "step-all": watched(with_plain(build(EVERYTHING), *PLAIN)),
        **{f"step-{part}": watched(with_plain(build(EVERYTHING), part)) for part in PLAIN},
        "step-contiguous": watched(channels_last),
    }
    calls = {name: stepper(network, LENET_BATCH) for name, network in networks.items()}
    medians = alternate(calls | alternatives(), 4 * seconds)
    ours, layers = medians.pop("ours"), medians.pop("layers")
    whole = {"step-fused": (ours, layers), "step-all": (ours, medians.pop("step-all"))}
    return whole | {
        name: (layers if name.startswith("step") else ours, other)
        for name, other in medians.items()
    }


def alternatives() -> dict[str, Call]:
    """Return steps of the same LeNet with what was tried and is not used."""
    network = build(EVERYTHING)
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, fused=True)
    return {
        "tried-bf16": stepper(build(EVERYTHING), LENET_BATCH, "bf16"),
        "tried-fused": stepper(network, LENET_BATCH, optimizer=optimizer),
    }


def freed_memory(seconds: float) -> Pairs:
    """Compare a step before and after the C library is asked to keep freed memory.

    It can't be asked to forget that.
    """
    step = stepper(build(EVERYTHING), LENET_BATCH)
    without = alternate({"step": step}, seconds)["step"]
    keep_freed_memory()
    return {"step-memory": (alternate({"step": step}, seconds)["step"], without)}


def precision_and_layout(seconds: float) -> Pairs:
    """Compare bf16 with fp32, channels last with first, and norms with ReLU and without.

    All of MiniGoogLeNet, with all threads.
    """
    channels_last = {"memory_format": torch.channels_last}
    calls = {
        "ours": stepper(build(GOOGLENET).to(**channels_last), GOOGLENET_BATCH, "bf16"),
        "googlenet-fused": stepper(
            watched(build(GOOGLENET).to(**channels_last)), GOOGLENET_BATCH, "bf16"
        ),
        "googlenet-bf16": stepper(build(GOOGLENET).to(**channels_last), GOOGLENET_BATCH),
        "googlenet-layout": stepper(build(GOOGLENET), GOOGLENET_BATCH, "bf16"),
    }
    return _against_ours(calls, seconds)


def compiling(seconds: float) -> tuple[tuple[float, float], float] | None:
    """Compare an eager step with a compiled one, and time the first of those.

    Seconds a step of each, and seconds until the first is done; None where it can't compile.
    """
    network = build(EVERYTHING)
    compiled = stepper(network, LENET_BATCH, call=torch.compile(network))
    started = time.perf_counter()
    try:
        compiled()
    except RuntimeError:  # such as no C++ compiler
        return None
    start_up = time.perf_counter() - started
    medians = alternate(
        {"eager": stepper(build(EVERYTHING), LENET_BATCH), "compiled": compiled}, seconds
    )
    return (medians["eager"], medians["compiled"]), start_up


def profile(step: Call, count: int = 5) -> dict[str, float]:
    """Return the operators on which a step spends most of its time, with their shares of it.

    A share is an operator's own time alone.
    """
    step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        for _ in range(count):
            step()
    times = {
        event.key.removeprefix("aten::"): event.self_cpu_time_total
        for event in profiler.key_averages()
    }
    most = sorted(times, key=times.__getitem__, reverse=True)[:PROFILED]
    return {name: times[name] / sum(times.values()) for name in most}


def waiting(sizes: Sizes) -> Pairs:
    """Compare threads that sleep with threads that spin while they wait, with all threads.

    How they wait is read when torch is loaded, so each is a process of its own.
    """
    pairs = {}
    for network, batch in (("lenet5", LENET_BATCH), ("minigooglenet", GOOGLENET_BATCH)):
        with ExitStack() as stack:
            crews = {
                name: stack.enter_context(
                    under_load.workers(1, "convbook", network, sizes, variables)
                )
                for name, variables in WAITS.items()
            }
            rates: dict[str, list[float]] = {name: [] for name in crews}
            for _ in range(TURNS):
                for name, crew in crews.items():
                    rates[name].append(under_load.rate(crew, sizes.effect_seconds / TURNS))
        ours, other = (batch / statistics.median(rates[name]) for name in WAITS)
        pairs[f"waiting-{network}"] = (ours, other)
    return pairs


def loading(sizes: Sizes) -> Pairs:
    """Compare a batch out of memory with one out of a DataLoader over torchvision's images."""
    images = load(sizes.lenet_data).train_images
    batches = iter(tutorial.loader(sizes.lenet_data, LENET_BATCH))
    order = torch.randperm(len(images))[:LENET_BATCH]
    count = 20
    started = time.perf_counter()
    for _ in range(count):
        next(batches)
    other = (time.perf_counter() - started) / count
    medians = alternate(
        {"ours": lambda: images[order].to(torch.float32).div_(255)}, sizes.effect_seconds / 4
    )
    return {"loading": (medians["ours"], other)}
