"""The kernels of one build: forked from a warm process on Linux, a process each elsewhere.

None outlives the process that builds the book, and each dies with all that it started.
"""

import contextlib
import itertools
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any, Self

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from book.builder.forked import Forked, Provisioner, WarmProcess
from book.builder.processes import command, end_group

FORKS = sys.platform == "linux" and hasattr(os, "pidfd_open")
NAME = "python3"


@dataclass(frozen=True)
class Settings:
    """What the kernels of a build have in common."""

    root: Path  # their working directory
    environment: Mapping[str, str]
    preload: Sequence[str] = ()  # libraries that they share
    variables: Sequence[str] = ()  # patterns of the variables that are the book's own


class Kernels:
    """Starts kernels, from any thread, and kills them all at the end."""

    def __init__(self, settings: Settings, *, forks: bool = FORKS) -> None:
        self.settings = settings
        self.closed = False
        self.numbers = itertools.count()
        self.folder = Path(tempfile.mkdtemp(prefix="convbook-"))
        self.processes: set[int] = set()
        self.lock = threading.Lock()
        self.lifeline: tuple[int, ...] = os.pipe() if forks else ()
        self.forge = self._new_forge() if forks else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill all kernels with all that they started."""
        if self.closed:
            return
        self.closed = True
        for process in list(self.processes):
            end_group(process)
        for descriptor in self.lifeline:
            os.close(descriptor)
        if self.forge:
            self.forge.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def manager(self) -> AsyncKernelManager:
        """Return the manager of a kernel that is yet to be started."""
        name = self.folder / f"kernel-{next(self.numbers)}.json"
        manager = AsyncKernelManager(
            connection_file=str(name),
            transport="tcp" if sys.platform == "win32" else "ipc",  # no port is taken twice
            kernel_name=NAME,
            kernel_spec_manager=Specs(self.settings),
        )
        manager.client_factory = Client
        if self.forge:
            manager.provisioner = Provisioner(self.fork, self.bury, manager)
        return manager

    async def start(self, manager: AsyncKernelManager) -> None:
        """Start a manager's kernel."""
        environment = dict(self.settings.environment)
        await manager.start_kernel(cwd=str(self.settings.root), env=environment)
        self.processes.add(manager.provisioner.pid)  # type: ignore[union-attr]

    async def end(self, manager: AsyncKernelManager) -> int | None:
        """Kill a manager's kernel with all that it started; return its exit status if known.

        What it made is in files and messages by then, and libzmq may abort, loudly, in one that
        ends by itself.
        """
        status = None
        provisioner = manager.provisioner
        if provisioner is not None and provisioner.has_process:
            self.processes.discard(provisioner.pid)  # type: ignore[attr-defined]
            await provisioner.kill()
            status = await provisioner.wait()
        await manager.cleanup_resources()
        return status

    def fork(self, connection: str) -> Forked:
        """Fork a kernel; from another warm process where the one that there was is gone."""
        with self.lock:
            for _ in range(2):
                if self.forge and not self.closed:
                    with contextlib.suppress(ConnectionError):
                        return self.forge.fork(connection)
                    self.forge.close()
                    self.forge = self._new_forge()
        raise ChildProcessError("the process that forks kernels is gone")

    def bury(self, forked: Forked) -> int | None:
        """Kill what is left of a kernel; return its exit status where that is known."""
        with self.lock, contextlib.suppress(ConnectionError):
            end_group(forked.process)
            os.close(forked.descriptor)
            if self.forge is forked.forge:
                return forked.forge.bury(forked.process)
        return None

    def _new_forge(self) -> WarmProcess:
        settings = self.settings
        words = [" ".join(settings.preload), *settings.variables]
        return WarmProcess(settings.root, settings.environment, self.lifeline[0], words)


class Client(AsyncKernelClient):
    """jupyter_client's, without heartbeats (a process tells of its own end) or idle waiting.

    A kernel that is ready has told its `language`, as a notebook's metadata hold it.
    """

    language: Any = None

    def start_channels(self, *_: Any, **__: Any) -> None:
        """Open the channels that an execution needs."""
        super().start_channels(stdin=False, hb=False)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers, and what it prints arrives.

        Raises:
            RuntimeError: It died, or does not answer within so many seconds.
        """
        limit = monotonic() + (timeout or 60)
        while monotonic() < limit:
            self.kernel_info()
            with contextlib.suppress(Empty):
                reply = await self.get_shell_msg(timeout=1)
                await self.get_iopub_msg(timeout=0.2)
                self.language = reply["content"]["language_info"]
                return
            if not await self.is_alive():
                raise RuntimeError("the kernel died before it was ready")
        raise RuntimeError(f"the kernel was not ready within {timeout:.0f} s")


class Specs(KernelSpecManager):
    """Knows how to start a kernel in a process of its own, whatever Jupyter has installed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.variables = settings.variables

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return that specification."""
        argv = [*command("kernel"), "{connection_file}", *self.variables]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")
