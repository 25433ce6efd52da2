"""What a page shows: the source's words and code with the executed outputs."""

import re
import subprocess

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from book.builder.declared import declared, with_values
from book.builder.edition import commit
from book.builder.errors import BookError
from book.builder.overlay import overlay
from book.builder.provenance import add_boxes
from book.builder.runs import Runs
from book.builder.staleness import is_record, record_digest
from book.builder.stamps import Stamp
from book.builder.trace import RUNS, SEEN, run_keys, seen
from book.report.training_runs import TrainingRuns


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))


def code(source, id, outputs=(), tags=()):
    return nbformat.v4.new_code_cell(
        source, id=id, outputs=list(outputs), metadata={"tags": list(tags)}
    )


def a_stamp(**facts):
    lists = ("modules", "uses", "data", "environment", "runs", "libraries", "parameters")
    empty = {"code": "", "written": [], **{name: {} for name in lists}}
    return Stamp(**(empty | {"seconds": 1.0, "date": "2026-01-31"} | facts))


def data(mime, value):
    return nbformat.v4.new_output("display_data", data={mime: value})


def test_injected_values_stand_where_the_defaults_stood_and_comments_stay():
    cell = 'epochs: int = 20  # passes – all\nname: str = "é"  # µ'
    assert (
        with_values(cell, {"epochs": 2, "name": "x"})
        == "epochs: int = 2  # passes – all\nname: str = 'x'  # µ"
    )


def test_prose_and_comments_are_the_sources_and_outputs_the_executed_copys():
    source = notebook(
        nbformat.v4.new_markdown_cell("new words", id="m"), code("x = 1  # new comment", "a")
    )
    executed = notebook(
        nbformat.v4.new_markdown_cell("old words", id="m"),
        code("x = 1", "a", [data("text/plain", "1")]),
    )
    page = overlay(source, executed, {})
    assert page.cells[0].source == "new words"
    assert page.cells[1].source == "x = 1  # new comment"
    assert page.cells[1].outputs[0].data["text/plain"] == "1"


def test_the_trace_is_collected_and_not_shown():
    executed = notebook(
        code("a", "a", [data(RUNS, ["k2", "k1"]), data("text/plain", "1")]),
        code("b", "b", [data(SEEN, {"modules": ["m.py"]})]),
    )
    assert run_keys(executed.cells) == ["k2", "k1"]
    assert seen(executed.cells).modules == ("m.py",)
    page = overlay(notebook(code("a", "a"), code("b", "b")), executed, {})
    assert [len(cell.outputs) for cell in page.cells] == [1, 0]


def test_a_record_that_became_corrupt_costs_no_page(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVBOOK_RUNS", str(tmp_path))
    (tmp_path / "k1.json").write_text("torn")
    stamp = a_stamp(runs={"k1": "a digest"})
    page = notebook(code("a", "a"))
    add_boxes(page, stamp, TrainingRuns())
    _, box = page.cells
    assert "Executed 2026-01-31 in 1 s" in box.source


def test_a_record_as_it_was_is_not_read_again_and_another_one_is(tmp_path):
    record, read = tmp_path / "k1.json", []

    class Files(Runs):
        def files(self, key):
            return [record]

        def locate(self, key):
            read.append(key)
            return record if record.read_text() != "torn" else None

    record.write_text("one")
    one = record_digest("k1", Files())
    read.clear()
    assert is_record("k1", one, Files())
    assert not read
    for other in ("another", "torn"):
        record.write_text(other)
        assert not is_record("k1", one, Files())
    record.unlink()
    assert not is_record("k1", one, Runs())


def test_the_parameters_cell_shows_what_was_used():
    source = notebook(code("epochs: int = 20  # passes", "p", tags=["parameters"]))
    assert overlay(source, source, {"epochs": 2}).cells[0].source == "epochs: int = 2  # passes"


def test_two_parameters_on_one_line_and_a_default_over_two_lines_are_replaced():
    assert with_values("a: int = 2; b: int = 3", {"a": 10, "b": 4}) == "a: int = 10; b: int = 4"
    assert with_values("sides = [\n    1,\n    2,\n]  # two", {"sides": 3}) == "sides = 3  # two"


def test_what_is_no_number_is_shown_as_python_writes_it():
    assert with_values("rate: float = 0.1", {"rate": float("nan")}) == "rate: float = float('nan')"
    assert declared("rate: float = float('nan')").keys() == {"rate"}


@given(
    values=st.lists(
        st.one_of(
            st.integers(), st.floats(), st.text(), st.none(), st.booleans(), st.lists(st.integers())
        ),
        min_size=1,
        max_size=5,
    ),
    separator=st.sampled_from(["\n", "; "]),
)
def test_a_cell_with_other_values_declares_exactly_these(values, separator):
    names = [f"name_{place}" for place in range(len(values))]
    cell = separator.join(f"{name}: object = ['é',\n 0]" for name in names)
    given = dict(zip(names, values, strict=True))
    assert repr(declared(with_values(cell, given))) == repr(given)


def test_a_parameters_cell_that_is_no_python_is_said_in_one_line():
    with pytest.raises(BookError, match=r"the parameters cell is no Python: .*line 1"):
        declared("epochs: int = ")
    with pytest.raises(BookError, match="expected a literal as the default of the parameter path"):
        declared("path = Path('x')")


def test_the_box_says_version_commit_and_libraries_as_far_as_they_are_known():
    def said(**facts):
        page = notebook(nbformat.v4.new_markdown_cell("# Title", id="title"))
        add_boxes(page, a_stamp(**facts), Runs())
        return page.cells[-1].source

    known = said(version="1.2", commit="b8d325e-dirty", libraries={"numpy": "2.4.6"})
    assert "in 1 s (version 1.2, commit `b8d325e` with uncommitted changes)." in known
    assert "- Libraries: numpy 2.4.6." in known
    assert "(commit `b8d325e`)." in said(commit="b8d325e")
    assert "- Executed 2026-01-31 in 1 s.\n:::" in said()


def test_the_commit_is_that_of_the_books_repository(tmp_path):
    assert commit(tmp_path) == ""

    def git(*arguments):
        own = ["-c", "user.name=N", "-c", "user.email=n@example.org"]
        subprocess.run(["git", "-C", tmp_path, *own, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "a").write_text("a")
    git("add", "a")
    git("commit", "-m", "A file")
    clean = commit(tmp_path)
    assert re.fullmatch("[0-9a-f]{12}", clean)
    (tmp_path / "a").write_text("b")
    assert commit(tmp_path) == f"{clean}-dirty"
