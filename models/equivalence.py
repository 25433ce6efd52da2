"""Certificates: committed evidence that two forms of the training code compute the same bits.

A rewrite that changes no result changes the code fingerprint all the same. Whoever makes one trains
the first epoch of some runs with the old code and with the new, on one machine, and commits what
was compared as one strict-JSON file in `models/equivalences`, written by `python -m book certify`.
A record by a fingerprint that certificates link to today's is then as good as one of today's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.files import read_model, write_atomically
from models.fingerprint import code_fingerprint

FOLDER = Path(__file__).parent / "equivalences"

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class CorruptCertificate(Exception):  # noqa: N818 - what it is, rather than that it is one
    """A certificate that cannot be believed: torn, not strict JSON, or with wrong fields."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ComparedRun(_Fact):
    """One run whose first epoch both forms of the code trained, and what both gave.

    `history_sha256` is of the epoch's history in strict JSON, `weights_sha256` of the network's
    weights and buffers and the optimizer's state after it.
    """

    key: str
    network: str
    dataset: str
    schedule: str
    norm: str
    epochs: int = Field(ge=1)
    train_size: int | None
    history_sha256: Sha256
    weights_sha256: Sha256


class Certificate(_Fact):
    """Two code fingerprints whose code gave the same bits on every one of `runs`.

    `machine` is where that was shown: processor, threads, versions.
    """

    old: Sha256
    new: Sha256
    kind: Literal["identical bits in the first epoch"] = "identical bits in the first epoch"
    date: str
    machine: dict[str, str | int | None]
    runs: tuple[ComparedRun, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _two_forms(self) -> Certificate:
        if self.old == self.new:
            raise ValueError(f"expected two fingerprints, got {self.old} twice")
        return self


def read(path: Path) -> Certificate:
    """Return the certificate of a file.

    Raises:
        CorruptCertificate: The file is torn, not strict JSON, has wrong fields, or does not belong
            under its name.
        FileNotFoundError: There is none.
    """
    certificate = read_model(path, Certificate, CorruptCertificate)
    if path.name != _file_name(certificate):
        raise CorruptCertificate(f"{path}: holds the certificate {_file_name(certificate)}")
    return certificate


def write(certificate: Certificate, folder: Path = FOLDER) -> Path:
    """Write `<old>-<new>.json`, twelve digits of each, whole or not at all; return its path."""
    path = folder / _file_name(certificate)
    write_atomically(path, (certificate.model_dump_json(indent=1) + "\n").encode())
    _links.cache_clear()
    return path


def _file_name(certificate: Certificate) -> str:
    return f"{certificate.old[:12]}-{certificate.new[:12]}.json"


def certificates(folder: Path = FOLDER) -> list[Certificate]:
    """Return the folder's certificates, without those that cannot be believed.

    These only leave their records flagged as made by other code: no reason for a build to fail.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read(path))
        except (CorruptCertificate, OSError):
            continue
    return found


def links(fingerprint: str, folder: Path = FOLDER) -> tuple[Certificate, ...]:
    """Return the certificates that link a fingerprint to today's, the nearest to today's first.

    Today's own, and one that is not shown equivalent, have none.
    """
    return _links(code_fingerprint(), folder).get(fingerprint, ())


def vouches(fingerprint: str, network: str, schedule: str, folder: Path = FOLDER) -> bool:
    """Return whether code of a fingerprint trains such runs as today's code does.

    It is today's, or every certificate on the way to today's compared a run of that network and
    that schedule: one says nothing of what it has not seen.
    """
    certified = _links(code_fingerprint(), folder).get(fingerprint)
    return certified is not None and all(
        any((run.network, run.schedule) == (network, schedule) for run in link.runs)
        for link in certified
    )


def current_fingerprints(folder: Path = FOLDER) -> frozenset[str]:
    """Return today's code fingerprint and all that certificates link to it."""
    return frozenset(_links(code_fingerprint(), folder))


@cache
def _links(today: str, folder: Path) -> dict[str, tuple[Certificate, ...]]:
    """Return the fewest certificates that link each fingerprint to `today`."""
    known, found = certificates(folder), {today: tuple[Certificate, ...]()}
    waiting = [today]
    while waiting:
        reached = waiting.pop(0)
        for certificate in known:
            other = _other(certificate, reached)
            if other and other not in found:
                found[other] = (*found[reached], certificate)
                waiting.append(other)
    return found


def _other(certificate: Certificate, fingerprint: str) -> str | None:
    """Return the fingerprint that a certificate equates with this one, if any."""
    return {certificate.old: certificate.new, certificate.new: certificate.old}.get(fingerprint)
