"""A table of all runs in a small book: built, then sorted and filtered in a real browser."""

import json
import shutil
from pathlib import Path

import pytest
from books import BUILD_SECONDS, build, edit, last_line, page, write_book, write_chapter
from browser import MISSING, browser

from models.records import read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(BUILD_SECONDS)]

PUBLISHED = Path(__file__).parents[3] / "book" / "runs"
LIST = """
from book.appendix import run_list, run_records
from book.builder import trace

run_list.show(run_records.all_runs(trace.used_runs()), "Every run")
"""
USE = "from book.builder.trace import show_runs\n\nshow_runs({keys})"


@pytest.fixture(scope="module")
def published():
    """The published records of runs on 500 images, by their key."""
    found = {path.stem: read(path) for path in sorted(PUBLISHED.glob("*.json"))}
    return {
        key: record for key, record in found.items() if record.diagnostics["train_examples"] == 500
    }


@pytest.fixture(scope="module")
def book(tmp_path_factory, published):
    """A book with a page that lists its runs, and one that uses the first two."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "records").mkdir()
    for key in published:
        shutil.copy(PUBLISHED / f"{key}.json", folder / "records")
    write_book(folder, ["part/every", "part/some_use"])
    (folder / "part").mkdir()
    write_chapter(folder / "part" / "every.ipynb", LIST)
    write_chapter(folder / "part" / "some_use.ipynb", USE.format(keys=list(published)[:2]))
    run = built(folder)
    assert last_line(run) == "chapters: 2 executed, 0 reused, 0 failed", run.stdout + run.stderr
    return folder


def built(folder):
    return build(folder, "-W", CONVBOOK_RUNS=str(folder / "records"))


def records(folder):
    return {path.stem for path in (folder / "_build" / "html" / "_records").iterdir()}


def test_the_page_has_a_row_a_run_that_leads_to_its_record_and_its_users(book, published):
    text = page(book, "part/every")
    assert text.count('<tr><th scope="row">') == len(published)
    first = next(iter(published))
    assert f'href="../_records/{first}.json"' in text
    served = book / "_build" / "html" / "_records" / f"{first}.json"
    assert served.read_bytes() == (PUBLISHED / f"{first}.json").read_bytes()
    assert text.count('<a href="some_use.html">some use</a>') == 2
    assert records(book) == published.keys()
    assert "sortable.js" in text
    assert "sortable" not in page(book, "part/some_use")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def opened(book, reader):
    """A function that opens the page, with a fragment of its address."""

    def opened(fragment="", width=1440):
        reader.screen(width)
        reader.open("about:blank")
        reader.open((book / "_build" / "html" / "part" / "every.html").as_uri() + fragment)
        return reader

    return opened


needs_browser = pytest.mark.skipif(MISSING, reason="needs Chromium: apt-get install chromium")
HEADS = "[...document.querySelectorAll('table.sortable thead th')]"
HEAD = HEADS + ".find(one => one.innerText.startsWith('{}'))"


def column(reader, name):
    """What the rows that are shown say in a column, from top to bottom."""
    return reader.value(
        f"(() => {{ const index = {HEAD.format(name)}.cellIndex;"
        "return [...document.querySelectorAll('table.sortable tbody tr')]"
        ".filter(row => row.offsetHeight)"
        ".map(row => row.cells[index].innerText) })()"
    )


def choose(reader, name, value):
    """Do what a reader does who fills in a field."""
    reader.value(
        f"(() => {{ const field = document.querySelector('form.filters [name=\"{name}\"]');"
        f"field.value = {json.dumps(value)};"
        "field.dispatchEvent(new Event('input', { bubbles: true })) })()"
    )


def count(reader):
    return reader.value("document.querySelector('form.filters output').innerText")


@needs_browser
def test_a_click_on_a_head_sorts_by_number_and_a_second_one_turns_round(opened, published):
    shown = opened()
    shown.value(f"{HEAD.format('test acc')}.querySelector('button').click()")
    rising = [float(text) for text in column(shown, "test acc")]
    assert rising == sorted(rising)
    assert len(rising) == len(published)
    assert shown.value(f"{HEAD.format('test acc')}.ariaSort") == "ascending"
    shown.value(f"{HEAD.format('test acc')}.querySelector('button').click()")
    assert [float(text) for text in column(shown, "test acc")] == rising[::-1]
    assert shown.value("document.querySelectorAll('[aria-sort]').length") == 1


@needs_browser
def test_a_head_is_reached_and_pressed_by_the_keyboard(opened):
    shown = opened()
    shown.value(f"{HEAD.format('minutes')}.querySelector('button').focus()")
    for kind in ("rawKeyDown", "char", "keyUp"):
        shown.call(
            "Input.dispatchKeyEvent", type=kind, key="Enter", text="\r", windowsVirtualKeyCode=13
        )
    minutes = [float(text) for text in column(shown, "minutes")]
    assert minutes == sorted(minutes)


@needs_browser
def test_fields_filter_together_and_the_count_is_said(opened, published):
    shown = opened()
    assert count(shown) == f"{len(published)} of {len(published)} runs"
    choose(shown, "norm", "batch")
    assert set(column(shown, "norm")) == {"batch"}
    choose(shown, "seed", "3")
    fitting = [one for one in published.values() if (one.spec.norm, one.spec.seed) == ("batch", 3)]
    assert count(shown) == f"{len(fitting)} of {len(published)} runs"
    choose(shown, "words", "no such word")
    assert column(shown, "norm") == []
    shown.value("document.querySelector('form.filters [type=reset]').click()")
    assert count(shown) == f"{len(published)} of {len(published)} runs"


@needs_browser
def test_a_page_that_uses_runs_is_chosen_by_its_name(opened):
    shown = opened()
    choose(shown, "used by", "some use")
    assert count(shown).startswith("2 of ")


@needs_browser
def test_the_address_keeps_what_was_chosen(opened):
    shown = opened()
    choose(shown, "norm", "batch")
    shown.value(f"{HEAD.format('test acc')}.querySelector('button').click()")
    before, fragment = column(shown, "run"), shown.value("location.hash")
    again = opened(fragment)
    assert column(again, "run") == before
    assert again.value("document.querySelector('[name=norm]').value") == "batch"
    assert again.complaints() == []


@needs_browser
def test_the_heads_and_the_first_column_stay_in_view_on_a_phone(opened):
    shown = opened(width=390)
    assert shown.value("document.documentElement.scrollWidth <= innerWidth")
    moved = shown.value(
        "(() => { const table = document.querySelector('table.sortable');"
        "const box = table.parentElement; box.style.maxHeight = '200px';"
        "box.scrollTo(500, 300);"
        "const near = (cell, side) => Math.abs(cell.getBoundingClientRect()[side]"
        " - box.getBoundingClientRect()[side]);"
        "return [box.scrollLeft, box.scrollTop, near(table.tHead.rows[0].cells[0], 'left'),"
        "near(table.tHead.rows[0].cells[0], 'top'), near(table.rows[9].cells[0], 'left')] })()"
    )
    assert moved[:2] == [500, 300]
    assert max(moved[2:]) < 2


def test_a_page_that_uses_other_runs_now_has_the_list_made_anew(book, published):
    assert last_line(built(book)) == "chapters: 0 executed, 2 reused, 0 failed"
    _, second, third, *_ = published
    edit(book / "part" / "some_use.ipynb", f"'{second}'", f"'{second}', '{third}'")
    assert last_line(built(book)) == "chapters: 2 executed, 0 reused, 0 failed"
    assert page(book, "part/every").count('<a href="some_use.html">some use</a>') == 3


def test_a_record_that_is_new_or_gone_changes_the_list_alone(book, published):
    *_, last = published
    (book / "records" / f"{last}.json").unlink()
    assert last_line(built(book)) == "chapters: 1 executed, 1 reused, 0 failed"
    assert records(book) == published.keys() - {last}
