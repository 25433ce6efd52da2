"""A warm process that forks kernels: IPython and the book's libraries are loaded once a build.

It is told what to do through a socket, one message at a time, and answers each:

    ["fork", connection file]   a process, with a descriptor that tells of that process's end
    ["bury", process]           its exit status; all that it started is killed with it

When the socket closes, because the process that builds the book ended, all kernels are killed; each
also kills itself when its lifeline closes, in case this process was ended before.
"""

import contextlib
import gc
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
import traceback
import warnings
from pathlib import Path

from book.builder import kernel
from book.builder.processes import MESSAGE, PACKAGE, end_group
from book.builder.witness import Witness, own_modules

INLINE = "module://matplotlib_inline.backend_inline"


def main() -> None:
    """Serve the socket; the arguments are its descriptor, the lifeline's, libraries, variables."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    lifeline, libraries, variables = int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    witness = Witness(variables)
    witness.watch()
    preload(libraries.split())
    forget_own(witness.root)
    Forge(channel, lifeline, witness).serve()


def preload(libraries: list[str]) -> None:
    """Import libraries as they would be in a kernel, whose Matplotlib draws into the notebook."""
    os.environ.setdefault("MPLBACKEND", INLINE)
    for name in libraries:
        try:
            pkgutil.resolve_name(name)
        except Exception as error:  # the chapter that needs it will say more
            print(f"convbook_preload: {name}: {error}", file=sys.stderr, flush=True)
    gc.collect()
    gc.freeze()  # forked processes share what nobody collects


def forget_own(root: Path) -> None:
    """Have each kernel import the book's own modules itself: they may be edited meanwhile."""
    for name in own_modules(root):
        if name.partition(".")[0] != PACKAGE:  # which this process needs, and a kernel forgets
            del sys.modules[name]


class Forge:
    """What this process does: fork kernels, and bury them."""

    def __init__(self, channel: socket.socket, lifeline: int, witness: Witness) -> None:
        self.channel, self.lifeline, self.witness = channel, lifeline, witness
        self.alive: set[int] = set()

    def serve(self) -> None:
        """Do as told until the socket closes; then kill all kernels."""
        with contextlib.suppress(ConnectionError):
            while message := self.channel.recv(MESSAGE):
                task, value = json.loads(message)
                self.fork(value) if task == "fork" else self.bury(value)
        for process in self.alive:
            end_group(process)

    def fork(self, connection: str) -> None:
        """Fork a kernel, and answer with its process and a descriptor of that."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads, which numpy restarts after a fork
            process = os.fork()
        if process == 0:
            self.be_kernel(connection)
        lead_group(process)
        self.alive.add(process)
        descriptor = os.pidfd_open(process)
        socket.send_fds(self.channel, [json.dumps(process).encode()], [descriptor])
        os.close(descriptor)

    def be_kernel(self, connection: str) -> None:
        """Be a kernel, in a group of its own with what it starts, and never come back."""
        try:
            lead_group(0)
            self.channel.close()
            threading.Thread(target=end_with, args=[self.lifeline], daemon=True).start()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            kernel.reseed()
            kernel.serve(connection, self.witness)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
        os._exit(0)

    def bury(self, process: int) -> None:
        """Kill what a kernel started, and the kernel; answer with its exit status."""
        end_group(process)
        _, status = os.waitpid(process, 0)
        self.alive.discard(process)
        self.channel.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def lead_group(process: int) -> None:
    """Give a new process a group of its own; done by it and by its parent, whoever comes first."""
    with contextlib.suppress(OSError):
        os.setpgid(process, process)


def end_with(lifeline: int) -> None:
    """Wait until a pipe's other end is closed, and kill this process with all that it started."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)
