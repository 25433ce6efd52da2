"""The benchmark of counting: what it measures, prints and stores, and what it refuses."""

import importlib.util

import pytest

from book.benchmark import counting, counting_times
from book.benchmark.result import ResultError, write
from book.report.intervals import NBSP


def measured(**seconds):
    """Timings of three rounds in which what is not named took 50 ms."""
    return counting.judged({name: seconds.get(name, [0.05] * 3) for name in counting.TIMED})


def test_rows_give_medians_and_ratios_round_by_round():
    timings = measured(vgg19=[0.009, 0.01, 0.9], sizes=[1e-4] * 3)
    first, second, third = counting_times.rows(timings)
    assert first[1] == "10 (9–900)"
    assert first[3:] == [f"5.00{NBSP}(0.06–5.56)", f"≥{NBSP}1{NBSP}✓"]
    assert second[3:] == [f"1.00{NBSP}(1.00–1.00)", f"≥{NBSP}1{NBSP}✓"]
    assert third[3:] == [f"500{NBSP}(500–500)", f"≥{NBSP}100{NBSP}✓"]
    assert timings.faster("sizes") == pytest.approx(500)


def test_a_target_that_is_missed_is_crossed():
    assert counting_times.rows(measured(resnet50=[0.2] * 3))[1][-1] == f"≥{NBSP}1{NBSP}✗"


def test_timings_are_stored_as_they_were_with_the_versions(tmp_path):
    timings = measured()
    write(timings, tmp_path / "times.json")
    assert counting_times.read(tmp_path / "times.json") == timings
    assert {"torch", "torchvision", "sympy"} <= timings.machine.versions.keys()
    with pytest.raises(ResultError, match="`make bench` measures one"):
        counting_times.read(tmp_path / "none.json")


def test_what_the_page_shows_was_measured_by_this_benchmark():
    stored = counting_times.read()
    assert stored.contests.keys() == counting.CONTESTS.keys()
    assert stored.rounds >= 3
    assert set(counting.VERSIONS) < stored.machine.versions.keys()


def test_ours_is_timed_in_a_process_of_its_own():
    assert 0 < counting._in_a_process("vgg19") < 10


def test_no_rounds_are_refused(capsys):
    assert counting.main(["--rounds", "0"]) == 2
    assert "--rounds: expected at least 1, got 0" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("torchinfo"), reason="torchinfo is installed")
def test_a_missing_torchinfo_is_told_in_one_line(capsys):
    assert counting.main([]) == 1
    assert "torchinfo is not installed; use `make bench`" in capsys.readouterr().err
