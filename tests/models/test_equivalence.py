"""Certificates of equal training code: which fingerprints they make current, and which files are
refused.
"""

import json

import pytest

from models import equivalence
from models.equivalence import (
    FOLDER,
    CorruptCertificate,
    certificates,
    equal_fingerprints,
    links,
    read,
    vouches,
    write,
)
from models.evidence import (
    BitCertificate,
    ComparedRun,
    Difference,
    JointTest,
    JudgedRun,
    NoiseCertificate,
    RunKind,
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


MACHINE = {"processor": "one of ours", "threads": 1, "torch": "2.14.1"}
SUCH = RunKind("lenet5", "constant", "none", "fp32")


def certificate(old: str, new: str = TODAY) -> BitCertificate:
    return BitCertificate(old=old, new=new, date="2026-11-26", machine=MACHINE, runs=(RUN,))


def difference(new: float, old: float | None = 0.5) -> Difference:
    return Difference(measure="training loss", old=old, new=new, tolerance=0.1, p=0.4)


def judged(norm: str = "none", new: float = 0.55) -> JudgedRun:
    return JudgedRun(
        key="1" * 20,
        network="lenet5",
        dataset="mnist5k",
        schedule="constant",
        norm=norm,
        epochs=3,
        planned=10,
        train_size=None,
        seed=2,
        differences=(difference(new),),
        verdict="within seed noise" if abs(new - 0.5) <= 0.1 else "DIFFERS",
    )


def noise(old: str, new: str = TODAY, *runs: JudgedRun, mean_p: float = 0.4) -> NoiseCertificate:
    joint = JointTest(
        measure="training loss", runs=1, mean=0.3, mean_p=mean_p, spread=0.8, spread_p=0.6
    )
    return NoiseCertificate(
        old=old,
        new=new,
        date="2026-11-26",
        machine=MACHINE,
        alpha=0.05,
        runs=runs or (judged(),),
        together=(joint,),
    )


def test_a_certificate_reads_as_it_was_written(tmp_path):
    path = write(certificate(A), tmp_path)
    assert path.name == f"{A[:12]}-{TODAY[:12]}.json"
    assert read(path) == certificate(A)


def test_every_committed_certificate_can_be_believed():
    for path in FOLDER.glob("*.json"):
        read(path)


def test_without_certificates_only_todays_code_is_current(tmp_path):
    assert equal_fingerprints(SUCH, tmp_path) == {TODAY}
    assert equal_fingerprints(SUCH, tmp_path / "absent") == {TODAY}
    assert links(TODAY, SUCH, tmp_path) == ()


def test_certificates_link_in_either_direction_and_over_several_steps(tmp_path):
    for old, new in ((A, B), (B, TODAY), (TODAY, C)):
        write(certificate(old, new), tmp_path)
    write(certificate(D, "e" * 64), tmp_path)  # of two forms, neither of which is linked to today's
    assert equal_fingerprints(SUCH, tmp_path) == {TODAY, A, B, C}
    assert [(link.old, link.new) for link in links(A, SUCH, tmp_path)] == [(B, TODAY), (A, B)]
    assert links(D, SUCH, tmp_path) == ()


def test_a_circle_of_certificates_is_walked_once(tmp_path):
    for old, new in ((A, TODAY), (B, A), (TODAY, B)):
        write(certificate(old, new), tmp_path)
    assert equal_fingerprints(SUCH, tmp_path) == {TODAY, A, B}
    assert len(links(B, SUCH, tmp_path)) == 1


def test_a_certificate_of_bits_vouches_for_the_networks_and_schedules_that_it_compared(tmp_path):
    write(certificate(A), tmp_path)
    assert vouches(TODAY, RunKind("any", "at all", "of them", "fp32"), tmp_path)
    assert vouches(A, RunKind("lenet5", "constant", "batch", "fp32"), tmp_path)
    assert not vouches(A, RunKind("lenet5", "one-cycle", "none", "fp32"), tmp_path)
    assert not vouches(A, RunKind("minigooglenet", "constant", "none", "fp32"), tmp_path)
    assert not vouches(B, RunKind("lenet5", "constant", "none", "fp32"), tmp_path)


def test_a_certificate_of_bits_says_nothing_of_another_precision_than_it_compared(tmp_path):
    half = SUCH._replace(precision="bf16")
    write(certificate(A), tmp_path)  # an older one, which does not say which it compared
    assert vouches(A, SUCH, tmp_path)
    assert vouches(A, half, tmp_path)
    single = RUN.model_copy(update={"precision": "fp32"})
    write(certificate(A).model_copy(update={"runs": (single,)}), tmp_path)
    assert vouches(A, SUCH, tmp_path)
    assert not vouches(A, half, tmp_path)
    assert equal_fingerprints(half, tmp_path) == {TODAY}, "its checkpoints are not gone on from"


def test_a_certificate_of_noise_vouches_only_for_what_it_judged_and_passed(tmp_path):
    path = write(noise(A, TODAY, judged(), judged("batch"), judged("batch", new=0.9)), tmp_path)
    assert path.name == f"{A[:12]}-{TODAY[:12]}-noise.json"
    assert vouches(A, RunKind("lenet5", "constant", "none", "fp32"), tmp_path)
    failed = SUCH._replace(norm="batch")
    assert not vouches(A, failed, tmp_path), "one of its runs"
    assert not vouches(A, RunKind("lenet5", "constant", "layer", "fp32"), tmp_path)
    assert not vouches(A, RunKind("lenet5", "one-cycle", "none", "fp32"), tmp_path)


def test_both_kinds_link_and_every_link_of_a_chain_must_cover_the_run(tmp_path):
    write(certificate(A, B), tmp_path)
    write(noise(B), tmp_path)
    assert [type(link) for link in links(A, SUCH, tmp_path)] == [NoiseCertificate, BitCertificate]
    assert vouches(A, SUCH, tmp_path)
    assert not vouches(A, RunKind("lenet5", "constant", "batch", "fp32"), tmp_path)


def test_two_kinds_between_the_same_two_forms_stand_side_by_side(tmp_path):
    assert write(certificate(A), tmp_path) != write(noise(A), tmp_path)
    assert len(certificates(tmp_path)) == 2


def test_a_checkpoint_of_code_that_is_equal_within_noise_alone_is_not_gone_on_from(tmp_path):
    write(noise(A), tmp_path)
    write(certificate(B), tmp_path)
    assert vouches(A, SUCH, tmp_path)
    assert equal_fingerprints(SUCH, tmp_path) == {TODAY, B}


def test_a_certificate_of_noise_must_show_what_it_claims():
    with pytest.raises(ValueError, match="does not follow from its differences"):
        JudgedRun(**{**judged().model_dump(), "verdict": "DIFFERS"})
    with pytest.raises(ValueError, match="does not follow from its differences"):
        JudgedRun(**{**judged(new=0.9).model_dump(), "verdict": "within seed noise"})
    with pytest.raises(ValueError, match="expected a run within seed noise, got none"):
        noise(A, TODAY, judged(new=0.9))
    with pytest.raises(ValueError, match="together, the runs differ by more than seeds do"):
        noise(A, mean_p=0.02)
    assert noise(A, mean_p=0.026)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[:-20], "no strict JSON"),
        (lambda text: text.replace("0.55", "0.56"), "its digest does not fit its content"),
        (lambda text: text.replace("one of ours", "another"), "its digest does not fit"),
        (lambda text: text.replace("0.55", "0.75"), "does not follow from its differences"),
        (lambda text: text.replace('"mean_p": 0.4', '"mean_p": 1e-9'), "together, the runs differ"),
        (lambda text: text.replace('"alpha": 0.05', '"alpha": 0'), "alpha: "),
    ],
)
def test_a_torn_or_forged_certificate_of_noise_is_named_and_links_nothing(damage, reason, tmp_path):
    path = write(noise(A), tmp_path)
    text = path.read_text()
    path.write_text(damage(text))
    assert path.read_text() != text
    equivalence.write(certificate(B), tmp_path)
    with pytest.raises(CorruptCertificate, match=rf"{path.name}.*{reason}"):
        read(path)
    assert not vouches(A, SUCH, tmp_path)
    path.write_text(text)
    assert read(path).runs == noise(A).runs


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
        (lambda text: text.replace('"kind": "identical', '"kind": "similar'), "using 'kind'"),
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
    assert equal_fingerprints(SUCH, tmp_path) == {TODAY, B}
