"""Certificates of equal training code: which fingerprints they make current, and which files are
refused.
"""

import json

import pytest

from models import equivalence
from models.equivalence import (
    FOLDER,
    Certificate,
    ComparedRun,
    CorruptCertificate,
    certificates,
    current_fingerprints,
    links,
    read,
    vouches,
    write,
)
from models.fingerprint import code_fingerprint

TODAY = code_fingerprint()
A, B, C, D = (digit * 64 for digit in "abcd")
RUN = ComparedRun(
    key="0" * 20,
    network="lenet5",
    dataset="mnist5k",
    schedule="constant",
    norm="none",
    epochs=3,
    train_size=None,
    history_sha256=A,
    weights_sha256=B,
)


def certificate(old: str, new: str = TODAY) -> Certificate:
    machine = {"processor": "one of ours", "threads": 1, "torch": "2.14.1"}
    return Certificate(old=old, new=new, date="2026-11-26", machine=machine, runs=(RUN,))


def test_a_certificate_reads_as_it_was_written(tmp_path):
    path = write(certificate(A), tmp_path)
    assert path.name == f"{A[:12]}-{TODAY[:12]}.json"
    assert read(path) == certificate(A)


def test_every_committed_certificate_can_be_believed():
    for path in FOLDER.glob("*.json"):
        read(path)


def test_without_certificates_only_todays_code_is_current(tmp_path):
    assert current_fingerprints(tmp_path) == {TODAY}
    assert current_fingerprints(tmp_path / "absent") == {TODAY}
    assert links(TODAY, tmp_path) == ()


def test_certificates_link_in_either_direction_and_over_several_steps(tmp_path):
    for old, new in ((A, B), (B, TODAY), (TODAY, C)):
        write(certificate(old, new), tmp_path)
    write(certificate(D, "e" * 64), tmp_path)  # of two forms, neither of which is linked to today's
    assert current_fingerprints(tmp_path) == {TODAY, A, B, C}
    assert [(link.old, link.new) for link in links(A, tmp_path)] == [(B, TODAY), (A, B)]
    assert links(D, tmp_path) == ()


def test_a_circle_of_certificates_is_walked_once(tmp_path):
    for old, new in ((A, TODAY), (B, A), (TODAY, B)):
        write(certificate(old, new), tmp_path)
    assert current_fingerprints(tmp_path) == {TODAY, A, B}
    assert len(links(B, tmp_path)) == 1


def test_a_certificate_vouches_only_for_networks_and_schedules_that_it_compared(tmp_path):
    write(certificate(A), tmp_path)
    assert vouches(TODAY, "any", "at all", tmp_path)
    assert vouches(A, RUN.network, RUN.schedule, tmp_path)
    assert not vouches(A, RUN.network, "one-cycle", tmp_path)
    assert not vouches(A, "minigooglenet", RUN.schedule, tmp_path)
    assert not vouches(B, RUN.network, RUN.schedule, tmp_path)


def test_a_certificate_under_anothers_name_is_not_believed(tmp_path):
    path = write(certificate(A), tmp_path)
    other = path.rename(path.with_name(f"{B[:12]}-{TODAY[:12]}.json"))
    with pytest.raises(CorruptCertificate, match=f"holds the certificate {path.name}"):
        read(other)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[: len(text) // 2], "no strict JSON"),
        (lambda text: "", "no strict JSON"),
        (lambda text: "[" * 200_000, "no strict JSON .nested too deeply"),
        (lambda text: text.replace('"threads": 1', '"threads": NaN'), "NaN is not strict JSON"),
        (lambda text: text.replace('"old"', '"older"'), "old: Field required"),
        (lambda text: text.replace(A, "a" * 12), "old: String should match"),
        (lambda text: text.replace(TODAY, A), "expected two fingerprints"),
        (lambda text: text.replace('"kind": "identical', '"kind": "similar'), "kind: "),
        (lambda text: json.dumps({**json.loads(text), "runs": []}), "runs: "),
        (lambda text: "[]", "valid dictionary"),
    ],
)
def test_a_bad_certificate_is_named_and_links_nothing(damage, reason, tmp_path):
    path = write(certificate(A), tmp_path)
    path.write_text(damage(path.read_text()))
    equivalence.write(certificate(B), tmp_path)
    with pytest.raises(CorruptCertificate, match=rf"{path.name}.*{reason}"):
        read(path)
    assert certificates(tmp_path) == [certificate(B)]
    assert current_fingerprints(tmp_path) == {TODAY, B}
