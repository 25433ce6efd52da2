"""`python -m book`: build, preview, status, graph, new, run, publish, verify and certify."""

import sys
from collections.abc import Sequence

INTERRUPTED = 130  # what a shell reports after Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 1 for a failure, 2 for a mistake."""
    try:
        from book.commands import command_line  # takes a while, in which one may be interrupted

        return command_line.run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        print("python -m book: error: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
