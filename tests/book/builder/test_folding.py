"""What a page folds, and the table of its parameters."""

import nbformat
import pytest
from books import build, write_book, write_chapter

from book.builder.declared import meanings
from book.builder.folding import PLUMBING, fold, parameters_box
from book.builder.notebooks import tags

CELL = """\
from typing import Optional

dataset: str = "mnist"  # mnist | mnist5k
# images a step,
# at most
batch_size: int = 128
lr: Optional[float] = None
"""


def test_a_parameters_meaning_is_the_comment_beside_or_above_it():
    assert meanings(CELL) == {
        "dataset": "mnist | mnist5k",
        "batch_size": "images a step, at most",
        "lr": "",
    }


@pytest.mark.parametrize(
    ("cell", "other"),
    [
        ("name = 'a'\nrate = 0.5\ncount = 7", "-p count 3"),
        ("name = 'a'\nrate = 0.5\ncount = 1", "-p rate 0.25"),
        ("name = 'a'", "-p name a"),
    ],
)
def test_the_command_shows_another_value_where_there_is_a_number(cell, other):
    assert f"run tides {other}\n" in parameters_box(cell, {}, "run tides")


def test_the_table_has_the_published_values_and_the_command_to_rerun_the_page():
    box = parameters_box(CELL, {}, "python -m book run tides")
    assert [line.split("|")[1:4] for line in box.splitlines() if "`dataset`" in line] == [
        [" `dataset`    ", " `mnist`           ", " mnist \\"]
    ]
    assert "python -m book run tides -p batch_size 64\n" in box
    assert "value here" not in box
    assert ":open:" in box


def test_the_table_has_other_values_beside_the_published_and_the_command_gives_them():
    box = parameters_box(CELL, {"batch_size": 32, "lr": None, "dataset": "a b"}, "run tides")
    assert "| value here" in box
    assert "run tides -p batch_size 32 -p dataset 'a b'\n" in box


@pytest.mark.parametrize(
    ("value", "word"),
    [(5, "5"), (None, "None"), (True, "True"), ("x", "x"), ("5", "'\"5\"'"), ("", "'\"\"'"),
     (0.1, "0.1"), ([1, 2], "'[1, 2]'")],
)  # fmt: skip
def test_a_value_is_written_as_the_command_line_takes_it(value, word):
    box = parameters_box("a = 0", {"a": value}, "run")
    assert f"run -p a {word}\n" in box


def test_a_long_table_is_closed_at_first():
    many = "\n".join(f"p{n} = {n}" for n in range(20))
    assert ":open:" not in parameters_box(many, {}, "run")


@pytest.mark.parametrize("cell", ["", "import os", "a: int = ", "a = Path('x')"])
def test_a_cell_without_parameters_has_no_table(cell):
    assert parameters_box(cell, {}, "run") == ""


def page(*cells):
    made = [nbformat.v4.new_markdown_cell("# Tides", id="title")]
    for place, (source, own) in enumerate(cells):
        made.append(nbformat.v4.new_code_cell(source, id=f"c{place}", metadata={"tags": list(own)}))
    return nbformat.v4.new_notebook(cells=made)


@pytest.mark.parametrize(
    ("second", "folded"),
    [
        ("import os\n\nos.getcwd()\nhere = 1", True),
        ("height = 2 * number", False),
        ("import os\n\ndef height():\n    return 2", False),
        ("%matplotlib inline\nimport os", False),
    ],
)
def test_the_cell_after_the_parameters_is_folded_where_it_only_prepares(second, folded):
    made = page(("number = 2", ["parameters"]), (second, []), ("import re", []))
    fold(made, made, {}, "run")
    assert [cell.id for cell in made.cells] == ["title", "convbook-parameters", "c0", "c1", "c2"]
    assert [PLUMBING in tags(cell) for cell in made.cells[2:]] == [True, folded, False]


def test_a_page_without_parameters_stays_as_it_is():
    made = page(("import os", []))
    before = nbformat.writes(made)
    fold(made, made, {}, "run")
    assert nbformat.writes(made) == before


@pytest.mark.slow
def test_print_has_the_parameters_and_no_plumbing(tmp_path):
    write_book(tmp_path, ["tides"])
    write_chapter(tmp_path / "tides.ipynb", "import math\n\nassert math.pi", "height = 2 * number")
    run = build(tmp_path, "--builder", "latex", "-W")
    assert run.returncode == 0, run.stderr
    (written,) = (tmp_path / "_build" / "latex").glob("*.tex")
    text = written.read_text()
    assert "math" not in text.partition(r"\begin{document}")[2]
    assert "published value" in text
    assert "papermill" not in text, "a command is to be copied"
    assert "height" in text, "code that teaches stays"
