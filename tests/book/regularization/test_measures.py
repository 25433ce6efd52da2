"""Measures of runs, compared seed by seed."""

import pytest
from recorded import ended

from book.regularization.measures import (
    Contrast,
    Measure,
    difference_rows,
    mean_rows,
    place_rows,
    require_finished,
)
from book.report.intervals import paired_difference
from book.report.parameters import ParameterError
from models.specs import RunSpec

ACCURACY = Measure("accuracy, %", lambda record: record.final.test_accuracy, digits=1, scale=100)
SCORES = {"plain": (0.90, 0.92, 0.91), "better": (0.95, 0.96, 0.96), "alike": (0.91, 0.91, 0.92)}


@pytest.fixture(scope="module")
def results():
    return {
        name: [
            ended(RunSpec(seed=seed, epochs=1), test_accuracy=score)
            for seed, score in enumerate(scores)
        ]
        for name, scores in SCORES.items()
    }


def test_a_difference_is_taken_seed_by_seed(results):
    assert ACCURACY.difference(results, "better", "plain") == paired_difference(
        SCORES["better"], SCORES["plain"]
    )


def test_a_contrast_says_what_was_compared_and_what_it_means(results):
    contrast = Contrast(ACCURACY, "better", "plain", "yes", "no")
    compared, difference, words = contrast.row(results)
    assert compared == "accuracy, %: better − plain"
    assert difference.startswith("+4.7")
    assert words == "yes"
    assert Contrast(ACCURACY, "plain", "better", "yes", "no").words(results) == "no"
    assert "noise" in Contrast(ACCURACY, "alike", "plain", "yes", "no").words(results)


def test_a_single_seed_decides_nothing(results):
    single = {name: records[:1] for name, records in results.items()}
    contrast = Contrast(ACCURACY, "better", "plain", "yes", "no")
    assert contrast.text(single) == "+5.0"
    assert "single seed" in contrast.words(single)


def test_clear_differences_are_bold_and_others_are_not(results):
    (clear,), (unclear,) = (
        row[1:]
        for row in difference_rows(results, [("better", "plain"), ("alike", "plain")], [ACCURACY])
    )
    assert clear.startswith("**+4.7")
    assert not unclear.startswith("**")


def test_rows_are_variants_or_places(results):
    assert [row[0] for row in mean_rows(results, ["plain", "better"], [ACCURACY])] == [
        "plain",
        "better",
    ]
    ((place, *means),) = place_rows(results, ["plain", "better"], {"fc1": ACCURACY})
    assert place == "fc1"
    assert [text.split()[0] for text in means] == ["91.0", "95.7"]


def test_runs_that_diverged_are_refused_by_name(results):
    require_finished(results)
    spec = RunSpec(lr=1e3, epochs=2)
    with pytest.raises(ParameterError, match="at 1000 plain diverged"):
        require_finished(
            {"plain": [ended(spec, diverged=True)], "better": [ended(RunSpec(epochs=1))]}
        )
