"""Which edition of a book this is: what its citation file says, and the commit checked out."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from book.builder.yamls import read_mapping

CITATION = "CITATION.cff"
SECONDS = 10  # within which git answers, or is not waited for


def read_citation(root: Path) -> Mapping[str, Any]:
    """Return what a book's `CITATION.cff` says; nothing where there is none.

    Raises:
        BookError: It is no YAML with names and values.
    """
    path = root / CITATION
    return read_mapping(path) if path.is_file() else {}


def commit(root: Path) -> str:
    """Return the commit that is checked out in a folder, with `-dirty` where files differ from it.

    Empty where there is none, or no git.
    """
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        told = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()
