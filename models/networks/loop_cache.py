"""Compiled loops on disk, which numba loads instead of compiling them again."""

from __future__ import annotations

import pickletools
from pathlib import Path


def drop_torn(folder: str | None) -> None:
    """Remove the torn files of a folder where numba keeps loops, as a loss of power leaves them.

    numba would end the training with an error of pickle's; what it does not find it compiles anew.
    Without a folder nothing is kept.
    """
    for path in Path(folder).glob("*.nb[ic]") if folder else ():
        if not _is_whole(path):
            path.unlink(missing_ok=True)


def _is_whole(path: Path) -> bool:
    """Return whether a file is pickles from end to end; nothing in them is executed."""
    try:
        with path.open("rb") as file:
            list(pickletools.genops(file))
            while file.peek(1):
                list(pickletools.genops(file))
    except FileNotFoundError:  # another process has removed it
        return True
    except ValueError:
        return False
    return True
