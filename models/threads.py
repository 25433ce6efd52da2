"""How many threads torch computes with: as many as it was told, and numba does not change that."""

from __future__ import annotations

import numba
import torch


def use_threads(count: int | None = None) -> None:
    """Have torch compute with so many threads, by default with as many as it has.

    numba's pool of threads sets OpenMP's number to all cores when it starts, and torch has the same
    OpenMP. So the pool starts here, before torch is told. Else it starts within a training, with
    the first batch that is normalised in bf16, and trainings side by side take the cores from each
    other.
    """
    threads = count or torch.get_num_threads()
    numba.set_num_threads(1)  # any number starts the pool; each parallel loop sets its own
    torch.set_num_threads(threads)
