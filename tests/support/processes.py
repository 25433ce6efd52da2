"""Processes that a test waits for, and kills."""

import signal
import subprocess
import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.005)


def kill(process: subprocess.Popen, when: Callable[[], object]) -> None:
    """Kill a process as soon as that is so."""
    wait_for(when)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
