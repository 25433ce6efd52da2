"""Chapters are committed without outputs, with stable ids, parameters first, and words for every
picture.
"""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from papermill.translators import PythonTranslator

from book.builder.declared import declared

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "book").rglob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_chapters():
    assert len(NOTEBOOKS) >= 5


@pytest.mark.parametrize(
    "profile", sorted((ROOT / "book" / "profiles").glob("*.yml")), ids=lambda path: path.stem
)
def test_profiles_name_chapters_that_exist(profile):
    named = yaml.safe_load(profile.read_text())
    assert set(named) - {"*"} <= {
        path.relative_to(ROOT).with_suffix("").as_posix() for path in NOTEBOOKS
    }


def test_no_outputs_are_stored(notebook):
    assert not any(cell.outputs or cell.execution_count for cell in code(notebook))


def test_cell_ids_are_readable_and_each_stands_once(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) for name in ids), ids


def test_the_metadata_are_what_every_machine_writes(notebook):
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


def test_parameters_come_first_typed_and_commented_and_are_checked_next(notebook):
    first, second = code(notebook)[:2]
    assert first.metadata.tags == ["parameters"]
    source = first.source.removeprefix("from typing import Optional\n\n")
    for statement, line in zip(ast.parse(source).body, source.splitlines(), strict=True):
        assert isinstance(statement, ast.AnnAssign), line
        assert "  # " in line, f"{line!r} lacks a comment"
    assert "parameters.check(" in second.source


def test_papermill_reads_every_parameter(notebook):
    """It would call one typed `int | None` unknown, and leave it out of `--help-notebook`."""
    cell = code(notebook)[0]
    read = {
        parameter.name: ast.literal_eval(parameter.default)
        for parameter in PythonTranslator.inspect(cell)
    }
    assert read == declared(cell.source)


def test_cells_are_short(notebook):
    assert max(len(cell.source.splitlines()) for cell in code(notebook)) <= 25


def test_code_that_the_page_shows_fits_it(notebook):
    folded = {"hide-input", "remove-cell", "remove-input"}
    shown = [cell for cell in code(notebook) if not folded & set(cell.metadata.get("tags", []))]
    assert max(len(line) for cell in shown for line in cell.source.splitlines()) <= 88


def test_every_figure_has_a_caption_a_name_and_an_alt_text(notebook):
    for cell in code(notebook):
        if not cell.id.startswith("fig-"):
            continue
        words = cell.metadata.get("mystnb", {})
        assert {"caption", "name"} <= set(words.get("figure", {})), cell.id
        assert words.get("image", {}).get("alt"), cell.id


def test_a_chapter_opens_with_a_title_and_ends_with_its_answer(notebook):
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert prose[0].startswith("# ")
    assert "?" in prose[0], "a chapter opens with its question"
    assert any("## The answer" in text for text in prose)
