"""How many chapters a build executes side by side."""

import os

from models.settings import Settings


def workers() -> int:
    """Return the number that `CONVBOOK_WORKERS` says, else that of the cores it may use.

    Raises:
        SettingError: The variable holds no number.
    """
    chosen = Settings.from_environment().workers
    if chosen:
        return chosen
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
