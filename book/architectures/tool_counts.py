"""`python -m book.architectures.tool_counts`: what other tools count, asked of the tools.

Each runs on every network and small case of `book.architectures.counted`, in a process of its own:
they patch torch, and in one process break each other. The totals are stored beside the chapter,
with the tools' versions. The tools come with the `bench` extra; reading what was stored needs none.
"""

import contextlib
import io
import json
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from book.architectures.counted import CASES, NETWORKS, SHAPE, Shape
from book.builder import trace
from models.files import write_atomically

STORED = Path(__file__).with_suffix(".json")
MODULE = "book.architectures.tool_counts"


class CountsError(Exception):
    """Stored counts that cannot be read, or a tool that is not there: the message is for users."""


class Answers(BaseModel):
    """A tool's totals by network and by case, and the parameters that it reports of the cases.

    None where it has no such network, or gives up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: dict[str, int | None]
    cases: dict[str, int | None] = {}
    parameters: dict[str, int] = {}


class Counts(BaseModel):
    """What all tools answered, on an input of `shape`, and in which versions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: str
    python: str
    versions: dict[str, str]
    shape: Shape
    tools: dict[str, Answers]


Counted = tuple[int, int | None]
"""Operations in the tool's own unit, and parameters where it reports them."""


def _torchinfo(module: nn.Module, shape: Shape) -> Counted:
    import torchinfo

    found = torchinfo.summary(module, (1, *shape), verbose=0)
    return found.total_mult_adds, found.total_params


def _fvcore(module: nn.Module, shape: Shape) -> Counted:
    from fvcore.nn import FlopCountAnalysis

    logging.getLogger("fvcore").setLevel(logging.CRITICAL)
    counter = FlopCountAnalysis(module, torch.zeros(1, *shape))
    return counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total(), None


def _ptflops(module: nn.Module, shape: Shape) -> Counted:
    import ptflops

    options = {"as_strings": False, "print_per_layer_stat": False, "backend": "pytorch"}
    macs, parameters = ptflops.get_model_complexity_info(module, shape, **options)
    return macs, parameters


def _thop(module: nn.Module, shape: Shape) -> Counted:
    import thop

    macs, parameters = thop.profile(module, (torch.zeros(1, *shape),), verbose=False)
    return macs, parameters


def _calflops(module: nn.Module, shape: Shape) -> Counted:
    import calflops

    options = {"output_as_string": False, "print_results": False, "print_detailed": False}
    _, macs, parameters = calflops.calculate_flops(module, (1, *shape), **options)
    return macs, parameters


def _torchlens(module: nn.Module, shape: Shape) -> Counted:
    import torchlens

    return int(torchlens.trace(module, torch.zeros(1, *shape)).total_macs_forward), None


def _torch(module: nn.Module, shape: Shape) -> Counted:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module.to("meta")(torch.zeros(1, *shape, device="meta"))
    return counter.get_total_flops(), None


@dataclass(frozen=True)
class Tool:
    """A tool: the package that must be there, and how it is asked."""

    package: str
    count: Callable[[nn.Module, Shape], Counted]


TOOLS: Mapping[str, Tool] = {
    "torch": Tool("torch", _torch),
    "torchinfo": Tool("torchinfo", _torchinfo),
    "fvcore": Tool("fvcore", _fvcore),
    "ptflops": Tool("ptflops", _ptflops),
    "thop": Tool("thop", _thop),
    "calflops": Tool("calflops", _calflops),
    "torchlens": Tool("torchlens", _torchlens),
}
"""Tools that read a torch module, in the order of the chapter's columns."""

KERAS: Mapping[str, str] = {
    "vgg19": "VGG19",
    "resnet50": "ResNet50",
    "mobilenet_v3_large": "MobileNetV3Large",
    "efficientnet_b0": "EfficientNetB0",
    "convnext_tiny": "ConvNeXtTiny",
}
"""The same networks in `keras.applications`, where it has them."""

PACKAGES = (*(tool.package for tool in TOOLS.values()), "keras")


def keras_parameters(name: str) -> int | None:
    """Return the total of a Keras summary of its own version of a network."""
    if name not in KERAS:
        return None
    os.environ.setdefault("KERAS_BACKEND", "torch")
    from keras import applications

    total: int = getattr(applications, KERAS[name])(weights=None).count_params()
    return total


def ask(name: str) -> Answers:
    """Ask a tool about everything, in this process, each time with a module of its own."""
    if name == "keras":
        return Answers(networks={one.name: keras_parameters(one.name) for one in NETWORKS})
    tool = TOOLS[name]
    networks = {one.name: _asked(tool, one.build(), SHAPE)[0] for one in NETWORKS}
    found = {case.title: _asked(tool, case.build().eval(), case.shape) for case in CASES}
    return Answers(
        networks=networks,
        cases={title: operations for title, (operations, _) in found.items()},
        parameters={title: held for title, (_, held) in found.items() if held is not None},
    )


def _asked(tool: Tool, module: nn.Module, shape: Shape) -> tuple[int | None, int | None]:
    try:
        operations, parameters = tool.count(module, shape)
    except Exception as error:
        print(f"{tool.package}: {type(error).__name__}: {error}", file=sys.stderr)
        return None, None
    return int(operations), None if parameters is None else int(parameters)


def asked_alone(name: str) -> Answers:
    """Ask a tool in a process of its own.

    Raises:
        CountsError: If that process failed.
    """
    print(name, file=sys.stderr)
    command = [sys.executable, "-W", "ignore", "-m", MODULE, name]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise CountsError(f"{name} failed; what it said stands above")
    return Answers.model_validate_json(ended.stdout.splitlines()[-1])


def ask_all() -> Counts:
    """Ask every tool.

    Raises:
        CountsError: If a tool is not installed.
    """
    if absent := [package for package in PACKAGES if find_spec(package) is None]:
        raise CountsError(
            f"not installed: {', '.join(absent)}; `make bench` or pip install '.[bench]' brings all"
        )
    return Counts(
        date=date.today().isoformat(),
        python=platform.python_version(),
        versions={package: version(package) for package in ("torchvision", *PACKAGES)},
        shape=SHAPE,
        tools={name: asked_alone(name) for name in (*TOOLS, "keras")},
    )


def read(path: Path = STORED) -> Counts:
    """Read stored counts; in a notebook, they become a part of what the chapter depends on.

    Raises:
        CountsError: If they are missing or damaged.
    """
    trace.show_files(path)
    try:
        return Counts.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CountsError(
            f"cannot read {path}: {error}; `python -m book.architectures.tool_counts` writes it"
        ) from None


def write(counts: Counts, path: Path = STORED) -> None:
    """Write strict JSON, whole or not at all."""
    content = json.dumps(counts.model_dump(), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{content}\n".encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask all tools and store what they say, or print what one says; return the exit status."""
    names = sys.argv[1:] if arguments is None else arguments
    if names and (len(names) > 1 or names[0] not in (*TOOLS, "keras")):
        print(f"python -m {MODULE}: error: at most one of {', '.join(TOOLS)}, keras",
              file=sys.stderr)  # fmt: skip
        return 2
    try:
        if names:
            with contextlib.redirect_stdout(io.StringIO()):
                answers = ask(names[0])
            print(answers.model_dump_json())
        else:
            write(ask_all())
            print(f"stored in {STORED}", file=sys.stderr)
    except CountsError as error:
        print(f"python -m {MODULE}: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
