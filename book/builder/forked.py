"""Kernels forked from a warm process, as the process that builds the book sees them (Linux)."""

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from book.builder.processes import MESSAGE, command


class WarmProcess:
    """The warm process (`book.builder.forge`)."""

    def __init__(
        self, root: Path, environment: Mapping[str, str], lifeline: int, words: Sequence[str]
    ) -> None:
        self.channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            descriptors = (other.fileno(), lifeline)
            self.process = subprocess.Popen(
                [*command("forge"), *map(str, descriptors), *words],
                cwd=root,
                env=dict(environment),
                pass_fds=descriptors,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
            )

    def fork(self, connection: str) -> "Forked":
        """Return a new kernel.

        Raises:
            ConnectionError: The process is gone.
        """
        self.channel.send(json.dumps(["fork", connection]).encode())
        message, descriptors, _, _ = socket.recv_fds(self.channel, MESSAGE, 1)
        if not message:
            raise ConnectionError
        return Forked(json.loads(message), descriptors[0], self)

    def bury(self, process: int) -> int:
        """Return the exit status of a kernel that has ended.

        Raises:
            ConnectionError: The process is gone.
        """
        self.channel.send(json.dumps(["bury", process]).encode())
        message = self.channel.recv(MESSAGE)
        if not message:
            raise ConnectionError
        return int(json.loads(message))

    def close(self) -> None:
        """Kill the process; its kernels live."""
        self.process.kill()
        self.process.wait()
        self.channel.close()


@dataclass(frozen=True)
class Forked:
    """A forked kernel: a process, a descriptor that can be read when it ends, and its origin."""

    process: int
    descriptor: int
    forge: WarmProcess

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Whether it ends before that many seconds are over."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(1000 * seconds))


class Provisioner(KernelProvisionerBase):
    """Gives a manager of jupyter_client a forked kernel."""

    def __init__(
        self,
        fork: Callable[[str], Forked],
        bury: Callable[[Forked], int | None],
        manager: Any,
    ) -> None:
        super().__init__(parent=manager)
        self.fork, self.bury, self.manager = fork, bury, manager
        self.forked: Forked | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel was forked and not buried."""
        return self.forked is not None

    @property
    def pid(self) -> int | None:
        """The kernel's process, which leads a group of its own."""
        return self.forked.process if self.forked else None

    async def pre_launch(self, **arguments: Any) -> dict[str, Any]:
        """Write the file that tells a kernel how to talk."""
        self.manager.write_connection_file()
        self.connection_info = self.manager.get_connection_info()
        return {**arguments, "cmd": []}

    async def launch_kernel(self, cmd: list[str], **arguments: Any) -> Any:
        """Fork the kernel."""
        self.forked = self.fork(self.manager.connection_file)
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while the kernel lives."""
        return 0 if self.forked is None or self.forked.has_ended() else None

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel and all that it started, unless they are gone."""
        if self.forked is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.forked.process, signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and all that it started, unless it has ended."""
        if await self.poll() is None:
            await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel to end."""
        await self.send_signal(signal.SIGTERM)

    async def wait(self) -> int | None:
        """Return the exit status of a kernel that ended or was killed."""
        if self.forked is None:
            return None
        while not self.forked.has_ended(seconds=0.002):
            await asyncio.sleep(0.002)
        forked, self.forked = self.forked, None
        return self.bury(forked)

    async def cleanup(self, restart: bool = False) -> None:
        """Do nothing: what there was is gone."""
