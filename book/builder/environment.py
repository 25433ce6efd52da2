"""What the builder takes from the environment of its process; nothing else of it looks there."""

import os

#: What stands for `_config.yml`'s options of the same names where it gives none.
PREFIX = "CONVBOOK_"


def option(name: str) -> str:
    """Return the value of `CONVBOOK_NAME`; empty where it is not set."""
    return os.environ.get(PREFIX + name.upper(), "")


def of_kernel(threads: int) -> dict[str, str]:
    """Return a kernel's environment: that of this process, but for the threads it may use."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
