"""Where this user's own files live: runs, checkpoints, downloaded data."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Folder of the user's own runs, checkpoints and data: absolute, perhaps not there yet.

    `CONVBOOK_CACHE` decides; without it, the place where this platform keeps caches (Linux: the XDG
    Base Directory Specification; macOS: `~/Library/Caches`; Windows: `%LOCALAPPDATA%`).
    """
    if chosen := os.environ.get("CONVBOOK_CACHE"):
        return absolute(chosen)
    return _platform_caches() / "convbook"


def absolute(folder: str | Path) -> Path:
    """A user's path, with `~` expanded, made absolute where it enters: the working directory may
    change later.
    """
    return Path(os.path.abspath(Path(folder).expanduser()))


def _platform_caches() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return absolute(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return absolute(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
