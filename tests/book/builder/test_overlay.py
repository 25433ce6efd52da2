"""What a page shows: the source's words and code with the executed outputs."""

import nbformat

from book.builder.overlay import overlay, with_values
from book.builder.provenance import boxes
from book.builder.staleness import STAMP
from book.builder.trace import MODULES, RUNS, collected
from book.report.training_runs import TrainingRuns


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))


def code(source, id, outputs=(), tags=()):
    return nbformat.v4.new_code_cell(
        source, id=id, outputs=list(outputs), metadata={"tags": list(tags)}
    )


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
        code("b", "b", [data(MODULES, ["m.py"])]),
    )
    assert collected(executed.cells, RUNS) == ["k2", "k1"]
    assert collected(executed.cells, MODULES) == ["m.py"]
    page = overlay(notebook(code("a", "a"), code("b", "b")), executed, {})
    assert [len(cell.outputs) for cell in page.cells] == [1, 0]


def test_a_record_that_became_corrupt_costs_no_page(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVBOOK_RUNS", str(tmp_path))
    (tmp_path / "k1.json").write_text("torn")
    page = notebook(code("a", "a"))
    page.metadata[STAMP] = {
        "runs": {"k1": "a digest"},
        "parameters": {},
        "seconds": 1.0,
        "date": "2026-01-31",
    }
    (box,) = boxes(page, TrainingRuns())
    assert "Executed 2026-01-31 in 1 s" in box.source


def test_the_parameters_cell_shows_what_was_used():
    source = notebook(code("epochs: int = 20  # passes", "p", tags=["parameters"]))
    assert overlay(source, source, {"epochs": 2}).cells[0].source == "epochs: int = 2  # passes"
