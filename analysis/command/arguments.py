"""The flags of the command line, and its help."""

import argparse
import json
from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import Any, NoReturn, get_args

from analysis.counting import COUNTINGS
from analysis.documents import SCHEMA
from analysis.footprint import BYTES, STATES
from analysis.networks import NETWORKS
from analysis.tables import Format

DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32")
"""torch's names of types that an input may have."""

DESCRIPTION = """\
Derive a network, layer by layer: output, activations, weights, biases, moving
statistics (buffers), MACs and receptive field, exactly.

MACs are multiply-accumulates of convolutions and matrix products only;
FLOPs = 2 x MACs. Activations count every row, the input's included.

NETWORK is a built-in network (see below), torchvision:MODEL, or
path/to/file.py:FACTORY: that runs the file, and FACTORY in it, which must
return a torch.nn.Module. A module is read by running it once without numbers
(on the meta device): --input is the size to read it at, --closed-form gives
its formulas in B, H and W."""


def _epilog() -> str:
    listed = "\n  ".join(wrap(", ".join(NETWORKS), 76, break_on_hyphens=False))
    return f"""\
built-in networks:
  {listed}

examples:
  python -m analysis alexnet --show-calculation
  python -m analysis vgg19 --input 256x256x3 --format json
  python -m analysis vgg19 --batch 64 --memory training --optimizer momentum
  python -m analysis inception-reduced -p reduce_3x3 32
  python -m analysis lenet5 --closed-form
  python -m analysis torchvision:resnet50 --depth 1 --convention fvcore
  python -m analysis my_net.py:make --input 32x32x3
  python -m analysis my_net.py:encoder --input 128 --dtype int64
  python -m analysis my_net.py:captions --input 224x224x3 --input 20x64
  python -m analysis torchvision:r3d_18 --input 16x112x112x3
  python -m analysis --diff vgg16 vgg19"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"analysis: {message} (see python -m analysis --help)\n")


class _Schema(argparse.Action):
    """Print the schema of `--format json` and leave, as `--help` does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(json.dumps(SCHEMA, indent=2))
        parser.exit()


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the arguments; leave with status 2 and one line for one that is none."""
    joined = list(argv)
    for place, (flag, value) in enumerate(pairwise(argv)):
        if flag == "--input" and value[:1] == "-" and value[1:2].isdigit():
            joined[place : place + 2] = [f"--input={value}"]  # no flag, whatever argparse thinks
    return parser().parse_args(joined)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    made = _Parser(
        "python -m analysis",
        description=DESCRIPTION,
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("network", metavar="NETWORK", nargs="?", help="what to derive")
    _add_sizes(made)
    _add_shown(made)
    _add_more(made)
    return made


def _add_sizes(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    add(
        "--input",
        metavar="HxWxC",
        action="append",
        help="height, width, channels (default: the published ones); for a module also "
        "LENGTHxCHANNELS, FEATURES or FRAMESxHxWxC; again for each further input of it",
    )
    add(
        "--dtype",
        choices=DTYPES,
        action="append",
        help="of a module's input (default: its own numbers'); int64 reads --input TOKENS as ids; "
        "again for each further input",
    )
    add("--batch", metavar="B", help="images in a batch (default: 1)")
    add(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a built-in network's own setting",
    )
    add(
        "--closed-form",
        action="store_true",
        help="derive in symbols B, H, W, C what is not given",
    )


def _add_shown(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    formats = [*get_args(Format), "json", "javascript"]
    add("--format", choices=formats, default="github", help="default: github; javascript: a "
        "function of B, H, W and C that gives what json does")  # fmt: skip
    add("--schema", nargs=0, action=_Schema, help="print the schema of --format json, and stop")
    add("--show-calculation", action="store_true", help="show how each number comes about")
    add("--depth", metavar="N", help="fold submodules: one row for all that share N names")
    add("--width", metavar="N", help="fold tables to N columns (default: the terminal's)")
    add("--diff", nargs=2, metavar=("A", "B"), help="compare two networks layer by layer")


def _add_more(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    add("--memory", choices=["training", "inference"], help="bytes, by what they are kept for")
    add("--optimizer", choices=[*STATES], help="for --memory training (default: adam)")
    add("--precision", choices=[*BYTES], help="for --memory (default: fp32)")
    add(
        "--convention",
        choices=[*COUNTINGS],
        help="the total as another tool counts it, and what it counts",
    )
