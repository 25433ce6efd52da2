"""The command line of `analysis`: reads arguments, prints what the package derives.

No logic here: `analysis.command` has it.
"""

import io
import os
import shutil
import sys
from collections.abc import Sequence

from analysis.command import written
from analysis.command.answer import answer
from analysis.command.arguments import parse
from analysis.command.request import request
from analysis.errors import AnalysisError


def main(argv: Sequence[str] | None = None) -> int:
    """Print the derivation; exit status 0, or 2 for a request that cannot be met."""
    flags = parse(sys.argv[1:] if argv is None else argv)
    try:
        width = _width() if flags.width is None else written.count("width", flags.width, 1)
        print(answer(request(flags), width))
    except AnalysisError as error:
        print(f"analysis: {error}", file=sys.stderr)
        return 2
    return 0


def _width() -> int | None:
    """Return the terminal's width; None where the answer goes to a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a question mark where × or ⌊ cannot be written
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
