"""The seconds that training takes, without those of what is measured meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Runs from the moment it is made, on top of `seconds` from before."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._started = time.perf_counter() - seconds

    @property
    def seconds(self) -> float:
        """The time that it has run."""
        return time.perf_counter() - self._started

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stand still inside."""
        paused = time.perf_counter()
        yield
        self._started += time.perf_counter() - paused
