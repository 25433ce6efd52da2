"""`python -m book certify`: two forms of the training code are shown to give the same bits.

In a small repository of its own, with real commits and real trainings.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from books import write_book, write_chapter

from book.commands.certify import covering
from models import equivalence, records
from models.evidence import RunKind
from models.fingerprint import code_fingerprint
from models.progress import Silent
from models.runs.obtain import obtain
from models.runs.store import Store
from models.specs import RunSpec

ROOT = Path(__file__).resolve().parents[3]
BUILD = "models/networks/build.py"
NEUTRAL = "\n\nUNUSED = 1\n"
LENET5_ALONE = """
    if spec.network != "lenet5":
        return network
"""
OTHER_BITS = """

_build = build


def build(spec):
    network = _build(spec)
    with torch.no_grad():
        next(network.parameters()).mul_(1 + 2**-20)
    return network
"""
SPECS = [
    RunSpec(train_size=200, epochs=2, batch_size=50, norm=norm, optimizer=optimizer)
    for norm, optimizer in (("none", "sgd"), ("batch", "adam"))
]
CHAPTER = f"""\
from book.report import experiments
from models.specs import RunSpec

fields = {[spec.model_dump(exclude_unset=True) for spec in SPECS]!r}
experiments.ask({{str(i): RunSpec(**one) for i, one in enumerate(fields)}}, 1)"""


def git(folder, *arguments):
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository of today's code, with a small book that has published two runs."""
    folder = tmp_path_factory.mktemp("repository")
    code = shutil.ignore_patterns("__pycache__", "*.ipynb", "*.json", "runs")
    shutil.copytree(ROOT / "book", folder / "book", ignore=code)
    shutil.copytree(ROOT / "models", folder / "models", ignore=shutil.ignore_patterns("__pyc*"))
    shutil.rmtree(folder / "models" / "equivalences", ignore_errors=True)
    write_book(folder, ["chapter"])
    write_chapter(folder / "chapter.ipynb", CHAPTER)
    git(folder, "init", "--quiet")
    git(folder, "add", "book", "models")
    git(folder, "commit", "--quiet", "--message", "Then")
    store = Store(folder / "cache", folder / "published")
    for spec in SPECS:
        records.write(obtain(spec, store=store, progress=Silent()).record, store.published)
    return folder


@pytest.fixture
def folder(repository, tmp_path):
    return shutil.copytree(repository, tmp_path / "book")


def book(folder, *arguments):
    """`python -m book` with the repository's own code."""
    own = {
        "PYTHONPATH": str(folder),
        "CONVBOOK_RUNS": str(folder / "published"),
        "CONVBOOK_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "book", *arguments],
        cwd=folder,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def change(folder, text):
    with (folder / BUILD).open("a") as file:
        file.write(text)


def certificates(folder):
    return equivalence.certificates(folder / "models" / "equivalences")


@pytest.mark.slow
def test_code_that_gives_the_same_bits_is_certified_and_its_records_count_as_current(folder):
    assert book(folder, "publish", "chapter").returncode == 0
    change(folder, NEUTRAL)
    before = book(folder, "status").stdout
    assert before.splitlines()[2].split()[-3:] == ["2", "0", "2"], before

    run = book(folder, "certify", "HEAD")
    assert run.returncode == 0, run.stderr
    assert re.search(r"first epoch of 2 runs by both forms; as recorded: \d+:\d\d", run.stderr)
    assert "2/2 lenet5 on mnist5k" in run.stderr
    assert "identical; 0:00 left" in run.stderr
    assert "compared: 2 of 2 first epochs are identical" in run.stdout
    (certificate,) = certificates(folder)
    assert certificate.old == code_fingerprint()
    assert {one.key for one in certificate.runs} == {spec.key for spec in SPECS}
    assert {one.norm for one in certificate.runs} == {"none", "batch"}
    assert certificate.machine["device"] == "cpu"
    worktrees = ["git", "-C", folder, "worktree", "list"]
    listed = subprocess.run(worktrees, capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) == 1, "nothing is left behind"

    after = book(folder, "status").stdout
    assert after.splitlines()[2].split()[-3:] == ["2", "0", "0"], after
    assert (
        "shown equivalent: 2 of 2 runs were trained by an earlier form of the training code, "
        "shown equal to today's to the bit in the first epoch of 2 runs" in after
    )
    page = "from book.report.training_runs import RUNS\n"
    page += f"print(RUNS.origin({[spec.key for spec in SPECS]!r}))"
    own = {"PYTHONPATH": str(folder), "CONVBOOK_RUNS": str(folder / "published")}
    told = subprocess.run(
        [sys.executable, "-c", page],
        cwd=folder,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "2 of 2 runs were trained by an earlier form of the training code" in told
    assert "warnings=()" in told


@pytest.mark.slow
def test_code_that_gives_other_bits_is_not_certified(folder):
    change(folder, OTHER_BITS)
    run = book(folder, "certify", "HEAD")
    assert run.returncode == 1, run.stderr
    assert run.stdout.count("DIFFERS in ") == 2
    assert run.stdout.count(", weights\n") == 2
    assert "compared: 0 of 2 first epochs are identical" in run.stdout
    assert not certificates(folder)


@pytest.mark.slow
def test_of_a_network_that_is_left_out_nothing_is_certified(folder):
    other = RunSpec(network="lenet-stride1", train_size=200, epochs=1, batch_size=50)
    store = Store(folder / "cache", folder / "published")
    records.write(obtain(other, store=store, progress=Silent()).record, store.published)
    change(folder, OTHER_BITS.replace("(spec)\n    with", f"(spec){LENET5_ALONE}    with"))
    assert book(folder, "certify", "HEAD").returncode == 1

    run = book(folder, "certify", "HEAD", "--without", "lenet5")
    assert run.returncode == 0, run.stderr
    (certificate,) = certificates(folder)
    assert [one.key for one in certificate.runs] == [other.key]
    assert certificate.covers(RunKind.of(other))
    assert not any(certificate.covers(RunKind.of(spec)) for spec in SPECS)
    unknown = book(folder, "certify", "HEAD", "--without", "lenet6")
    assert unknown.returncode == 2
    assert "invalid choice: 'lenet6'" in unknown.stderr


@pytest.mark.slow
def test_the_same_code_needs_no_certificate(folder):
    run = book(folder, "certify", "HEAD")
    assert (run.returncode, run.stdout) == (
        0,
        "nothing to certify: HEAD has today's training code\n",
    )


@pytest.mark.slow
def test_what_cannot_be_compared_is_said_in_one_line(folder):
    unknown = book(folder, "certify", "nobody")
    assert unknown.returncode == 2
    assert "unknown commit 'nobody': expected a revision of" in unknown.stderr

    git(folder, "mv", "models/training/loop.py", "models/training/training_loop.py")
    git(folder, "commit", "--quiet", "--message", "Another interface")
    git(folder, "mv", "models/training/training_loop.py", "models/training/loop.py")
    lacking = book(folder, "certify", "HEAD")
    assert lacking.returncode == 2
    assert "No module named 'models.training.loop'; expected the package models" in lacking.stderr

    git(folder, "rm", "--quiet", "--cached", "-r", "models")
    git(folder, "commit", "--quiet", "--message", "No code")
    none = book(folder, "certify", "HEAD")
    assert none.returncode == 2
    assert "the training code of HEAD" in none.stderr
    assert none.stderr.count("\n") == 1

    shutil.rmtree(folder / ".git")
    outside = book(folder, "certify", "HEAD")
    assert outside.returncode == 2
    assert "expected a git repository in" in outside.stderr


def test_the_published_runs_that_are_compared_cover_every_network_schedule_and_norm():
    published = [records.read(path) for path in sorted((ROOT / "book" / "runs").glob("*.json"))]
    chosen = covering(published)
    covered = ("network", "schedule", "precision")
    for fields in (covered, ("norm",), ("order",), ("optimizer",)):
        there = {tuple(getattr(record.spec, name) for name in fields) for record in published}
        assert {tuple(getattr(one.spec, name) for name in fields) for one in chosen} == there
    seconds = {record.key: record.provenance.epoch_seconds[0] for record in published}
    cheapest = min(published, key=lambda record: (seconds[record.key], record.key))
    assert chosen[0].key == cheapest.key
    assert sum(seconds[record.key] for record in chosen) < 900
