"""`python -m book verify --equivalence`: new code is shown as good as that of the records, or not.

On a copy of today's code whose training is then changed, with real records and real trainings.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from books import write_book, write_chapter

from book.commands.retraining import Place, keep, kept
from models import equivalence, records
from models.evidence import NoiseCertificate, RunKind
from models.fingerprint import code_fingerprint
from models.progress import Silent
from models.runs.obtain import obtain
from models.runs.store import Store
from models.specs import RunSpec

ROOT = Path(__file__).resolve().parents[3]
BUILD = "models/networks/build.py"
NEUTRAL = "\n\nUNUSED = 1\n"
SHRUNK = """

_build = build


def build(spec):
    network = _build(spec)
    if spec.norm in {norms}:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(0.01)
    return network
"""
SPECS = [
    RunSpec(train_size=200, epochs=2, batch_size=50, norm=norm, lr=lr, seed=seed)
    for norm in ("none", "batch")
    for lr in (0.1, 0.2)
    for seed in range(3)
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A copy of today's code, with a small book that has published its runs."""
    folder = tmp_path_factory.mktemp("original")
    code = shutil.ignore_patterns("__pycache__", "*.ipynb", "*.json", "runs")
    shutil.copytree(ROOT / "book", folder / "book", ignore=code)
    shutil.copytree(ROOT / "models", folder / "models", ignore=shutil.ignore_patterns("__pyc*"))
    shutil.rmtree(folder / "models" / "equivalences", ignore_errors=True)
    write_book(folder, ["chapter"])
    write_chapter(folder / "chapter.ipynb", "print()")
    store = Store(folder / "first", folder / "published")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for spec in SPECS:
        records.write(
            obtain(spec, store=store, progress=Silent(), device="cpu").record, store.published
        )
    torch.set_num_threads(threads)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "book")


def environment(folder):
    own = {
        "PYTHONPATH": str(folder),
        "CONVBOOK_RUNS": str(folder / "published"),
        "CONVBOOK_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "2",
    }
    return {**os.environ, **own}


def book(folder, *arguments):
    """`python -m book` with the copy's own code."""
    return subprocess.run(
        [sys.executable, "-m", "book", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def show(folder, *arguments):
    return book(folder, "verify", "--equivalence", "--sample", "4", *arguments)


def change(folder, text):
    with (folder / BUILD).open("a") as file:
        file.write(text)


def certificates(folder):
    return equivalence.certificates(folder / "models" / "equivalences")


def test_equal_code_is_shown_equivalent_though_killed_meanwhile_and_pages_give_the_numbers(folder):
    change(folder, NEUTRAL)
    own = folder / "cache" / "equivalence"
    kill_after_a_run(folder, own)
    before = {path: path.read_bytes() for path in own.glob("*/*.json")}
    assert 1 <= len(before) < 4
    assert not certificates(folder)
    torn, *whole = before
    torn.write_bytes(before[torn][:100])

    run = show(folder)
    assert run.returncode == 0, run.stderr
    assert "retraining 4 runs, at least one of each network, normalization and sched" in run.stderr
    assert run.stderr.count(": kept from before") == len(whole)
    assert all(path.read_bytes() == before[path] for path in whole)
    assert json.loads(torn.read_text())["history"] == json.loads(before[torn])["history"]
    assert "judged: 4 of 4 runs are within seed noise" in run.stdout
    assert "together, those differ no more than seeds do" in run.stdout

    (certificate,) = certificates(folder)
    assert isinstance(certificate, NoiseCertificate)
    assert certificate.old == code_fingerprint()
    assert {one.norm for one in certificate.runs} == {"none", "batch"}
    assert {(one.epochs, one.planned) for one in certificate.runs} == {(2, 2)}
    assert [test.runs for test in certificate.together] == [4, 4, 4]
    assert certificate.machine["device"] == "cpu"
    told = page(folder)
    assert (
        "12 of 12 runs were trained by an earlier form of the training code, shown equivalent to "
        "today's: 4 runs of the book were trained again, and each differs by no more than two of "
        "its seeds do, by 0.00 points in accuracy and 0.0000 in training loss at most; so do all "
        "together (p ≥ 1)"
    ) in told
    assert "warnings=()" in told
    assert "nothing to show" in show(folder).stdout
    assert "nothing to show" in show(folder, "--outdated").stdout


def kill_after_a_run(folder, own):
    """Begin, and kill all its processes as soon as a run has been kept."""
    process = subprocess.Popen(
        [sys.executable, "-m", "book", "verify", "--equivalence", "--sample", "4"],
        cwd=folder,
        env=environment(folder),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(own.glob("*/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def page(folder):
    """What a page of all runs says of them."""
    code = "from book.report.training_runs import RUNS\n"
    code += f"print(RUNS.origin({[spec.key for spec in SPECS]!r}))"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_what_code_changes_beyond_noise_stays_flagged_and_the_rest_is_certified(folder):
    change(folder, SHRUNK.format(norms="{'batch'}"))
    run = show(folder)
    assert run.returncode == 1, run.stderr
    assert "judged: 2 of 4 runs are within seed noise" in run.stdout
    assert "these stay flagged: lenet5 with norm batch and schedule constant" in run.stdout
    (certificate,) = certificates(folder)
    assert {one.norm for one in certificate.runs if not one.is_within} == {"batch"}
    assert certificate.covers(RunKind("lenet5", "constant", "none", "fp32"))
    assert not certificate.covers(RunKind("lenet5", "constant", "batch", "fp32"))
    told = page(folder)
    assert "6 of this chapter's 12 runs were trained by other training code" in told
    assert "6 of 12 runs were trained by an earlier form of the training code, shown" in told
    left = show(folder, "--outdated", "--dry-run").stderr
    assert "norm batch" in left
    assert all("norm batch" in line for line in left.splitlines() if " on mnist5k" in line)


def test_a_run_killed_between_epochs_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path):
    spec = RunSpec(train_size=500, epochs=40, batch_size=50)
    place, folder = Place.here("cpu"), tmp_path / "killed"
    request = {
        "spec": json.loads(spec.canonical_json()),
        "epochs": 30,
        "threads": 1,
        "device": "cpu",
        "folder": str(folder),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "book.commands.retraining"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        text=True,
    )
    process.stdin.write(json.dumps(request))
    process.stdin.close()
    store, deadline = Store(folder), time.monotonic() + 120
    while store.last_epoch(spec.key) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert 2 <= store.last_epoch(spec.key) < 30
    assert kept(spec.key, folder, 30, place) is None

    keep(spec, epochs=30, threads=1, device="cpu", folder=folder)
    keep(spec, epochs=30, threads=1, device="cpu", folder=tmp_path / "whole")
    resumed, whole = (kept(spec.key, tmp_path / name, 30, place) for name in ("killed", "whole"))
    assert resumed.provenance.resumed_from_epoch >= 2
    assert resumed.history == whole.history
    assert len(whole.history) == 30
    assert kept(spec.key, folder, 31, place) is None, "it is shorter than asked for"
