"""`python -m book build`: what is executed, what is not, and what is refused. Real small books."""

import os
import signal
import subprocess
import sys

import pytest
from books import book, edit, page, write_book, write_chapter
from processes import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(own_folders, monkeypatch):
    (own_folders / "part").mkdir()
    write_book(own_folders, ["part/first", "part/second"])
    for name in ("first", "second"):
        write_chapter(own_folders / "part" / f"{name}.ipynb", f"print('{name} says', number)")
    for name in ("PROFILE", "FROZEN", "FORCE", "ALLOW_STALE"):
        monkeypatch.delenv(f"CONVBOOK_{name}", raising=False)
    return own_folders


def summary(run):
    """The last line that tells how many chapters were executed."""
    return [line for line in run.stdout.splitlines() if line.startswith("chapters: ")][-1]


def test_frozen_builds_what_is_fresh_and_refuses_what_is_stale(folder):
    refused = book(folder, "build", "--frozen")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith(
        "python -m book build: error: 2 chapters are stale, and --frozen executes nothing: "
        "part/first (never executed), part/second (never executed);"
    )
    assert refused.stderr.count("\n") == 1
    assert not (folder / "_build").exists()

    built = book(folder, "build")
    assert built.returncode == 0, built.stderr
    assert summary(built) == "chapters: 2 executed, 0 reused, 0 failed"
    frozen = book(folder / "part", "build", "--frozen")
    assert frozen.returncode == 0, frozen.stderr
    assert summary(frozen) == "chapters: 0 executed, 2 reused, 0 failed"

    edit(folder / "part" / "second.ipynb", "second says", "second shouts")
    refused = book(folder, "build", "--frozen")
    assert refused.returncode == 1
    assert "1 chapter is stale" in refused.stderr
    assert "part/second (its code changed)" in refused.stderr
    allowed = book(folder, "build", "--frozen", "--allow-stale")
    assert allowed.returncode == 0, allowed.stderr
    assert "second says 2" in page(folder, "part/second")


def test_only_what_is_named_is_executed_and_what_is_forced_always(folder):
    one = book(folder, "build", "first")
    assert one.returncode == 0, one.stdout + one.stderr
    assert "chapter part/first: executing, because never executed" in one.stdout
    left = "chapters: 1 executed, 0 reused, 0 failed, 1 shown as they were executed"
    assert summary(one) == left
    assert "first says 2" in page(folder, "part/first")
    assert "second says 2" not in page(folder, "part/second")

    again = book(folder, "build", "first", "--force", "part/first")
    assert "chapter part/first: executing, because it was asked for" in again.stdout
    forced = book(folder, "build", "--force", "first")
    assert summary(forced) == "chapters: 2 executed, 0 reused, 0 failed"
    assert summary(book(folder, "build")) == "chapters: 0 executed, 2 reused, 0 failed"

    edit(folder / "part" / "first.ipynb", "number)", "nubmer)")
    failed = book(folder, "build", "first")
    assert failed.returncode == 1
    assert "chapter part/first failed: NameError" in failed.stdout + failed.stderr
    assert "NameError" in page(folder, "part/first")


def test_a_profile_is_named_or_a_file(folder):
    (folder / "mine.yml").write_text("part/first: {number: 21}\n")
    mine = book(folder, "build", "--profile", "mine.yml")
    assert mine.returncode == 0, mine.stderr
    assert "first says 21" in page(folder, "part/first")
    (folder / "mine.yml").write_text("part/fisrt: {number: 21}\n")
    refused = book(folder, "build", "--profile", "mine.yml")
    assert refused.returncode == 2
    assert "unknown chapter 'part/fisrt'; did you mean part/first?" in refused.stderr
    assert refused.stdout == ""


@pytest.mark.skipif(os.name == "nt", reason="signals a process group")
def test_ctrl_c_ends_a_build_and_says_so(folder):
    marker = folder / "begun"
    write_chapter(
        folder / "part" / "first.ipynb",
        f"import time\nfrom pathlib import Path\n\nPath({str(marker)!r}).touch()\ntime.sleep(300)",
    )
    command = [sys.executable, "-m", "book", "build"]
    process = subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for(marker.exists)
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=10)[1]
    assert process.returncode == 130
    assert told.splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in told
