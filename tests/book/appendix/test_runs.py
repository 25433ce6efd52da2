"""The page of all runs: what its rows say, and what experiments can tell, from real records."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from recorded import ended

from book.appendix import run_experiments, run_list, run_records
from book.appendix.run_records import EQUIVALENT, OUTDATED, TODAY, Run
from book.report.intervals import mean_interval
from models.fingerprint import code_fingerprint
from models.records import read
from models.specs import RunSpec

PUBLISHED = Path(__file__).parents[3] / "book" / "runs"


@pytest.fixture(scope="module")
def records():
    """All published records by their key."""
    return {path.stem: read(path) for path in sorted(PUBLISHED.glob("*.json"))}


@pytest.fixture
def some(records, own_folders):
    """The runs on 500 images, and those that diverged, in a folder of published records."""
    chosen = [one for one in records.values() if is_small(one) or one.diverged]
    (own_folders / "published").mkdir()
    for record in chosen:
        shutil.copy(PUBLISHED / f"{record.key}.json", own_folders / "published")
    return {record.key: record for record in chosen}


def made_by(record):
    return record.provenance.code_fingerprint


def is_small(record):
    """Whether a run has the fewest images, at the rate that one seed chose."""
    few = record.diagnostics["train_examples"] == 500
    return few and not record.spec.validation_size and record.spec.lr in (0.3, 1.0)


def test_every_published_run_is_listed_with_the_pages_that_use_it(some):
    first, second, *_ = some
    runs = {
        run.record.key: run
        for run in run_records.all_runs({"book/a": [first], "book/b": [second, first]})
    }
    assert runs.keys() == some.keys()
    assert runs[first].pages == ("book/a", "book/b")
    assert runs[second].pages == ("book/b",)
    assert sum(bool(run.pages) for run in runs.values()) == 2


def test_a_record_that_was_edited_is_not_listed(some, own_folders):
    key = next(iter(some))
    path = own_folders / "published" / f"{key}.json"
    path.write_text(path.read_text().replace('"test_accuracy": 0.', '"test_accuracy": 0.1'))
    assert {run.record.key for run in run_records.all_runs({})} == some.keys() - {key}


def test_a_row_says_what_the_record_says_and_leads_to_it(some):
    runs = run_records.all_runs({"book/part/small_sets": list(some)})
    html = run_list.html(runs, "Every run")
    for run, cells in zip(runs, rows_of(html), strict=True):
        assert len(cells) == len(run_list.COLUMNS)
        assert f'href="run:{run.record.key}"' in cells[0]
        accuracy = 100 * run.record.diagnostics["test_accuracy"]
        assert cells[10] == ("diverged" if run.record.diverged else f"{accuracy:.2f}")
        assert cells[-2] == '<a href="page:book/part/small_sets">small sets</a>'


def rows_of(html):
    """The cells of each row of the list."""
    rows = re.findall(r'<tr><th scope="row">.*', html)
    return [re.split(r"<td[^>]*>", row) for row in rows]


def test_the_settings_of_a_row_are_those_of_one_run_alone(records):
    rows = rows_of(run_list.html(map(Run, records.values()), "Every run"))
    settings = {(*cells[1:10], *cells[12:]) for cells in rows}  # without accuracy and minutes
    assert len(settings) == len(records)


def test_what_the_code_is_worth_is_said_of_each_run(records):
    earlier = (one for one in records.values() if made_by(one) != code_fingerprint())
    record = next(earlier)
    now = record.provenance.model_copy(update={"code_fingerprint": code_fingerprint()})
    assert Run(record).code == EQUIVALENT
    assert Run(record.model_copy(update={"provenance": now})).code == TODAY
    assert Run(ended(RunSpec(), test_accuracy=0.9)).code == OUTDATED


def test_the_summary_counts_each_run_once(some):
    *networks, every = run_list.summary_rows(run_records.all_runs({}))
    assert every[2] == len(some) == sum(row[2] for row in networks)
    assert {len(row) for row in [*networks, every]} == {len(run_list.SUMMARY_HEADERS)}


# Experiments


def test_an_experiment_is_what_a_page_compares_with_as_many_seeds(some):
    small = [key for key, record in some.items() if is_small(record)]
    used = {"book/all": small, "book/two": [key for key in small if some[key].spec.seed < 2]}
    every, two = run_experiments.experiments(run_records.all_runs(used), used)
    assert (every.page, every.seeds, len(every.variants)) == ("book/all", 5, 4)
    assert (two.page, two.seeds, len(two.variants)) == ("book/two", 2, 4)
    assert every.minutes == pytest.approx(sum(some[key].provenance.seconds for key in small) / 60)
    assert two.spread is not None
    assert two.smallest_difference() is None, "two seeds have no interval"


def test_the_spread_is_pooled_over_variants_without_those_that_diverged(some):
    used = {"book/all": list(some)}
    found = run_experiments.experiments(run_records.all_runs(used), used)
    small, *diverged = sorted(found, key=lambda one: one.runs[0].images)
    assert diverged
    assert {one.spread for one in diverged} == {None}
    accuracies = [[run.accuracy for run in variant] for variant in small.variants]
    assert small.spread == pytest.approx(np.sqrt(np.mean(np.var(accuracies, axis=1, ddof=1))))


@pytest.mark.parametrize("seeds", [3, 5, 20])
def test_the_smallest_difference_is_the_half_width_of_the_books_own_interval(seeds):
    spread = 0.3
    differences = np.random.default_rng(0).normal(size=seeds)
    differences *= np.sqrt(2) * spread / differences.std(ddof=1)
    found = run_experiments.half_width(spread, seeds)
    assert found == pytest.approx(mean_interval(list(differences)).half_width)


def test_two_variants_alike_are_told_apart_in_one_case_of_twenty():
    """With a known spread the difference exceeds what is told as often as the level says."""
    random, seeds, told = np.random.default_rng(0), 5, 0
    for _ in range(4000):
        groups = random.normal(size=(2, seeds))
        difference = mean_interval(list(groups[0] - groups[1]))
        told += not difference.could_be_noise
    assert told / 4000 == pytest.approx(0.05, abs=0.012)


def test_without_runs_the_tables_are_whole():
    assert [len(row) for row in run_experiments.rows([])] == [len(run_experiments.HEADERS)]
    assert len(list(run_list.summary_rows([]))) == 1
    assert rows_of(run_list.html([], "Every run")) == []
    assert "No experiment" in run_experiments.range_text([])
