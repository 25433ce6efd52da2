"""`jupyter-book build .` executes the chapters that are stale, no others, and says so. Real builds
of small books.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from books import build, edit, last_line, page, write_book, write_chapter

from book.builder import staleness
from book.builder.chapters import EXECUTED, Book
from book.builder.execution import execute
from book.report.figures import STYLE

pytestmark = pytest.mark.slow

HELPER = "def double(number):\n    return 2 * number\n"
USES_HELPER = "from helper import double\n\nprint('doubled:', double(number))"


@pytest.fixture
def book(tmp_path):
    write_book(tmp_path, ["first", "second"])
    (tmp_path / "helper.py").write_text(HELPER)
    write_chapter(tmp_path / "first.ipynb", USES_HELPER, "#: Some words.")
    write_chapter(tmp_path / "second.ipynb", "print('second says', number)")
    assert last_line(build(tmp_path)) == "chapters: 2 executed, 0 reused, 0 failed"
    return tmp_path


def test_only_what_changed_in_meaning_executes(book):
    assert "doubled: 4" in page(book, "first")
    assert last_line(build(book)) == "chapters: 0 executed, 2 reused, 0 failed"

    edit(book / "first.ipynb", "Some words.", "Other words.")
    edit(book / "helper.py", "    return", "    # a comment\n    return")
    edit(
        book / "second.ipynb",
        "print('second says', number)",
        "print( 'second says', number)  # the same",
    )
    assert last_line(build(book)) == "chapters: 0 executed, 2 reused, 0 failed"
    assert "Other words." in page(book, "first")
    assert "# the same" in page(book, "second")

    edit(book / "helper.py", "2 * number", "3 * number")
    run = build(book)
    assert last_line(run) == "chapters: 1 executed, 1 reused, 0 failed"
    assert "helper.py changed" in run.stdout
    assert "doubled: 6" in page(book, "first")


def digest_of(source, *tags):
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})
    return staleness.code_digest(nbformat.v4.new_notebook(cells=[cell]))


def test_what_hides_a_value_or_skips_a_cell_is_code():
    """Jupyter shows no value of an expression before a semicolon."""
    shown, hidden = digest_of("x = 'ü'\nx"), digest_of("x = 'ü'\nx;")
    assert shown != hidden
    assert hidden == digest_of("x = 'ü'\nx ;  # nothing\n\n")
    assert shown == digest_of("x = 'ü';\r\nx  # ;") == digest_of("x = 'ü'; x\n")
    assert digest_of("x = 2") == digest_of("x = 2;"), "it has no value"
    assert digest_of("x", "skip-execution") != digest_of("x") == digest_of("x", "hide-input")


def test_a_failed_chapter_is_marked_and_the_rest_is_built(book):
    edit(book / "second.ipynb", "print('second says', number)", "raise ValueError('the reason')")
    for _ in range(2):  # the traceback must not vanish the second time
        run = build(book)
        assert run.returncode != 0
        assert last_line(run) == "chapters: 0 executed, 1 reused, 1 failed"
        assert "ValueError: the reason" in run.stdout + run.stderr
        assert "ValueError" in page(book, "second")
        assert "the reason" in page(book, "second")
        assert "doubled: 4" in page(book, "first")
    good = nbformat.read(book / "_build" / EXECUTED / "second.ipynb", as_version=4)
    assert "second says" in json.dumps(good), "the last good copy is kept"

    edit(book / "second.ipynb", "raise ValueError('the reason')", "print('mended')")
    run = build(book)
    assert (run.returncode, last_line(run)) == (0, "chapters: 1 executed, 1 reused, 0 failed")
    assert "mended" in page(book, "second")


def test_a_file_that_is_no_notebook_fails_alone(book):
    (book / "second.ipynb").write_text('{"cells": [')
    run = build(book)
    assert run.returncode != 0
    assert last_line(run) == "chapters: 0 executed, 1 reused, 1 failed"
    assert "chapter second failed: second.ipynb is no notebook" in run.stdout + run.stderr
    assert "This chapter cannot be shown" in page(book, "second")
    assert "doubled: 4" in page(book, "first")


def chapter(folder, name):
    return Book(folder, folder / "_build").chapter(name, folder / f"{name}.ipynb")


def test_a_module_that_changes_while_its_chapter_runs_makes_it_stale(tmp_path):
    (tmp_path / "helper.py").write_text(HELPER)
    new = HELPER.replace("2", "3")
    change = f"from pathlib import Path\n\nPath('helper.py').write_text({new!r})"
    write_chapter(tmp_path / "first.ipynb", "import time\n\ntime.sleep(0.1)", USES_HELPER, change)
    assert execute(chapter(tmp_path, "first")).error is None
    assert chapter(tmp_path, "first").causes() == ["helper.py changed"]


def test_a_kernel_has_its_threads_and_its_caller_keeps_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    write_chapter(
        tmp_path / "first.ipynb", "import os\n\nassert os.environ['OMP_NUM_THREADS'] == '3'"
    )
    assert execute(chapter(tmp_path, "first"), threads=3).error is None
    assert os.environ["OMP_NUM_THREADS"] == "5"


def test_a_chapter_with_figures_depends_on_their_style(tmp_path):
    write_chapter(
        tmp_path / "first.ipynb", "from book.report import figures\n\nfigures.use_style()"
    )
    assert execute(chapter(tmp_path, "first")).error is None
    assert str(STYLE) in chapter(tmp_path, "first").stamp().data


def test_a_half_written_module_is_a_change_like_any_other(tmp_path):
    (tmp_path / "helper.py").write_text(HELPER)
    write_chapter(tmp_path / "first.ipynb", USES_HELPER)
    assert execute(chapter(tmp_path, "first")).error is None
    (tmp_path / "helper.py").write_text("def double(number:")
    assert chapter(tmp_path, "first").causes() == ["helper.py changed"]


def test_a_notebook_whose_cells_have_no_ids_is_a_chapter_too(tmp_path):
    write_chapter(tmp_path / "old.ipynb", "print('said', number)")
    notebook = json.loads((tmp_path / "old.ipynb").read_text())
    notebook["nbformat_minor"] = 4
    for cell in notebook["cells"]:
        del cell["id"]
    (tmp_path / "old.ipynb").write_text(json.dumps(notebook))
    assert execute(chapter(tmp_path, "old")).error is None
    assert chapter(tmp_path, "old").causes() == []


def test_an_error_of_several_lines_is_told_whole(tmp_path):
    write_chapter(
        tmp_path / "first.ipynb", "raise ValueError('no data.\\nTo get them:\\n  1. this;')"
    )
    assert execute(chapter(tmp_path, "first")).error == "ValueError: no data. To get them: 1. this;"


def test_a_page_says_where_its_numbers_come_from(book):
    assert "Where these numbers come from" in page(book, "first")


def test_executed_copies_survive_a_clean_and_serve_on_another_machine(book, tmp_path_factory):
    program = Path(sys.executable).with_name("jupyter-book")
    subprocess.run([program, "clean", "."], cwd=book, check=True, capture_output=True)
    assert not (book / "_build" / "html").exists()
    assert last_line(build(book)) == "chapters: 0 executed, 2 reused, 0 failed"

    other = tmp_path_factory.mktemp("machine") / "elsewhere"
    shutil.copytree(book, other, ignore=shutil.ignore_patterns("html", ".doctrees"))
    assert last_line(build(other)) == "chapters: 0 executed, 2 reused, 0 failed"
    assert "doubled: 4" in page(other, "first")
