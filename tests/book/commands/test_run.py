"""`python -m book run`: one chapter with other parameters, into a file of one's own."""

import html
import re

import nbformat
import papermill
import pytest
from books import book, edit, write_book, write_chapter
from nbclient import NotebookClient

from book.__main__ import main
from book.builder.notebooks import code_cells
from book.commands.run import scalar

USES_HELPER = "from helper import double\n\nprint('doubled:', double(number))"
CHECKED = "from book.report import parameters\n\nparameters.check(number=parameters.whole(1))"
TYPED = """\
from typing import Literal

number: int = 2  # a number
kind: Literal["a", "b"] = "a"
code: str = "0"
rate: float = 0.5
sides: list[int] = [
    1,
    2,
]"""
SHOWS = """\
from IPython.display import Markdown
from myst_nb import glue

glue("sum", number + len(sides))
print(repr((number, kind, code, rate, sides)))
Markdown("A formula: $x^2$")"""


@pytest.fixture
def folder(own_folders, monkeypatch):
    write_book(own_folders, ["part/first", "part/second", "typed"])
    (own_folders / "part").mkdir()
    (own_folders / "helper.py").write_text("def double(number):\n    return 2 * number\n")
    write_chapter(own_folders / "part" / "first.ipynb", CHECKED, USES_HELPER)
    write_chapter(own_folders / "part" / "second.ipynb", CHECKED, "print('second says', number)")
    words = "#: The sum is {glue:text}`sum`."
    write_chapter(own_folders / "typed.ipynb", SHOWS, words, parameters=TYPED)
    monkeypatch.delenv("CONVBOOK_PROFILE", raising=False)
    return own_folders


@pytest.mark.slow
def test_a_chapter_runs_with_other_parameters_into_a_notebook_of_its_own(folder):
    done = book(folder, "run", "first", "-p", "number", "21")
    assert done.returncode == 0, done.stderr
    output = folder / "first.out.ipynb"
    assert done.stdout.endswith(f"{output}\n")
    executed = nbformat.read(output, as_version=4)
    assert "doubled: 42" in code_cells(executed)[-1].outputs[0].text
    assert not (folder / "_build").exists(), "the book's own copies stay as they are"
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []


@pytest.mark.slow
def test_a_chapter_that_fails_leaves_its_notebook_and_status_1(folder):
    edit(
        folder / "part" / "second.ipynb",
        "print('second says', number)",
        "raise ValueError('the reason')",
    )
    failed = book(folder, "run", "part/second.ipynb", "-o", "mine.ipynb")
    assert failed.returncode == 1
    assert failed.stderr.splitlines() == [
        f"python -m book run: error: ValueError: the reason (see {folder / 'mine.ipynb'})"
    ]
    assert "the reason" in (folder / "mine.ipynb").read_text()


@pytest.mark.slow
def test_a_value_that_the_chapter_refuses_is_a_mistake(folder):
    failed = book(folder, "run", "second", "-p", "number", "-1")
    assert failed.returncode == 2
    assert failed.stderr.splitlines() == [
        "python -m book run: error: number must be a whole number of at least 1; got -1"
    ]
    assert not list(folder.glob("*.out.ipynb"))


@pytest.mark.slow
def test_typed_values_arrive_as_they_were_meant(folder):
    values = {"number": "7", "kind": "b", "code": "'029'", "rate": "1e-3"}
    given = [word for name, value in values.items() for word in ("-p", name, value)]
    done = book(folder, "run", "typed", *given, "-o", "page.html")
    assert done.returncode == 0, done.stderr
    page = (folder / "page.html").read_text()
    words = html.unescape(re.sub("<[^>]+>", "", page))
    assert "(7, 'b', '029', 0.001, [1, 2])" in words
    assert "The sum is 9." in words
    assert "Where these numbers come from" in words
    assert "value here" in words, "the table of parameters"
    assert "<math " in page, "formulas are set"
    assert "div.formulas { overflow-x: auto;" in page, "the page is no wider than a telephone"
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", without_scripts(page))
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []


def without_scripts(page):
    return re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)


def prose(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def printed(notebook):
    outputs = (output for cell in code_cells(notebook) for output in cell.outputs)
    return [output.text for output in outputs if output.output_type == "stream"]


@pytest.mark.slow
def test_what_it_leaves_has_the_numbers_in_its_words_and_executes_again(folder):
    assert book(folder, "run", "typed", "-p", "number", "7").returncode == 0
    left = nbformat.read(folder / "typed.out.ipynb", as_version=4)
    assert "The sum is 9." in prose(left)
    assert "> **Where these numbers come from**" in prose(left)
    assert printed(left) == ["(7, 'a', '0', 0.5, [1, 2])\n"]
    again = nbformat.from_dict(left)
    NotebookClient(again, resources={"metadata": {"path": str(folder)}}).execute()
    assert printed(again) == printed(left)
    assert prose(again) == prose(left)


@pytest.mark.slow
def test_fill_puts_the_numbers_into_what_papermill_has_executed(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    kernel = {"kernel_name": "python3", "language": "python", "progress_bar": False}
    papermill.execute_notebook("typed.ipynb", "out.ipynb", {"number": 7}, **kernel)
    assert main(["fill", "out.ipynb"]) == 0
    assert capsys.readouterr().out == "filled out.ipynb: out.filled.ipynb\n"
    filled = nbformat.read(folder / "out.filled.ipynb", as_version=4)
    assert "The sum is 9." in prose(filled)
    assert "number: int = 7" in code_cells(filled)[0].source
    assert main(["fill", "out.ipynb", "-o", "out.ipynb"]) == 2
    assert "is the notebook itself" in capsys.readouterr().err


def test_fill_refuses_what_was_not_executed(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["fill", "typed.ipynb"]) == 2
    told = capsys.readouterr().err
    assert "expected an executed notebook, but no cell of typed.ipynb has an output" in told
    assert told.count("\n") == 1
    assert not (folder / "typed.filled.ipynb").exists()


@pytest.mark.slow
def test_the_profile_of_the_configuration_counts_and_that_of_the_environment_does_not(folder):
    (folder / "own").mkdir()
    (folder / "own" / "mine.yml").write_text("part/second: {number: 21}\n")
    (folder / "own" / "other.yml").write_text("part/second: {number: 5}\n")
    path = folder / "_config.yml"
    lines = path.read_text().splitlines()
    kept = [line for line in lines if "convbook_profiles" not in line]
    own = ["    convbook_profiles: own", "    convbook_profile: mine"]
    path.write_text("\n".join([*kept, *own, ""]))
    done = book(folder, "run", "second", CONVBOOK_PROFILE="other")
    assert done.returncode == 0, done.stderr
    assert "second says 21" in (folder / "second.out.ipynb").read_text()
    assert book(folder, "run", "second", "-p", "number", "3").returncode == 0
    assert "second says 3" in (folder / "second.out.ipynb").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "kind", "c"], "kind must be one of 'a', 'b'; got 'c'"),
        (["-p", "number", "1e400"], "number must be a whole number; got '1e400'"),
        (["-p", "number", "2.5"], "number must be a whole number; got 2.5"),
        (["-p", "code", "29"], "code must be a text; got 29"),
        (["-p", "rate", "fast"], "rate must be a number; got 'fast'"),
        (["-p", "sides", "3"], "sides must be a list; got 3"),
        (["-o", "."], "is a folder: give a name in it"),
        (["-o", "typed.pdf"], "expected a file whose name ends in .ipynb or .html, got typed.pdf"),
        (["-o", "typed"], "expected a file whose name ends in .ipynb or .html, got typed"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_executes(
    arguments, message, folder, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    try:
        assert main(["run", "typed", *arguments]) == 2
    finally:
        told = capsys.readouterr()
    assert message in told.err
    assert told.err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "value"),
    [("029", "029"), ("'029'", "029"), ("5", 5), ("1e-3", 0.001), ("-2E+1", -20.0), ("nan", "nan"),
     (".inf", float("inf")), ("1e400", "1e400"), ("[1, 2]", [1, 2]), ("''", ""), ("None", None)],
)  # fmt: skip
def test_a_value_is_read_as_yaml_writes_it(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)
