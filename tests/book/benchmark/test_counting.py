"""The benchmark of counting: what it prints, and what it refuses."""

import importlib.util

import pytest

from book.benchmark import counting


def test_a_report_gives_medians_and_how_much_faster_other_sizes_are():
    seconds = {"vgg19": 0.01, "resnet50": 0.08, "sizes": 1e-4}
    times = {name: [seconds.get(name, 0.05)] * 3 for name in counting.TIMED}
    times["vgg19"] = [0.009, 0.01, 0.9]
    lines = counting.report(times).splitlines()
    assert "10 (9–900)" in lines[2]
    assert lines[2].split()[-1] == "0.20"
    assert lines[-1] == "At 1,000 sizes ours is 500 × faster."


def test_ours_is_timed_in_a_process_of_its_own():
    assert 0 < counting._in_a_process("vgg19") < 10


@pytest.mark.skipif(importlib.util.find_spec("torchinfo"), reason="torchinfo is installed")
def test_a_missing_torchinfo_is_told_in_one_line(capsys):
    assert counting.main([]) == 1
    assert "torchinfo is not installed; use `make bench`" in capsys.readouterr().err
