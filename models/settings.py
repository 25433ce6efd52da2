"""What this process's environment says: the only module of `models` that reads it.

    CONVBOOK_DATA     the folder that is searched for data sets first
    CONVBOOK_CACHE    the user's own runs, checkpoints and data
    CONVBOOK_RUNS     the published records
    CONVBOOK_CLUSTER  the Dask scheduler that a sweep goes to
    CONVBOOK_WORKERS  the number of processes that train side by side on this machine
    OMP_NUM_THREADS   no more than so many cores

A variable that is empty counts as not set. OpenMP itself reads `OMP_WAIT_POLICY`, which importing
`models` sets to `passive` where it is not set.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: The entry points by which an installed book declares its folder of published records.
PUBLISHED_GROUP = "convbook.published"


class SettingError(Exception):
    """A variable of the environment with a value that it cannot have."""


@dataclass(frozen=True)
class Settings:
    """Folders, all absolute and perhaps not there yet, and what a sweep may use.

    `data`, `published`, `cluster`, `workers` and `threads` are None where nobody has chosen.
    """

    cache: Path
    data: Path | None = None
    published: Path | None = None
    cluster: str | None = None
    workers: int | None = None
    threads: int | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings of an environment, by default this process's as it is now.

        Raises:
            SettingError: A variable has an impossible value; the message is one line.
        """
        data, published = (environment.get(f"CONVBOOK_{name}") for name in ("DATA", "RUNS"))
        return cls(
            cache=cache_folder(environment),
            data=absolute(data) if data else None,
            published=absolute(published) if published else declared_published(),
            cluster=environment.get("CONVBOOK_CLUSTER") or None,
            workers=_workers(environment.get("CONVBOOK_WORKERS", "")),
            threads=_threads(environment.get("OMP_NUM_THREADS", "")),
        )


def absolute(folder: str | Path) -> Path:
    """Make a user's path absolute, `~` expanded: the working directory may change later."""
    return Path(os.path.abspath(Path(folder).expanduser()))


@cache
def declared_published() -> Path | None:
    """Return the folder of published records that an installed book declares; None without one."""
    declared = importlib.metadata.entry_points(group=PUBLISHED_GROUP)
    return next((absolute(point.load()) for point in declared), None)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of `CONVBOOK_CACHE`, else where this platform keeps caches.

    Linux: the XDG Base Directory Specification; macOS: `~/Library/Caches`; Windows:
    `%LOCALAPPDATA%`.
    """
    if chosen := environment.get("CONVBOOK_CACHE"):
        return absolute(chosen)
    if sys.platform == "darwin":
        caches = "~/Library/Caches"
    elif sys.platform == "win32":
        caches = environment.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        caches = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return absolute(caches) / "convbook"


def _workers(value: str) -> int | None:
    if value and not (value.isdecimal() and int(value) >= 1):
        raise SettingError(
            f"CONVBOOK_WORKERS: expected a whole number of at least 1, got {value!r}"
        )
    return int(value) if value else None


def _threads(value: str) -> int | None:
    """Return the number in OpenMP's own variable; None for its other forms, as `4,2`."""
    return int(value) if value.isdecimal() and int(value) else None
