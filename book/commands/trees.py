"""Forms of the training code, each in a folder of its own: today's, and that of a commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import models
from book.builder.errors import BookError
from models.specs import RunSpec

HERE = Path(models.__file__).resolve().parents[1]
PROGRAM = Path(__file__).with_name("first_epoch.py")
NEEDED = "the package models, with data.loading.load, specs.RunSpec and training.loop.Training"


@dataclass(frozen=True)
class FirstEpoch:
    """What one form of the code gave: the epoch's history, and a digest of the state after it."""

    fingerprint: str
    history: dict[str, Any]
    weights_sha256: str
    seconds: float


@dataclass(frozen=True)
class Tree:
    """One form of the training code: what it is called, and the folder that holds `models`."""

    name: str
    folder: Path

    def fingerprint(self) -> str:
        """Return the code's fingerprint.

        Raises:
            BookError: It lacks what is needed to train a first epoch.
        """
        return str(self._ask(None, 1)["fingerprint"])

    def first_epoch(self, spec: RunSpec, threads: int) -> FirstEpoch:
        """Train the first epoch of a run, in a process of its own.

        Raises:
            BookError: This code cannot train it.
        """
        result = self._ask(json.loads(spec.canonical_json()), threads)
        if result["key"] != spec.key:
            raise BookError(f"{self.name} knows the run {spec.key} as {result['key']}")
        return FirstEpoch(**{field.name: result[field.name] for field in fields(FirstEpoch)})

    def _ask(self, spec: dict[str, Any] | None, threads: int) -> dict[str, Any]:
        """Return what `first_epoch.py` answers when it runs on this code."""
        own = {
            "PYTHONPATH": str(self.folder),
            "OMP_NUM_THREADS": str(threads),
            "NUMBA_NUM_THREADS": str(threads),
        }
        run = subprocess.run(
            [sys.executable, "-P", str(PROGRAM)],
            input=json.dumps({"spec": spec, "threads": threads}),
            cwd=self.folder,
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            reason = (run.stderr.strip().splitlines() or [f"status {run.returncode}"])[-1]
            raise BookError(f"{self.name} cannot train a first epoch: {reason}; expected {NEEDED}")
        result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
        if Path(result["folder"]) != self.folder.resolve():
            raise BookError(f"{self.name} has no training code: expected {NEEDED}")
        return result


@contextmanager
def tree_of(commit: str, repository: Path = HERE) -> Iterator[Tree]:
    """Give the code of a commit of this repository, in a folder that is there meanwhile.

    Raises:
        BookError: Git is not there, this is no repository, or it has no such commit.
    """
    inside = _git(repository, "rev-parse", "--show-prefix")
    if inside is None:
        raise BookError(f"expected a git repository in {repository}: certify reads its commits")
    found = _git(repository, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if found is None:
        raise BookError(f"unknown commit {commit!r}: expected a revision of {repository}")
    with TemporaryDirectory(prefix="convbook-certify-") as folder:
        place = Path(folder, "then")
        if _git(repository, "worktree", "add", "--detach", str(place), found) is None:
            raise BookError(f"git cannot check out {commit} beside {repository}")
        try:
            yield Tree(f"the training code of {commit}", place / inside)
        finally:
            _git(repository, "worktree", "remove", "--force", str(place))


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says, without the line's end; None when it fails."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BookError("certify needs git, which was not found: install it") from None
    return None if run.returncode else run.stdout.strip()
