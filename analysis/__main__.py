"""The command line of `analysis`: read arguments, print what the package derives; no logic."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from analysis.errors import AnalysisError
from analysis.networks import NETWORKS, find, parse_input, parse_parameters
from analysis.notation import SYMBOLS
from analysis.tables import as_json, table

DESCRIPTION = """\
Derive a network, layer by layer: output, activations, weights, biases, moving
statistics (buffers), MACs and receptive field, exactly.

MACs are multiply-accumulates of convolutions and matrix products only;
FLOPs = 2 x MACs. Activations count every row, the input's included."""

EPILOG = f"""\
networks:
  {", ".join(list(NETWORKS)[:6])},
  {", ".join(list(NETWORKS)[6:])}

examples:
  python -m analysis alexnet --show-calculation
  python -m analysis vgg19 --input 256x256x3 --format json
  python -m analysis inception-reduced -p reduce_3x3 32
  python -m analysis lenet5 --closed-form"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"analysis: {message} (see python -m analysis --help)\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    arguments = _Parser(
        "python -m analysis",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument("network", metavar="NETWORK", help="a name from the list below")
    arguments.add_argument(
        "--input", metavar="HxWxC", help="height, width and channels (default: the published ones)"
    )
    arguments.add_argument("--batch", metavar="B", help="images in a batch (default: 1)")
    arguments.add_argument(
        "--format",
        choices=["github", "latex", "html", "json"],
        default="github",
        help="default: github",
    )
    arguments.add_argument(
        "--show-calculation", action="store_true", help="show how each number comes about"
    )
    arguments.add_argument(
        "--closed-form", action="store_true", help="derive in symbols B, H, W, C what is not given"
    )
    arguments.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a network's own setting",
    )
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Print the derivation; exit status 0, or 2 for a request that cannot be met."""
    asked = parser().parse_args(argv)
    try:
        settings = parse_parameters(
            asked.network, asked.parameter + ([("batch", asked.batch)] if asked.batch else [])
        )
        sizes = parse_input(asked.input) if asked.input is not None else {}
        symbols = SYMBOLS if asked.closed_form else {}
        derivation = find(asked.network)(**(symbols | settings | sizes))
    except AnalysisError as error:
        print(f"analysis: {error}", file=sys.stderr)
        return 2
    show = asked.show_calculation
    print(
        as_json(derivation, show)
        if asked.format == "json"
        else table(derivation, asked.format, show)
    )
    return 0


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="replace"
        )  # a terminal that cannot write × or ⌊ gets a question mark
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
