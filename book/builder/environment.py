"""What the builder takes from the environment of its process; nothing else of it looks there."""

import os


def profile() -> str:
    """Return the name of the parameter set that a build uses where its configuration names none."""
    return os.environ.get("CONVBOOK_PROFILE", "")


def of_kernel(threads: int) -> dict[str, str]:
    """Return a kernel's environment: that of this process, but for the threads it may use."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
