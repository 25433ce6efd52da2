"""Asking for runs: records that are there are read and nothing else; missing ones are trained."""

import subprocess
import sys

import pytest
from recorded import ended

from book.report import experiments
from models import records
from models.data.sources import DataError
from models.specs import RunSpec

SPEC = RunSpec(epochs=2)
VARIANTS = {"plain": SPEC, "the same": SPEC, "wide": SPEC.with_(width=2)}

READING = """
import sys
from book.report import (
    comparisons, experiments, figures, glue, intervals, parameters, run_table, scores, tables,
    tuning,
)
from models.specs import RunSpec

experiments.ask({"plain": RunSpec(epochs=2)}, seeds=1)
print(*(name for name in sys.modules if name.startswith(("models.", "analysis"))))
print(*{name.partition(".")[0] for name in sys.modules} & {"torch", "sympy", "tqdm", "distributed"})
"""


def test_a_run_that_two_variants_share_is_read_once_and_given_to_both(own_folders):
    for spec in (SPEC, SPEC.with_(width=2)):
        records.write(ended(spec, test_accuracy=0.9), own_folders / "published")
    results = experiments.ask(VARIANTS, seeds=1)
    assert [record.spec.width for (record,) in results.values()] == [1, 1, 2]
    assert results["plain"][0] is results["the same"][0]


def test_a_chapter_that_only_reads_records_loads_no_training_code(own_folders):
    records.write(ended(SPEC, test_accuracy=0.9), own_folders / "published")
    told = subprocess.run(
        [sys.executable, "-c", READING], capture_output=True, text=True, check=True
    )
    ours, others = told.stdout.splitlines()
    training = (
        "models.training",
        "models.sweeps",
        "models.progress",
        "models.equivalence",
        "analysis",
    )
    assert "models.records" in ours
    assert not [name for name in ours.split() if name.startswith(training)]
    assert others == ""


def test_missing_records_and_missing_data_are_said_together_in_one_line(own_folders, monkeypatch):
    monkeypatch.setenv("CONVBOOK_DATA", str(own_folders))
    monkeypatch.setenv("CONVBOOK_WORKERS", "1")
    (own_folders / "cifar10.npz").write_bytes(b"torn")
    spec = SPEC.with_(dataset="cifar10")
    said = (
        rf"2 runs have no record \(one is {spec.key}\) and can't be trained: .* cifar10 is damaged"
    )
    with pytest.raises(DataError, match=said) as refused:
        experiments.ask({"plain": spec, "wide": spec.with_(width=2)}, seeds=1)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("or set CONVBOOK_DATA to a folder with the data")
