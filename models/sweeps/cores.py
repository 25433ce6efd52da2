"""How much of this machine a sweep takes: its cores, shared between worker processes."""

from __future__ import annotations

import multiprocessing
import sys

from models.settings import Settings


def available_cores(settings: Settings | None = None) -> int:
    """Return how many cores this process may use, no more than `OMP_NUM_THREADS` where it is set.

    1 where Dask is not installed: nothing can run side by side then.
    """
    try:
        import distributed  # noqa: F401 - whether it is there
        from dask.system import cpu_count
    except ModuleNotFoundError:
        return 1
    threads = (settings or Settings.from_environment()).threads
    return min(cpu_count(), threads or cpu_count())


def local_share(runs: int, settings: Settings) -> tuple[int, int]:
    """Return how many local workers so many runs get, and how many threads each."""
    if runs == 1 or settings.workers == 1:
        return 1, 1
    cores = available_cores(settings)
    workers = min(settings.workers or cores, runs)
    return workers, max(1, cores // workers)


def inside_a_worker() -> bool:
    """Return whether this is one of several processes that share the machine: Dask's or a pool's.

    Such a one must not start workers of its own.
    """
    if multiprocessing.current_process().daemon:
        return True
    if "distributed" not in sys.modules:  # no Dask worker does without it
        return False
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True
