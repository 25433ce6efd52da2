"""Chapters are executed side by side, whatever one of them does; their kernels tell what they used,
and die with all that they started. Real kernels, real kills.
"""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from books import build, edit, last_line, page, write_book, write_chapter
from nbclient import NotebookClient

from book.builder import engine, execution, pool, trace, witness
from book.builder.chapters import Book
from book.builder.errors import BookError
from book.builder.kernels import FORKS, Kernels, Settings
from book.builder.notebooks import read_notebook
from book.builder.options import Options

pytestmark = pytest.mark.slow

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def book_of(folder, chapters, **options):
    """The chapters of a small book: their cells by their names."""
    for name, cells in chapters.items():
        write_chapter(folder / f"{name}.ipynb", *cells)
    book = Book(folder, folder / "_build", options=Options(**options))
    return [book.chapter(name, folder / f"{name}.ipynb") for name in chapters]


def outcomes(chapters):
    """How each chapter ended, by its name, after all were executed in one build."""
    found = []
    pool.execute_all(chapters, found.append)
    return {outcome.docname: outcome for outcome in found}


def errors(chapters):
    return {name: outcome.error for name, outcome in outcomes(chapters).items()}


def texts(chapter):
    """What the cells of a good executed copy show as plain text."""
    copy = nbformat.read(chapter.executed, as_version=4)
    outputs = [output for cell in copy.cells for output in cell.get("outputs", [])]
    return [
        output.data["text/plain"] for output in outputs if "text/plain" in output.get("data", {})
    ]


def is_alive(process):
    """Whether a process runs; one that is dead and not yet buried does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition, seconds=10):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_each_chapter_fails_alone_and_says_how_in_a_line(tmp_path):
    chapters = book_of(
        tmp_path,
        {
            "fine": ["number"],
            "killed": ["import os\n\nos.kill(os.getpid(), 9)", "1"],
            "left": ["import os\n\nos._exit(3)"],
            "exits": ["import sys\n\nsys.exit(0)", "import json"],
            "quits": ["exit()", "import json"],
            "wrong": ["number = = 2"],
            "refused": ["'words'", "raise ValueError('first\\nsecond')"],
            "blocked": ["'fine too'"],
        },
    )
    chapters[-1].executed.mkdir(parents=True)  # nothing can be written there
    found = errors(chapters)
    assert found.pop("wrong").startswith("SyntaxError: invalid syntax (")
    assert found == {
        "fine": None,
        "killed": "its kernel died (SIGKILL): cell 2 of 3: import os",
        "left": "its kernel died (exit status 3): cell 2 of 2: import os",
        "exits": "ended before its last cell: cell 2 of 3: import sys",
        "quits": "ended before its last cell: cell 2 of 3: exit()",
        "refused": "ValueError: first second",
        "blocked": f"{chapters[-1].executed}: {os.strerror(errno.EISDIR)}",
    }
    assert [chapter.docname for chapter in chapters if chapter.executed.is_file()] == ["fine"]
    assert not list(chapters[0].executed.parent.rglob(".*")), "a draft was left"
    kept = nbformat.read(chapters[6].failed, as_version=4)
    assert kept.cells[2].outputs[0].data["text/plain"] == "'words'"
    assert (kept.cells[-1].id, kept.cells[-1].outputs) == (trace.CELL, [])


def test_an_error_that_a_chapter_allows_is_none(tmp_path):
    (chapter,) = book_of(tmp_path, {"first": ["1 / 0", "'after it'"]})
    notebook = nbformat.read(chapter.source, as_version=4)
    notebook.cells[2].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, chapter.source)
    assert errors([chapter]) == {"first": None}
    copy = nbformat.read(chapter.executed, as_version=4)
    assert copy.cells[2].outputs[0].ename == "ZeroDivisionError"
    assert texts(chapter) == ["'after it'"]


KILL_PARENT = "import os, time\n\ntime.sleep(1)\nos.kill(os.getppid(), 9)"


@pytest.mark.skipif(not FORKS, reason="no kernel is forked here")
def test_a_cell_that_kills_what_its_kernel_was_forked_from_harms_no_chapter(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVBOOK_WORKERS", "3")
    sleepers = {f"sleeps{i}": ["import time\n\ntime.sleep(2)"] for i in range(2)}
    chapters = book_of(
        tmp_path, {"kills": [KILL_PARENT, "'alive'"], **sleepers, "late": ["'another'"]}
    )
    assert set(errors(chapters).values()) == {None}
    assert texts(chapters[0]) == ["'alive'"]


USES = """\
import numpy, os, subprocess, sys, yaml
import helper
from pathlib import Path

open("read.csv").read()
Path("notes").mkdir()
Path("notes", "a.tmp").write_text("1")
os.replace("notes/a.tmp", "notes/a.txt")
Path("notes/a.txt").read_text()
with open("log.txt", "a") as log:
    log.write("more")
os.path.exists("asked.csv")
sorted(Path("tables").glob("*.csv")), os.listdir("notes"), os.listdir(), os.listdir("package")
import package.inside
subprocess.run([sys.executable, "-c", "open('made.csv', 'w').write('1')"], check=True)
open("made.csv").read()
os.environ.get("TIDES_PORT"), os.getenv("TIDES_NONE"), os.environ["HOME"]
"""


def test_a_kernel_tells_what_its_chapter_used(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDES_PORT", "Brest")
    monkeypatch.setenv("TIDES_UNUSED", "Dover")
    (tmp_path / "helper.py").write_text("import lower\n")
    (tmp_path / "lower.py").write_text("import json\n")
    for name in ("package", "tables"):
        (tmp_path / name).mkdir()
    (tmp_path / "package" / "inside.py").touch()
    (tmp_path / "tables" / "first.csv").touch()
    (tmp_path / "ran.py").write_text("import lower\nvalue = 3\n")
    for name in ("read.csv", "tried.csv", "log.txt"):
        (tmp_path / name).write_text("1")
    missing = "try:\n    open('missing.csv')\nexcept FileNotFoundError:\n    pass"
    cells = [USES, "%run ran.py", missing, "import os\n\nos.chdir('notes')\nopen('../tried.csv')"]
    (chapter,) = book_of(tmp_path, {"first": cells}, environment="TIDES_*")
    outcome = outcomes([chapter])["first"]
    assert outcome.error is None
    seen = outcome.seen
    assert seen.modules == ("helper.py", "lower.py", "package/inside.py")
    read = ("made.csv", "missing.csv", "ran.py", "read.csv", "tables", "tried.csv")
    assert seen.read == read
    assert seen.written == ("log.txt", "notes/a.txt")
    assert set(seen.environment) == {"TIDES_NONE", "TIDES_PORT"}
    assert seen.environment["TIDES_PORT"] == trace.value_digest("TIDES_PORT")
    assert set(seen.libraries) == {"numpy", "PyYAML"}
    assert chapter.causes() == []

    (tmp_path / "ran.py").write_text("value = 4\n")
    (tmp_path / "missing.csv").touch()
    (tmp_path / "tables" / "second.csv").touch()
    monkeypatch.setenv("TIDES_PORT", "Calais")
    changed = ["missing.csv", "ran.py", "tables", "$TIDES_PORT"]
    assert chapter.causes() == [f"{name} changed" for name in changed]


FOUND = """\
import os, sys, signal, tempfile
import matplotlib, matplotlib.pyplot as plt, numpy

(
    sys.argv[0], sorted(sys.argv[3:]), sys.path, vars(sys.modules["__main__"]) is globals(),
    os.getcwd(), sys.stdin.read() if sys.stdin else None, os.read(0, 1), tempfile.gettempdir(),
    matplotlib.get_backend(), plt.isinteractive(), signal.getsignal(signal.SIGCHLD),
    os.getpgid(0) == os.getpid(), "book" in sys.modules, os.environ.get("OMP_NUM_THREADS"),
)
"""
DRAW = "numpy.random.seed(3)\nplt.plot(numpy.random.rand(5) @ numpy.ones((5, 5)));"
THREADS = """\
import ctypes, glob, numpy
(library,) = glob.glob(numpy.__path__[0] + ".libs/*openblas*")
ctypes.CDLL(library).scipy_openblas_get_num_threads64_()
"""


@pytest.mark.skipif(not FORKS, reason="no kernel is forked here")
def test_forked_kernels_and_others_find_the_same(tmp_path):
    """Kernels in processes of their own are what systems without fork have."""
    chapters = book_of(tmp_path, {"first": [FOUND, DRAW, THREADS], "second": [FOUND, DRAW]})
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    shown = []
    for forks, preload in ((True, ["matplotlib.pyplot", "numpy"]), (True, []), (False, [])):
        with Kernels(Settings(tmp_path, environment, preload), forks=forks) as kernels:
            for chapter in chapters:
                assert execution.execute_in(kernels, chapter).error is None
                copy = nbformat.read(chapter.executed, as_version=4)
                shown.append([cell.outputs for cell in copy.cells if cell.cell_type == "code"])
    assert shown[0][3][-1].data["text/plain"] == "1", "a preloaded library has the threads given"
    assert shown[0] == shown[2] == shown[4]
    assert shown[1] == shown[3] == shown[5]

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FOUND)])
    quiet = ["--log-level=CRITICAL"]
    client = NotebookClient(notebook, kernel_name="python3", extra_arguments=quiet)
    client.execute(cwd=str(tmp_path), env=environment)
    assert notebook.cells[0].outputs[0].data == shown[1][1][0].data, "Jupyter's own kernel"


def test_a_module_of_the_book_is_shared_by_no_kernels(tmp_path):
    """A build takes long enough to edit one, after which old code would pass for new."""
    (module := tmp_path / "tides.py").write_text("range = 'old'\n")
    chapter, *_ = book_of(tmp_path, {"first": ["import tides", "tides.range"]})
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with Kernels(Settings(tmp_path, environment, ["tides", "tabulate"])) as kernels:
        for text in ("'old'", "'newer'"):
            module.write_text(f"range = {text}\n")
            assert execution.execute_in(kernels, chapter).error is None
            assert texts(chapter) == [text]
            assert chapter.causes() == []


def test_forked_kernels_draw_other_random_numbers(tmp_path):
    draw = "import random, numpy\n\nrandom.random(), numpy.random.rand()"
    chapters = book_of(tmp_path, {"first": [draw], "second": [draw]}, preload="numpy")
    assert set(errors(chapters).values()) == {None}
    assert texts(chapters[0]) != texts(chapters[1])


def test_what_a_chapter_started_dies_with_its_kernel(tmp_path):
    start = "import subprocess\n\nsubprocess.Popen(['sleep', '100']).pid"
    chapters = book_of(tmp_path, {"first": [start], "killed": [start, "import os; os.abort()"]})
    found = errors(chapters)
    assert (found["first"], "SIGABRT" in found["killed"]) == (None, True)
    copies = (chapters[0].executed, chapters[1].failed)
    for copy in copies:
        cells = nbformat.read(copy, as_version=4).cells
        process = int(cells[2].outputs[-1].data["text/plain"])
        wait_until(lambda process=process: not is_alive(process), seconds=2)


def test_a_copy_that_cannot_be_written_is_named(tmp_path):
    (chapter,) = book_of(tmp_path, {"first": ["1"]})
    chapter.executed.parent.parent.mkdir(parents=True)
    chapter.executed.parent.write_text("no folder")
    assert errors([chapter])["first"] == f"{chapter.executed}: File exists"


def test_of_a_long_line_that_a_cell_prints_the_beginning_is_passed_on(tmp_path, capsys):
    (chapter,) = book_of(tmp_path, {"first": ["print('long ' * 100_000)"]})
    assert errors([chapter]) == {"first": None}
    assert 5 < len(capsys.readouterr().err) < 1000


def test_a_silent_cell_is_told_of(tmp_path, capsys):
    (chapter,) = book_of(tmp_path, {"first": ["1", "import time\n\ntime.sleep(1.4)"]})
    with execution.kernels_of(chapter.book, 1) as kernels:
        done = engine.execute(read_notebook(chapter.source), chapter, kernels, quiet=0.5)
    assert done.error is None
    assert "first: 1 s in cell 3 of 3: import time\n" in capsys.readouterr().err


WRITES = "from pathlib import Path\n\nPath('table.csv').write_text('{}')"
READS = "print('it reads', open('table.csv').read())"


def test_a_file_is_written_before_it_is_read_and_read_again_when_it_changed(tmp_path):
    write_book(tmp_path, ["reader", "writer"])
    write_chapter(tmp_path / "reader.ipynb", READS)
    write_chapter(tmp_path / "writer.ipynb", "import time\n\ntime.sleep(2)", WRITES.format(1))
    run = build(tmp_path)  # nobody knows the order yet
    assert (run.returncode, last_line(run)) == (0, "chapters: 2 executed, 0 reused, 0 failed")
    assert "reader: executing, because writer wrote table.csv" in run.stdout
    assert "it reads 1" in page(tmp_path, "reader")

    edit(tmp_path / "writer.ipynb", "'1'", "'2'")  # the reader is stale by that only afterwards
    run = build(tmp_path)
    assert "reader: executing, because table.csv changed" in run.stdout
    assert last_line(run) == "chapters: 2 executed, 0 reused, 0 failed"
    assert "it reads 2" in page(tmp_path, "reader")

    edit(tmp_path / "writer.ipynb", "'2'", "'3'")
    edit(tmp_path / "reader.ipynb", "it reads", "it now reads")
    run = build(tmp_path)  # both are stale, and the order is known
    assert run.stdout.count("reader: executing") == 1
    assert "it now reads 3" in page(tmp_path, "reader")


def test_chapters_that_read_each_others_files_are_said(tmp_path):
    cells = "import os\n\nos.path.exists('{0}') and open('{0}').read()\nopen('{1}', 'w').write('1')"
    chapters = book_of(
        tmp_path, {"a": [cells.format("b.txt", "a.txt")], "b": [cells.format("a.txt", "b.txt")]}
    )
    outcomes(chapters)
    outcomes(chapters)  # now both read
    said = []
    pool.execute_all(chapters, lambda outcome: None, said.append)
    assert said == ["chapters a and b read each other's files: in no order"]


SLEEPS = """\
import os, subprocess, time
from pathlib import Path

child = subprocess.Popen(["sleep", "100"])
Path("pid-{0}").write_text(f"{{os.getpid()}} {{child.pid}} {{os.getppid()}}")
time.sleep(100)
"""


@contextlib.contextmanager
def building(folder):
    """A build as a terminal starts it, in a process group of its own."""
    run = subprocess.Popen(
        [Path(sys.executable).with_name("jupyter-book"), "build", "."],
        cwd=folder,
        env={**os.environ, "CONVBOOK_WORKERS": "6"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with run:
        try:
            yield run
        finally:
            run.kill()


def sleeping_book(folder, count):
    names = [f"sleeps{i}" for i in range(count)]
    write_book(folder, ["first", *names])
    long = (
        "'it is quick'"
        + "  # and long: of chapters that were never timed, long ones come first" * 9
    )
    write_chapter(folder / "first.ipynb", long)
    for name in names:
        write_chapter(folder / f"{name}.ipynb", SLEEPS.format(name))


def processes(folder, count):
    """The kernels of the chapters that sleep, what they started, and what they were forked from."""
    wait_until(lambda: len(list(folder.glob("pid-*"))) == count, seconds=60)
    time.sleep(0.2)  # until all are written
    return {int(word) for path in folder.glob("pid-*") for word in path.read_text().split()}


@POSIX
def test_an_interrupt_ends_all_within_two_seconds_and_the_next_build_goes_on(tmp_path):
    sleeping_book(tmp_path, 6)
    with building(tmp_path) as run:
        found = processes(tmp_path, 6)
        wait_until((tmp_path / "_build/.jupyter_cache/executed/first.ipynb").exists)
        time.sleep(0.3)
        began = time.monotonic()
        os.killpg(run.pid, signal.SIGINT)
        said, _ = run.communicate(timeout=20)
        wait_until(lambda: not any(map(is_alive, found)), seconds=2)
        assert time.monotonic() - began < 2
    assert run.returncode == 130
    assert "Traceback" not in said
    told = "interrupted: 1 chapter executed and kept; the next build executes the other 6"
    assert said.strip().splitlines()[-1] == told
    assert not list(tmp_path.glob("_build/.jupyter_cache/executed/*.failed.ipynb"))

    for i in range(6):
        edit(tmp_path / f"sleeps{i}.ipynb", "time.sleep(100)", "'awake'")
    assert last_line(build(tmp_path)) == "chapters: 6 executed, 1 reused, 0 failed"


@pytest.mark.skipif(not FORKS, reason="no kernel is forked here")
@pytest.mark.parametrize("orphans", [False, True])
def test_kernels_die_with_the_process_that_builds(tmp_path, orphans):
    sleeping_book(tmp_path, 2)
    with building(tmp_path) as run:
        found = processes(tmp_path, 2)
        if orphans:
            (forge,) = {int(path.read_text().split()[2]) for path in tmp_path.glob("pid-*")}
            os.kill(forge, signal.SIGKILL)
            time.sleep(0.5)
            assert sum(map(is_alive, found)) == 4
        run.kill()
        wait_until(lambda: not any(map(is_alive, found)), seconds=2)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if not sys.platform.startswith("linux") or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system of 2 MB can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_fails_the_chapters_that_do_not_fit(tmp_path, small_disk):
    large = "import os\n\nprint(os.urandom(1_500_000).hex())"
    chapters = book_of(tmp_path, {"small": ["'fits'"], "large": [large]})
    book = replace(chapters[0].book, build=small_disk)
    chapters = [replace(chapter, book=book) for chapter in chapters]
    full = f"{chapters[1].executed}: {os.strerror(errno.ENOSPC)}"
    assert errors(chapters) == {"small": None, "large": full}
    assert [path.name for path in chapters[0].executed.parent.iterdir()] == ["small.ipynb"]


def test_a_wrong_number_of_workers_is_refused_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVBOOK_WORKERS", "many")
    with pytest.raises(BookError, match=r"CONVBOOK_WORKERS: expected .*, got 'many'"):
        outcomes(book_of(tmp_path, {"first": []}))


def test_a_module_that_names_no_path_is_none_of_the_book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    witness._real_folder.cache_clear()
    odd = types.ModuleType("odd")
    odd.__file__ = "_odd.py"  # as torch.ops says _ops.py
    monkeypatch.setitem(sys.modules, "odd", odd)
    assert witness.imported_files(tmp_path.resolve()) == []
