"""Processes of the builder's own: how one is started, and ended with all that it started."""

import contextlib
import os
import signal
import sys
from pathlib import Path

PACKAGE, _, BUILDER = __package__.partition(".")
PLACE = Path(__file__).resolve().parents[2]
MESSAGE = 65536  # bytes, at most, of one to the process that forks kernels or from it


def command(module: str) -> list[str]:
    """Return the start of a command that calls a module's `main` in a process of its own.

    The module is this builder's, wherever that lies; nothing else is found there.
    """
    code = (
        f"import sys; sys.path[0] = {str(PLACE)!r}; from {PACKAGE}.{BUILDER} import {module}; "
        f"del sys.path[0]; {module}.main()"
    )
    return [sys.executable, "-c", code]


def end_group(process: int) -> None:
    """Kill the leader of a process group with all that it started, unless they are gone."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process, signal.SIGKILL)
        else:
            os.kill(process, signal.SIGTERM)
