"""Inputs on which a builder may show a wrong page, stop the rest, or execute in vain."""

import json
import os
import time

import nbformat
import pytest
from books import build, edit, last_line, page, write_book, write_chapter

from book.builder import contents
from book.builder.chapters import EXECUTED, Book
from book.builder.errors import BookError
from book.builder.execution import execute
from book.builder.notebooks import read_notebook
from book.builder.options import Options

SAYS = "print('first:', 10 + number)"
MORE = "print('second:', 20 + number)"


def write_old(path, minor, *, ids="none"):
    """A notebook of format 4 whose cells have no ids, or all the same one."""
    write_chapter(path, SAYS, MORE)
    content = json.loads(path.read_text())
    content["nbformat_minor"] = minor
    for cell in content["cells"]:
        del cell["id"]
        if ids == "same":
            cell["id"] = "same"
    path.write_text(json.dumps(content))


def write_version_3(path):
    write_chapter(path, SAYS, MORE)
    notebook = nbformat.convert(nbformat.read(path, as_version=4), to_version=3)
    path.write_text(json.dumps(notebook))


def without_key(path, key):
    content = json.loads(path.read_text())
    for cell in content["cells"]:
        cell.pop(key, None)
    path.write_text(json.dumps(content))


def folder(tmp_path, *names):
    write_book(tmp_path, list(names))
    return tmp_path


def options(**chosen):
    return Options(profiles="profiles", **chosen)


@pytest.mark.slow
def test_whatever_ids_cells_have_all_outputs_are_shown_and_nothing_is_executed_twice(tmp_path):
    folder(tmp_path, "without", "doubled", "version3", "forgotten")
    write_old(tmp_path / "without.ipynb", 4)
    write_old(tmp_path / "doubled.ipynb", 5, ids="same")
    write_version_3(tmp_path / "version3.ipynb")
    write_chapter(tmp_path / "forgotten.ipynb", SAYS, MORE)
    without_key(tmp_path / "forgotten.ipynb", "outputs")
    run = build(tmp_path)
    assert last_line(run) == "chapters: 4 executed, 0 reused, 0 failed", run.stdout + run.stderr
    for name in ("without", "doubled", "version3", "forgotten"):
        assert "first: 12" in page(tmp_path, name)
        assert "second: 22" in page(tmp_path, name)
    assert last_line(build(tmp_path)) == "chapters: 0 executed, 4 reused, 0 failed"


DAMAGES = {
    "bytes": lambda path: path.write_bytes(os.urandom(500)),
    "list": lambda path: path.write_text("[]"),
    "torn": lambda path: path.write_text(path.read_text()[:-200]),
    "deep": lambda path: path.write_text("[" * 200_000),
    "key": lambda path: edit(path, '"runs": {},', ""),
    "older": lambda path: edit(path, '"format": 2', '"format": 1'),
}


@pytest.mark.slow
def test_one_file_never_stops_the_rest(tmp_path):
    names = [*DAMAGES, "good", "empty", "syntax"]
    folder(tmp_path, *names)
    for name in names:
        write_chapter(tmp_path / f"{name}.ipynb", SAYS)
    assert last_line(build(tmp_path)) == "chapters: 9 executed, 0 reused, 0 failed"
    for name, damage in DAMAGES.items():
        damage(tmp_path / "_build" / EXECUTED / f"{name}.ipynb")
    (tmp_path / "empty.ipynb").write_text("[]")
    edit(tmp_path / "syntax.ipynb", "number: int = 2", "number: int = ")
    run = build(tmp_path)
    assert run.returncode != 0
    assert last_line(run) == "chapters: 6 executed, 1 reused, 2 failed"
    assert "chapter empty failed: empty.ipynb is no notebook" in run.stdout + run.stderr
    assert "chapter syntax failed: SyntaxError" in run.stdout + run.stderr
    for name in DAMAGES:
        assert f"chapter {name}: executing, because its executed copy is damaged" in run.stdout
        assert "first: 12" in page(tmp_path, name)
    assert "first: 12" not in page(tmp_path, "empty")
    assert "first: 12" not in page(tmp_path, "syntax")


@pytest.mark.slow
def test_what_is_edited_while_it_executes_is_executed_again(tmp_path):
    folder(tmp_path, "slow")
    rewrite = (
        "from pathlib import Path\n\n"
        "if not Path('rewritten').exists():\n"
        "    Path('rewritten').touch()\n"
        "    source = Path('slow.ipynb')\n"
        "    source.write_text(source.read_text().replace('OLD', 'NEW'))"
    )
    write_chapter(tmp_path / "slow.ipynb", rewrite, "print('says', 'OLD'.lower())")
    run = build(tmp_path)
    assert "chapter slow: executing, because its code changed" in run.stdout
    assert "says new" in page(tmp_path, "slow")
    assert "OLD" not in page(tmp_path, "slow")


@pytest.mark.slow
def test_a_stale_page_shown_all_the_same_shows_what_was_executed_and_says_so(tmp_path):
    folder(tmp_path, "first", "second")
    for name in ("first", "second"):
        write_chapter(tmp_path / f"{name}.ipynb", SAYS, "#: Old words.")
    build(tmp_path)
    edit(tmp_path / "first.ipynb", "10 + number", "1000 + number")
    edit(tmp_path / "second.ipynb", "Old words.", "New words.")

    refused = build(tmp_path, CONVBOOK_FROZEN="1")
    assert refused.returncode != 0
    assert (
        "convbook: frozen, but stale: first (its code changed)" in refused.stdout + refused.stderr
    )

    shown = build(tmp_path, CONVBOOK_FROZEN="1", CONVBOOK_ALLOW_STALE="1")
    assert shown.returncode == 0
    assert last_line(shown).endswith(
        "0 executed, 1 reused, 0 failed, 1 shown as they were executed"
    )
    assert "first: 12" in page(tmp_path, "first")
    assert "1000" not in page(tmp_path, "first")
    assert "This chapter is stale" in page(tmp_path, "first")
    assert "New words." in page(tmp_path, "second")
    assert "This chapter is stale" not in page(tmp_path, "second")

    edit(tmp_path / "first.ipynb", "1000 + number", "10 + number")
    assert last_line(build(tmp_path)) == "chapters: 0 executed, 2 reused, 0 failed"
    assert "This chapter is stale" not in page(tmp_path, "first")

    forced = build(tmp_path, CONVBOOK_FORCE="second")
    assert last_line(forced) == "chapters: 1 executed, 1 reused, 0 failed"


@pytest.mark.slow
def test_contents_are_read_as_jupyter_book_reads_them(tmp_path):
    (tmp_path / "part").mkdir()
    folder(tmp_path, "gone", "code")
    edit(tmp_path / "_toc.yml", "chapters:", "chapters:\n  - glob: part/*")
    for name in ("b", "a"):
        write_chapter(tmp_path / "part" / f"{name}.ipynb", SAYS)
    (tmp_path / "code.md").write_text("# Code\n\n```{code-cell}\nprint(1)\n```\n")
    assert list(contents.listed(tmp_path)) == ["index", "part/a", "part/b", "gone", "code"]
    run = build(tmp_path)
    assert run.returncode != 0
    assert last_line(run) == "the build failed, though no chapter did: see above"
    told = run.stdout + run.stderr
    assert "_toc.yml lists gone, but there is no such file (.ipynb, .md, .rst" in told
    assert "code.md has code cells, which are executed only in notebooks" in told
    assert "first: 12" in page(tmp_path, "part/a")


@pytest.mark.slow
def test_a_module_from_the_future_makes_nothing_stale(tmp_path):
    folder(tmp_path, "first")
    (tmp_path / "helper.py").write_text("TEN = 10\n")
    future = time.time() + 3600
    os.utime(tmp_path / "helper.py", (future, future))
    time.sleep(0.05)
    write_chapter(tmp_path / "first.ipynb", "from helper import TEN\n\nprint(TEN)")
    chapter = Book(tmp_path, tmp_path / "_build").chapter("first", tmp_path / "first.ipynb")
    assert execute(chapter).error is None
    assert chapter.causes() == []


PROFILES = {
    "chapters: [first]": "expected parameters with values under chapters",
    "- first": "expected names and values, got a list",
    "frist: {number: 3}": "unknown chapter 'frist'; did you mean first?",
    "first: {numbr: 3}": "first has no parameter 'numbr'; did you mean number?",
    "'*': {numbr: 3}": "no chapter has 'numbr'; did you mean number?",
    "first: {number: many}": "profile mine: first: number must be a whole number; got 'many'",
    "'*': {number: many}": "profile mine: first: number must be a whole number; got 'many'",
    "first: {number: 3}\nfirst: {number: 4}": "'first' stands twice",
    "first: {number: 3, number: 4}": "'number' stands twice",
    "first: {number: [}": "is no YAML",
    "first: " + "[" * 5000: "is no YAML",
    "varied: {number: 3}": "unknown chapter 'varied'",  # a variant says its parameters itself
}


@pytest.mark.parametrize(("content", "message"), PROFILES.items(), ids=range(len(PROFILES)))
def test_a_profile_that_cannot_be_is_refused_in_one_line(tmp_path, content, message):
    folder(tmp_path, "first", "varied")
    write_chapter(tmp_path / "first.ipynb", SAYS)
    (tmp_path / "varied.variant.yml").write_text("{chapter: first, title: t, parameters: {}}")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.yml").write_text(content)
    with pytest.raises(BookError) as refused:
        Book.configured(tmp_path, tmp_path / "_build", options(profile="mine"))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_profile_may_be_a_file_anywhere(tmp_path):
    folder(tmp_path, "first")
    write_chapter(tmp_path / "first.ipynb", SAYS)
    (tmp_path / "mine.yml").write_text("first: {number: 7}")
    book = Book.configured(
        tmp_path, tmp_path / "_build", options(profile=str(tmp_path / "mine.yml"))
    )
    (chapter,) = book.chapters()
    assert repr(chapter.parameters) == "{'number': 7}"


@pytest.mark.slow
def test_a_parameter_that_is_no_number_is_shown_and_compared_as_itself(tmp_path):
    folder(tmp_path, "first")
    write_chapter(tmp_path / "first.ipynb", "print(rate)", parameters="rate: float = 0.5")
    (tmp_path / "mine.yml").write_text("first: {rate: .nan}")
    book = Book.configured(
        tmp_path, tmp_path / "_build", options(profile=str(tmp_path / "mine.yml"))
    )
    (chapter,) = book.chapters()
    assert execute(chapter).error is None
    assert chapter.causes() == []


def test_a_notebook_that_is_none_is_refused_in_one_line(tmp_path):
    for content in ("[]", "{}", '{"cells": [', "", "null", '{"nbformat": 4, "cells": {}}'):
        (tmp_path / "bad.ipynb").write_text(content)
        with pytest.raises(BookError, match=r"bad\.ipynb is no notebook") as refused:
            read_notebook(tmp_path / "bad.ipynb")
        assert "\n" not in str(refused.value)
