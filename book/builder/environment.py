"""What the builder takes from the environment of its process; nothing else of it looks there."""

import os

from book.builder.errors import BookError

#: What stands for `_config.yml`'s options of the same names where it gives none.
PREFIX = "CONVBOOK_"
USED_RUNS = f"{PREFIX}USED_RUNS"  # which a build sets for its kernels: see `used_runs`


def option(name: str) -> str:
    """Return the value of `CONVBOOK_NAME`; empty where it is not set."""
    return os.environ.get(PREFIX + name.upper(), "")


def used_runs() -> str:
    """Return the file in which a build says what runs its chapters use; empty outside of one."""
    return os.environ.get(USED_RUNS, "")


def of_kernel(threads: int) -> dict[str, str]:
    """Return a kernel's environment: that of this process, but for the threads it may use."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def cores() -> int:
    """Return how many cores this process may use, no more than `OMP_NUM_THREADS` if it is set."""
    affinity = getattr(os, "sched_getaffinity", None)
    available = len(affinity(0)) if affinity else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return min(available, int(threads)) if threads.isdecimal() and int(threads) else available


def workers() -> int | None:
    """Return how many chapters may be executed side by side; None where nobody has chosen.

    Raises:
        BookError: `CONVBOOK_WORKERS` is no such number.
    """
    value = option("workers")
    if value and not (value.isdecimal() and int(value) >= 1):
        raise BookError(f"CONVBOOK_WORKERS: expected a whole number of at least 1, got {value!r}")
    return int(value) if value else None
