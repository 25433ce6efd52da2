"""Certificates: committed evidence that two forms of the training code are as good as one.

A rewrite changes the code fingerprint, whatever it does to the results. There are two ways to show
that the records of before are still good, and each leaves one strict-JSON file in
`models/equivalences`. `python -m book certify` trains the first epoch of some runs with both forms,
and finds the same bits. `python -m book verify --equivalence` trains published runs again, and
finds that they differ by no more than seeds do. A record by a fingerprint that certificates link to
today's is then as good as one of today's.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, RootModel

from models.evidence import BitCertificate, Certificate, NoiseCertificate, RunKind, TwoForms
from models.files import read_model, write_atomically
from models.fingerprint import code_fingerprint

FOLDER = Path(__file__).parent / "equivalences"


class CorruptCertificate(Exception):  # noqa: N818 - what it is, rather than that it is one
    """A certificate that cannot be believed.

    It is torn, not strict JSON, with wrong fields, or its evidence does not show what it claims.
    """


class EitherKind(RootModel[Annotated[Certificate, Field(discriminator="kind")]]):
    """A certificate of either kind."""


def read(path: Path) -> Certificate:
    """Return the certificate of a file.

    Raises:
        CorruptCertificate: The file is torn, not strict JSON, has wrong fields, was changed since
            it was written, or does not belong under its name.
        FileNotFoundError: There is none.
    """
    certificate = read_model(path, EitherKind, CorruptCertificate).root
    if path.name != _file_name(certificate):
        raise CorruptCertificate(f"{path}: holds the certificate {_file_name(certificate)}")
    if isinstance(certificate, NoiseCertificate) and certificate.sha256 != certificate.digest():
        raise CorruptCertificate(f"{path}: its digest does not fit its content")
    return certificate


def write(certificate: Certificate, folder: Path = FOLDER) -> Path:
    """Write `<old>-<new>.json`, twelve digits of each, whole or not at all; return its path.

    A certificate of equality within seed noise is called `<old>-<new>-noise.json`.
    """
    if isinstance(certificate, NoiseCertificate):
        certificate = certificate.model_copy(update={"sha256": certificate.digest()})
    path = folder / _file_name(certificate)
    write_atomically(path, (certificate.model_dump_json(indent=1) + "\n").encode())
    _all.cache_clear()
    _chains.cache_clear()
    return path


def _file_name(certificate: Certificate) -> str:
    kind = "-noise" if isinstance(certificate, NoiseCertificate) else ""
    return f"{certificate.old[:12]}-{certificate.new[:12]}{kind}.json"


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


@cache
def _all(folder: Path) -> tuple[Certificate, ...]:
    return tuple(certificates(folder))


def links(fingerprint: str, kind: RunKind, folder: Path = FOLDER) -> tuple[Certificate, ...]:
    """Return the certificates that link a fingerprint to today's, the nearest to today's first.

    Each covers such runs: one says nothing of what it has not seen. Today's own fingerprint, and
    one that is not shown equivalent, have none.
    """
    return _chains(code_fingerprint(), folder, kind).get(fingerprint, ())


def vouches(fingerprint: str, kind: RunKind, folder: Path = FOLDER) -> bool:
    """Return whether code of a fingerprint trains such runs as today's does: `links`, or is it."""
    return fingerprint in _chains(code_fingerprint(), folder, kind)


def equal_fingerprints(kind: RunKind, folder: Path = FOLDER) -> frozenset[str]:
    """Return today's code fingerprint, and all shown equal to the bit where such runs are trained.

    What one of them has begun another may finish.
    """
    equal = [one for one in _all(folder) if isinstance(one, BitCertificate) and one.covers(kind)]
    return frozenset(_linked(code_fingerprint(), equal))


@cache
def _chains(today: str, folder: Path, kind: RunKind) -> dict[str, tuple[Certificate, ...]]:
    return _linked(today, [one for one in _all(folder) if one.covers(kind)])


AnyCertificate = TypeVar("AnyCertificate", bound=TwoForms)


def _linked(today: str, known: Iterable[AnyCertificate]) -> dict[str, tuple[AnyCertificate, ...]]:
    """Return the fewest certificates that link each fingerprint to `today`."""
    known, found = list(known), {today: tuple[AnyCertificate, ...]()}
    waiting = [today]
    while waiting:
        reached = waiting.pop(0)
        for certificate in known:
            other = _other(certificate, reached)
            if other and other not in found:
                found[other] = (*found[reached], certificate)
                waiting.append(other)
    return found


def _other(certificate: TwoForms, fingerprint: str) -> str | None:
    """Return the fingerprint that a certificate equates with this one, if any."""
    return {certificate.old: certificate.new, certificate.new: certificate.old}.get(fingerprint)
