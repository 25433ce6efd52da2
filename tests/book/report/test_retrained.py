"""What was trained again, when the training code changed, as the book's table shows it."""

import pytest

from book.report import retrained
from models.evidence import HELD_OUT_ACCURACY, TRAINING_LOSS, Difference, JudgedRun


def judged(accuracy, loss, tolerances=(0.02, 0.1), **more):
    """A run by how much its accuracy and its loss differ."""
    sizes = zip((HELD_OUT_ACCURACY, TRAINING_LOSS), (accuracy, loss), tolerances, strict=True)
    differences = tuple(
        Difference(measure=measure, old=0.5, new=0.5 + size, tolerance=tolerance, p=0.5)
        for measure, size, tolerance in sizes
    )
    spec = {"network": "lenet5", "dataset": "mnist", "schedule": "constant", "norm": "none"}
    spec |= {"epochs": 3, "planned": 3, "train_size": None, "seed": 0, "key": "0"} | more
    return JudgedRun(differences=differences, verdict="within seed noise", **spec)


def test_runs_of_a_kind_share_a_row_with_the_largest_part_of_what_is_tolerated():
    wide = judged(0.015, 0.01, tolerances=(0.3, 0.1))
    close = judged(-0.01, 0.02, epochs=2, planned=20)
    other = judged(0.0, 0.0, norm="batch")
    assert retrained.rows([wide, close, other]) == [
        ["lenet5", "batch", "constant", "1", "3 of 3", "0.00 (2.00)", "0.0000 (0.1000)"],
        [
            *("lenet5", "none", "constant", "2", "2 of 20, 3 of 3"),
            *("1.00 (2.00)", "0.0200 (0.1000)"),
        ],
    ]


def test_a_measure_without_a_tolerance_is_left_out():
    (row,) = retrained.rows([judged(0.0, 0.0, tolerances=(0.0, 0.1))])
    assert row[-2:] == ["–", "0.0000 (0.1000)"]


@pytest.mark.usefixtures("own_folders")
def test_the_book_has_evidence_of_both_kinds():
    noise, exact = retrained.evidence()
    assert noise
    assert exact
    assert retrained.together_text(noise).startswith("between ")
