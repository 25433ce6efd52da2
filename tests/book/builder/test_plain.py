"""An executed notebook outside Sphinx: values in its words, no role and no directive."""

import re
from pathlib import Path

import nbformat
import pytest
from books import write_book
from hypothesis import given
from hypothesis import strategies as st

from book.builder.captions import captioned
from book.builder.elsewhere import Elsewhere
from book.builder.notebooks import read_notebook
from book.builder.overlay import as_executed
from book.builder.plain_notebook import plain_notebook
from book.builder.plain_roles import PlainRoles
from book.builder.plain_words import plain
from book.builder.works import Work, works

ROOT = Path(__file__).resolve().parents[3]
CHAPTERS = sorted((ROOT / "book").glob("*/*.ipynb"))
KERNEL = {"name": "python3", "display_name": "Python 3"}
GLUED = "application/papermill.record/text/plain"
MYST = re.compile(r"\{[a-z:]+\}`|^:{3,}|^`{3,}\{|^:name:|^\([\w-]+\)=$", re.MULTILINE)

ROLES = PlainRoles(
    values={"seeds": "5", "share": "0.861", "name": "'conv1_1'", "many": "16777216"},
    labels={"tab-a": "Table 1", "fig-a": "Figure 2", "eq-a": "(1)", "sec-a": "“The answer”"},
    works={"a2015": Work("Ioffe and Szegedy", "2015", "…"), "b1998": Work("LeCun", "1998", "…")},
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trained {glue:text}`seeds` times", "trained 5 times"),
        ("{glue:text}`share:.0%` of {glue:text}`many:,}`", "86% of 16777216"),
        ("{glue:text}`many:,` and {glue}`seeds`", "16,777,216 and 5"),
        ("{glue:text}`name`", r"conv1\_1"),
        ("{glue:text}`never-glued:.2f`", "`never-glued`"),
        ("{numref}`tab-a`, {numref}`fig-a`", "Table 1, Figure 2"),
        ("{numref}`see %s <tab-a>`, {numref}`here <tab-a>`", "see 1, here"),
        ("equation {eq}`eq-a`, {ref}`sec-a`, {ref}`there <sec-a>`",
         "equation (1), “The answer”, there"),
        ("{cite:t}`a2015` say {cite:p}`a2015,b1998`",
         "Ioffe and Szegedy (2015) say (Ioffe and Szegedy 2015; LeCun 1998)"),
        ("{doc}`the words <other>`, {doc}`other`", "the words, other"),
        ("{math}`x^2`, {kbd}`Ctrl-C`, {abbr}`MAC (a product)`", "$x^2$, Ctrl-C, MAC (a product)"),
        ("`{glue:text}` is code, and ``{x}`y` ``", "`{glue:text}` is code, and ``{x}`y` ``"),
        ("a set {1, 2} and `code`", "a set {1, 2} and `code`"),
    ],
)  # fmt: skip
def test_a_role_becomes_words(text, words):
    assert plain(text, ROLES) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (":::{table} Heights\n:name: tab-a\n\n| a |\n|---|\n| {glue:text}`seeds` |\n:::",
         "**Table 1.** Heights\n\n| a |\n|---|\n| 5 |"),
        ("```{figure} a.png\n:name: fig-a\n:alt: Waves\nAll {glue:text}`seeds`.\n```",
         "![Waves](a.png)\n\n**Figure 2.** All 5."),
        ("::::{admonition} From where\n:class: a\n- {glue}`seeds` runs\n\n:::{tip}\nb\n:::\n::::",
         "> **From where**\n>\n> - 5 runs\n>\n> > **Tip**\n> >\n> > b"),
        (":::{warning}\nNo `{glue}`.\n:::", "> **Warning**\n>\n> No `{glue}`."),
        ("```{math}\n:label: eq-a\nx\n```", "$$\nx \\tag{1}\n$$"),
        ("$$\nx\n$$ (eq-a)\n\n$$ y $$ (eq-b)", "$$\nx \\tag{1}\n$$\n\n$$ y $$"),
        ("```{code-block} python\n---\nlineno: 1\n---\nx = {}\n```", "```python\nx = {}\n```"),
        ("```text\n{glue}`seeds`\n:::{note}\n```", "```text\n{glue}`seeds`\n:::{note}\n```"),
        ("(sec-a)=\n# Title\n\n% a comment\n+++\nend", "# Title\n\nend"),
        ("a\n\n```{bibliography}\n:filter: all\n```\n", "a\n\n"),
        ("````{only} html\n```{rubric} Works\n```\nwords\n````", "**Works**\n\nwords"),
        (":::{never-heard-of} An argument\n:key: value\n\ncontent {kbd}`x`\n:::",
         "**An argument**\n\ncontent x"),
        (":::{note}\nwithout an end", "> **Note**\n>\n> without an end"),
    ],
)  # fmt: skip
def test_a_directive_becomes_a_plain_block_whatever_it_is(text, words):
    assert plain(text, ROLES) == words


@given(st.lists(st.text("ab1 .,*_`$|#>-\\", max_size=30), max_size=6).map("\n".join))
def test_plain_markdown_stays_as_it_is(text):
    fenced = re.search(r"^ {0,3}`{3,}", text, re.MULTILINE)
    assert fenced or plain(text, ROLES) == text


@given(st.text(max_size=80))
def test_no_text_is_refused(text):
    assert isinstance(plain(text, ROLES), str)
    assert isinstance(plain(f":::{{table}} {text}\n{text}", ROLES), str)


def executed(*cells):
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    notebook.metadata = {"kernelspec": KERNEL, "papermill": {}, "convbook": {}}
    return notebook


def glued(name, value):
    return nbformat.v4.new_output(
        "display_data", data={GLUED: value}, metadata={"scrapbook": {"name": name}}
    )


def a_table(name):
    data, metadata = captioned("| a |\n|---|\n| 1 |", name=name, caption="Some heights")
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def test_a_table_is_readable_where_jupyter_shows_it():
    shown = a_table("tab-heights").data["text/markdown"]
    assert shown.startswith("**Table.** Some heights\n\n| a |")
    assert ":name:" not in shown


def test_a_copy_carries_values_captions_numbers_and_works(tmp_path):
    write_book(tmp_path, ["range", "other"])
    (tmp_path / "other.md").write_text("# The other page\n\n(there)=\n## There\n")
    config = tmp_path / "_config.yml"
    config.write_text(f"bibtex_bibfiles: [a.bib]\n{config.read_text()}")
    (tmp_path / "a.bib").write_text(
        "@book{darwin, author={Darwin, G.}, title={The_Tides}, publisher={Murray}, year={1898}}"
        "@book{other, author={Other, O.}, title={Another}, publisher={Murray}, year={1900}}"
    )
    words = (
        "# Range\n\n{glue:text}`high:.1f` m, {numref}`tab-b`, {numref}`fig-a`; {doc}`other`, "
        "{ref}`there`, {cite:t}`darwin`."
    )
    metadata = {"mystnb": {"figure": {"name": "fig-a", "caption": "High: {glue:text}`high`."}}}
    figure = nbformat.v4.new_code_cell("draw()", id="fig", metadata=metadata)
    figure.outputs = [nbformat.v4.new_output("display_data", data={"text/plain": "a figure"})]
    tables = nbformat.v4.new_code_cell("show()", id="tab", outputs=[a_table("tab-a")])
    tables.outputs += [a_table("tab-b"), glued("high", "4.25")]
    notebook = executed(nbformat.v4.new_markdown_cell(words, id="words"), tables, figure)
    copy = plain_notebook(as_executed(notebook, {}), tmp_path, "range")
    nbformat.validate(copy)
    assert copy.cells[0].source == (
        "# Range\n\n4.2 m, Table 2, Figure 1; “The other page”, “The other page”, Darwin (1898)."
    )
    second = copy.cells[1].outputs[1].data["text/markdown"]
    assert second == "**Table 2.** Some heights\n\n| a |\n|---|\n| 1 |"
    assert copy.cells[3].source == "**Figure 1.** High: 4.25."
    assert copy.cells[-1].source.startswith("## References\n\n- G. Darwin")
    assert "Another" not in copy.cells[-1].source, "only what is cited"
    assert set(copy.metadata) == {"kernelspec"}


def test_a_reference_leads_to_the_published_page_where_there_is_one(tmp_path):
    write_book(tmp_path, ["part/a", "part/b"])
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "a.md").write_text("# First\n\n```{figure-of} tab-b\n```\n")
    (tmp_path / "part" / "b.md").write_text("# The *second*\n\n:::{table} T\n:name: tab-b\n:::\n")
    assert Elsewhere(tmp_path, "part/a").page("b") == "“The *second*”"
    config = tmp_path / "_config.yml"
    config.write_text(f"html: {{baseurl: 'https://tides.example/book/'}}\n{config.read_text()}")
    there = Elsewhere(tmp_path, "part/a")
    link = "[The *second*](https://tides.example/book/part/b.html)"
    assert [there.page("b"), there.page("/part/b"), there.holder("tab-b")] == [link] * 3
    assert there.page("../no/page") == "../no/page"
    assert there.holder("tab-nowhere") == "tab-nowhere"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_no_chapter_keeps_a_role_or_a_directive(chapter):
    name = chapter.relative_to(ROOT).with_suffix("").as_posix()
    copy = plain_notebook(as_executed(read_notebook(chapter), {}), ROOT, name)
    left = {
        cell.id: MYST.findall(cell.source) for cell in copy.cells if cell.cell_type == "markdown"
    }
    assert {name: found for name, found in left.items() if found} == {}
    source = read_notebook(chapter)
    code = [cell.source for cell in source.cells if cell.cell_type == "code"]
    assert [cell.source for cell in copy.cells if cell.cell_type == "code"] == code


def test_every_work_of_the_book_has_authors_a_year_and_an_entry():
    found = works(ROOT)
    assert len(found) > 20
    assert all(work.authors and work.year.isdecimal() and work.entry for work in found.values())
    assert found["ioffe2015batch"].authors == "Ioffe and Szegedy"
    assert found["lecun1998gradient"].authors == "LeCun et al."
