"""`jupyter-book build .` executes the chapters that are stale, no others, and says so. Real builds of small books."""

import json

import nbformat
import pytest
from books import build, last_line, write_book, write_chapter

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


def page(book, name):
    return (book / "_build" / "html" / f"{name}.html").read_text()


def edit(book, name, old, new):
    path = book / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_only_what_changed_in_meaning_executes(book):
    assert "doubled: 4" in page(book, "first")
    assert last_line(build(book)) == "chapters: 0 executed, 2 reused, 0 failed"

    edit(book, "first.ipynb", "Some words.", "Other words.")
    edit(book, "helper.py", "    return", "    # a comment\n    return")
    edit(book, "second.ipynb", "print('second says', number)", "print( 'second says', number)  # the same")
    assert last_line(build(book)) == "chapters: 0 executed, 2 reused, 0 failed"
    assert "Other words." in page(book, "first")
    assert "# the same" in page(book, "second")

    edit(book, "helper.py", "2 * number", "3 * number")
    run = build(book)
    assert last_line(run) == "chapters: 1 executed, 1 reused, 0 failed"
    assert "helper.py changed" in run.stdout
    assert "doubled: 6" in page(book, "first")


def test_a_failed_chapter_is_marked_and_the_rest_is_built(book):
    edit(book, "second.ipynb", "print('second says', number)", "raise ValueError('the reason')")
    for _ in range(2):  # the traceback must not vanish the second time
        run = build(book)
        assert run.returncode != 0
        assert last_line(run) == "chapters: 0 executed, 1 reused, 1 failed"
        assert "ValueError: the reason" in run.stdout + run.stderr
        assert "ValueError" in page(book, "second")
        assert "the reason" in page(book, "second")
        assert "doubled: 4" in page(book, "first")
    good = nbformat.read(book / "_build" / "executed" / "second.ipynb", as_version=4)
    assert "second says" in json.dumps(good), "the last good copy is kept"

    edit(book, "second.ipynb", "raise ValueError('the reason')", "print('mended')")
    run = build(book)
    assert (run.returncode, last_line(run)) == (0, "chapters: 1 executed, 1 reused, 0 failed")
    assert "mended" in page(book, "second")


def test_a_page_says_where_its_numbers_come_from(book):
    assert "Where these numbers come from" in page(book, "first")


def test_mathjax_comes_from_the_site_itself(book):
    assert (book / "_build" / "html" / "_static" / "mathjax" / "tex-chtml.js").exists()
    assert "cdn.jsdelivr.net" not in page(book, "first")
