"""`python -m book preview` in a real browser: it builds, serves, reloads, and ends at once."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from books import edit, write_book, write_chapter
from browser import MISSING, answer_of, browser
from processes import wait_for

from book.__main__ import main
from book.commands.preview import Builder

pytest.importorskip("sphinx_autobuild")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals a process group")


@pytest.fixture
def folder(own_folders):
    (own_folders / "part").mkdir()
    write_book(own_folders, ["part/first", "part/second"])
    write_chapter(own_folders / "part" / "first.ipynb", "print('first says', number)", "#: Words.")
    write_chapter(own_folders / "part" / "second.ipynb", "print('second says', number)")
    return own_folders


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def preview(folder, *arguments):
    """The preview as a terminal starts it, in a process group of its own, once it serves."""
    port = free_port()
    log = folder / "preview.log.tmp"
    command = [sys.executable, "-m", "book", "preview", "--no-browser", "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, *arguments], cwd=folder, stdout=out, stderr=out, start_new_session=True
        )
        process.log, process.port = log, port
        try:
            wait_for(lambda: process.poll() is not None or "\nserving" in log.read_text(), 120)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def fetch(process, page):
    """A page as it is served; nothing of one that is being written."""
    address = f"http://127.0.0.1:{process.port}/{page}.html"
    try:
        with answer_of(address) as answer:
            return answer.read().decode()
    except http.client.IncompleteRead:
        return ""


@pytest.mark.slow
@pytest.mark.skipif(MISSING, reason="needs Chromium")
def test_a_browser_reloads_on_save_and_a_failing_chapter_ends_nothing(folder, tmp_path_factory):
    with preview(folder) as process:
        assert "first says 2" in fetch(process, "part/first")
        assert not (folder / "_build" / "html").exists(), "the book's own site is left alone"
        address = f"http://127.0.0.1:{process.port}/part/first.html"
        with browser(tmp_path_factory.mktemp("browser"), address) as opened:

            def shown():
                return opened.value("document.body?.innerText") or ""

            wait_for(lambda: "first says 2" in shown())
            edit(folder / "part" / "first.ipynb", "first says", "first shouts")
            wait_for(lambda: "first shouts 2" in shown(), 120)

            edit(folder / "part" / "first.ipynb", "number)", "nubmer)")
            wait_for(lambda: "NameError" in shown(), 120)
            edit(folder / "part" / "first.ipynb", "nubmer)", "number)")
            wait_for(lambda: "first shouts 2" in shown() and "NameError" not in shown(), 120)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=10)
        assert process.returncode == 130
        assert process.log.read_text().splitlines()[-1].endswith("error: interrupted")


@pytest.mark.slow
def test_a_preview_of_one_chapter_executes_no_other(folder):
    with preview(folder, "first") as process:
        assert f"serving http://127.0.0.1:{process.port}/part/first.html" in process.log.read_text()
        assert "first says 2" in fetch(process, "part/first")
        assert "second says 2" not in fetch(process, "part/second")
        edit(folder / "part" / "second.ipynb", "second says", "second shouts")
        edit(folder / "part" / "first.ipynb", "first says", "first shouts")
        wait_for(lambda: "first shouts 2" in fetch(process, "part/first"), 120)
        assert "second shouts 2" not in fetch(process, "part/second")


def test_a_port_that_is_taken_is_refused_before_any_work(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["preview", "--port", str(port)]) == 2
    told = capsys.readouterr().err
    assert f"cannot serve at port {port}" in told
    assert told.count("\n") == 1
    assert not (folder / "_build").exists()
    assert main(["preview", "thrid"]) == 2
    with pytest.raises(SystemExit):
        main(["preview", "--port", "99999"])
    assert "expected a port from 1 to 65535, got '99999'" in capsys.readouterr().err


def test_what_changed_is_named_once_without_what_an_editor_has_removed(tmp_path):
    saved, draft = tmp_path / "first.ipynb", tmp_path / "sedX1"
    saved.touch()
    builder = Builder(tmp_path, "")
    assert builder.changed([draft, saved, draft, saved]) == "first.ipynb"
    assert builder.changed([draft]) == "sedX1"
