"""The process that executes a chapter's cells: IPython's kernel, and a witness of what they use.

It is forked from a warm process (`book.builder.forge`), or started as one of its own (`main`).
"""

import random
import sys
from typing import Any

from ipykernel.kernelapp import IPKernelApp

from book.builder import trace
from book.builder.processes import PACKAGE
from book.builder.witness import Witness

QUIET = ["--HistoryManager.hist_file=:memory:", "--log-level=CRITICAL"]


def serve(connection: str, witness: Witness) -> None:
    """Be the kernel that the file `connection` describes until it is shut down.

    What it finds is what a kernel started by Jupyter finds: the same arguments, and no module of
    this package before a cell imports one, be it from the book's own folder.
    """
    import ipykernel_launcher

    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    sys.argv = [str(ipykernel_launcher.__file__), "-f", connection, *QUIET]
    app: Any = IPKernelApp.instance()
    app.initialize()
    shell = app.shell

    def testify(line: str) -> None:
        trace.show(trace.SEEN, witness.testimony(map(str, shell.history_manager.input_hist_parsed)))

    shell.register_magic_function(testify, magic_name=trace.MAGIC)
    app.start()


def reseed() -> None:
    """Give a forked process random numbers of its own."""
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def main() -> None:
    """Be a kernel in a process of its own: arguments are its connection file and variables."""
    connection, *variables = sys.argv[1:]
    witness = Witness(variables)
    witness.watch()
    serve(connection, witness)
