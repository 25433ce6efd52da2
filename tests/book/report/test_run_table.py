"""What a chapter's runs cost, from their records."""

from recorded import PROVENANCE, ended

from book.report.run_table import HEADERS, rows
from models.specs import RunSpec


def test_each_experiment_has_a_row_and_a_run_of_two_experiments_is_summed_once():
    def run(size: int, **fields):
        record = ended(RunSpec(train_size=size, **fields), diagnostics={"train_examples": size})
        return record.model_copy(
            update={"provenance": PROVENANCE.model_copy(update={"seconds": 600.0})}
        )

    first, other = (
        [run(300, epochs=2, seed=seed) for seed in (0, 1)],
        [run(500, epochs=9, norm="batch")],
    )
    table = list(
        rows({"one": {"neither": first}, "two": {"neither": first[:1], "batch norm": other}})
    )
    assert {len(row) for row in table} == {len(HEADERS)}
    assert table[0] == ["one", 2, 2, "2", "300", "20"]
    assert table[1] == ["two", 2, 1, "2–9", "300–500", "20"]
    repeated = [run(200, epochs=2, passes=4)]
    assert next(rows({"few": {"neither": repeated}}))[4] == "200, each 4 times"
    assert table[2] == ["all, each once", 3, None, None, None, "30"]
