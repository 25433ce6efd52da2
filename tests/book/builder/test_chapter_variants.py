"""One chapter with several parameter sets: a page each, and a table that compares them."""

import re

import nbformat
import pytest
from books import build, edit, last_line, page, write_book, write_chapter

from book.builder import chapter_variants
from book.builder.errors import BookError

SHOW = """\
from book.report import tables
from book.report.glue import glue

glue(double=2 * number, always=1)
tables.show([["two", 2 * number]], ["what", "value"], name="tab-double", caption="Doubled")"""
WORDS = "#: ## How much\n\n{numref}`tab-double` and {glue:text}`double` in {ref}`here`.\n\n(here)="
WORDS += "\n### A place\n\nWords."


def write_variant(path, **content):
    lines = [f"{name}: {value}\n" for name, value in content.items()]
    path.write_text("".join(lines))


def row(shown, name):
    """The cells of the comparison's row of that name, as text; None without one."""
    for line in re.findall(r"<tr.*?</tr>", shown, re.DOTALL):
        cells = [re.sub(r"<.*?>", "", cell).strip() for cell in line.split("</td>")[:-1]]
        if cells and cells[0] == name:
            return cells[1:]
    return None


def compared(shown):
    """The table of a page that compares it with others."""
    return shown.partition("Parameter sets side by side<a")[2].partition("</table>")[0]


@pytest.mark.slow
def test_a_variant_is_a_page_of_its_own_and_each_page_compares_them_all(tmp_path):
    write_book(tmp_path, ["doubles", "large", "huge"])
    write_chapter(tmp_path / "doubles.ipynb", SHOW, WORDS)
    for name, number in (("large", 1000), ("huge", 1000000)):
        file = tmp_path / f"{name}.variant.yml"
        write_variant(
            file, chapter="doubles", title=f"{name} doubles", parameters=f"{{number: {number}}}"
        )
    run = build(tmp_path)
    assert run.returncode == 0
    assert last_line(run) == "chapters: 3 executed, 0 reused, 0 failed"
    assert "WARNING" not in run.stdout + run.stderr
    large = page(tmp_path, "large")
    assert "<h1>large doubles" in large
    assert 'id="tab-double-large"' in large
    for name in ("doubles", "large", "huge"):
        assert "Parameter sets side by side" in page(tmp_path, name)
        shown = compared(page(tmp_path, name))
        assert row(shown, "number") == ["2", "1,000,000", "1,000"]
        assert row(shown, "double") == ["4", "2,000,000", "2,000"]
        assert row(shown, "always") is None, "it does not differ"
    assert last_line(build(tmp_path)) == "chapters: 0 executed, 3 reused, 0 failed"

    write_variant(
        tmp_path / "huge.variant.yml", chapter="doubles", title="huge", parameters="{number: 7}"
    )
    assert last_line(build(tmp_path)) == "chapters: 1 executed, 2 reused, 0 failed"
    for name in ("doubles", "large", "huge"):
        assert "2,000,000" not in page(tmp_path, name)


@pytest.mark.slow
def test_a_variant_shows_its_chapters_words_and_each_page_the_titles_of_today(tmp_path):
    write_book(tmp_path, ["doubles", "large"])
    write_chapter(tmp_path / "doubles.ipynb", "2 * number", "#: Words of then.")
    file = tmp_path / "large.variant.yml"
    write_variant(file, chapter="doubles", title="Large", parameters="{number: 1000}")
    assert last_line(build(tmp_path)) == "chapters: 2 executed, 0 reused, 0 failed"

    write_variant(file, chapter="doubles", title="Larger", parameters="{number: 1000}")
    assert last_line(build(tmp_path)) == "chapters: 0 executed, 2 reused, 0 failed"
    assert "Larger</" in compared(page(tmp_path, "doubles"))
    edit(tmp_path / "doubles.ipynb", "# Chapter doubles", "# Double")
    edit(tmp_path / "doubles.ipynb", "Words of then.", "Words of now.")
    assert last_line(build(tmp_path)) == "chapters: 0 executed, 2 reused, 0 failed"
    large = page(tmp_path, "large")
    assert "Words of now." in large
    assert "Double</" in compared(large)


@pytest.mark.slow
def test_a_variant_of_a_chapter_that_is_no_page_is_a_page(tmp_path):
    write_book(tmp_path, ["large"])
    write_chapter(tmp_path / "doubles.ipynb", "2 * number", "#: Words of then.")
    file = tmp_path / "large.variant.yml"
    write_variant(file, chapter="doubles", title="Large", parameters="{number: 1000}")
    assert last_line(build(tmp_path)) == "chapters: 1 executed, 0 reused, 0 failed"
    assert "<h1>Large<" in page(tmp_path, "large")
    assert "side by side" not in page(tmp_path, "large")
    edit(tmp_path / "doubles.ipynb", "Words of then.", "Words of now.")
    assert last_line(build(tmp_path)) == "chapters: 0 executed, 1 reused, 0 failed"
    assert "Words of now." in page(tmp_path, "large")


BAD = {
    "{}": "expected chapter: a str; got None",
    "{chapter: double, title: t, parameters: {}}": "unknown chapter 'double'",
    "{chapter: doubles, title: t, parameters: {numbr: 1}}": "doubles has no parameter 'numbr'",
    "{chapter: doubles, title: t, parameters: {number: x}}": "number must be a whole number; got",
    "{chapter: doubles, title: t, parameters: {}, more: 1}": "unknown 'more'",
    "- doubles": "expected names and values",
}


@pytest.mark.parametrize(("content", "message"), BAD.items(), ids=range(len(BAD)))
def test_a_variant_that_cannot_be_is_refused_in_one_line(tmp_path, content, message):
    write_chapter(tmp_path / "doubles.ipynb", SHOW)
    file = tmp_path / "bad.variant.yml"
    file.write_text(content)
    with pytest.raises(BookError) as refused:
        chapter_variants.read(file, tmp_path)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_variant_that_cannot_be_fails_alone(tmp_path):
    """Such as one of a chapter that was renamed, or whose parameters are half typed."""
    write_book(tmp_path, ["doubles", "large", "other"])
    write_chapter(tmp_path / "doubles.ipynb", SHOW)
    write_chapter(tmp_path / "other.ipynb", "print('the other')")
    file = tmp_path / "large.variant.yml"
    write_variant(file, chapter="double", title="large", parameters="{number: 1000}")
    run = build(tmp_path)
    assert (run.returncode, last_line(run)) == (1, "chapters: 2 executed, 0 reused, 1 failed")
    assert "Traceback" not in run.stdout + run.stderr
    assert "chapter large failed: large.variant.yml: unknown chapter 'double'" in run.stderr
    assert "unknown chapter 'double'" in page(tmp_path, "large")
    assert "the other" in page(tmp_path, "other")

    write_variant(file, chapter="doubles", title="large", parameters="{number: 1000}")
    run = build(tmp_path)
    assert (run.returncode, last_line(run)) == (0, "chapters: 1 executed, 2 reused, 0 failed")
    assert row(compared(page(tmp_path, "doubles")), "double") == ["4", "2,000"]


@pytest.mark.slow
def test_what_a_failed_variant_lacks_is_said_by_its_own_line_alone(tmp_path):
    write_book(tmp_path, ["halves", "none"])
    drawn = "import matplotlib.pyplot as plt\n\nplt.plot([1 / number]);"
    seen = "#: See {numref}`fig-half` and {numref}`tab-double`."
    write_chapter(tmp_path / "halves.ipynb", drawn, SHOW, seen)
    notebook = nbformat.read(tmp_path / "halves.ipynb", as_version=4)
    notebook.cells[2].metadata["mystnb"] = {"figure": {"name": "fig-half", "caption": "A half"}}
    nbformat.write(notebook, tmp_path / "halves.ipynb")
    zero = {"chapter": "halves", "title": "Nothing", "parameters": "{number: 0}"}
    write_variant(tmp_path / "none.variant.yml", **zero)
    run = build(tmp_path)
    said = [line for line in run.stderr.splitlines() if "WARNING" in line or "ERROR" in line]
    assert len(said) == 1
    assert "chapter none failed: ZeroDivisionError" in said[0]
    assert "halves.html#tab-double" not in page(tmp_path, "none"), "another page's table"
