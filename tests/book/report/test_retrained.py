"""What was trained again, when the training code changed, as the book's table shows it."""

from book.report import retrained
from models.evidence import (
    HELD_OUT_ACCURACY,
    TRAINING_LOSS,
    Difference,
    JointTest,
    JudgedRun,
    NoiseCertificate,
)


def judged(accuracy, loss, tolerances=(0.02, 0.1), *, fits=True, **more):
    """A run by how much its accuracy and its loss differ."""
    sizes = zip((HELD_OUT_ACCURACY, TRAINING_LOSS), (accuracy, loss), tolerances, strict=True)
    differences = tuple(
        Difference(
            measure=measure,
            old=0.5,
            new=None if size is None else 0.5 + size,
            tolerance=tolerance,
            p=0.5,
        )
        for measure, size, tolerance in sizes
    )
    spec = {"network": "lenet5", "dataset": "mnist", "schedule": "constant", "norm": "none"}
    spec |= {"epochs": 3, "planned": 3, "train_size": None, "seed": 0, "key": "0"} | more
    verdict = "within seed noise" if fits else "DIFFERS"
    return JudgedRun(differences=differences, verdict=verdict, **spec)


def test_runs_of_a_kind_share_a_row_with_their_largest_difference():
    wide = judged(0.015, 0.01, tolerances=(0.3, 0.1))
    close, begun = judged(-0.01, 0.02), judged(-0.01, 0.02, epochs=2)
    other = judged(0.0, 0.0, norm="batch")
    assert retrained.rows([wide, close, begun, other]) == [
        ["lenet5", "batch", "constant", "3 of 3", "0.00 (2.00)", "0.0000 (0.1000)"],
        ["lenet5", "none", "constant", "2 of 3", "1.00 (2.00)", "0.0200 (0.1000)"],
        ["lenet5", "none", "constant", "3 of 3", "1.50 (30.00)", "0.0200 (0.1000)"],
    ]
    assert retrained.unchanged([wide, close, begun, other]) == 1


def test_what_differs_is_said_whatever_its_tolerance():
    strict = judged(0.01, 0.0, tolerances=(0.0, 0.1), fits=False)
    large = judged(0.2, 0.0, tolerances=(0.3, 0.1))
    (row,) = retrained.rows([strict, large])
    assert row[-2:] == ["1.00 (0.00): DIFFERS", "0.0000 (0.1000)"]


def test_a_loss_that_became_no_number_differs():
    (row,) = retrained.rows([judged(0.0, None, fits=False)])
    assert row[-1] == "no number: DIFFERS"


def certificate(runs, mean, **machine):
    tests = [
        JointTest(measure=measure, runs=runs, mean=mean, mean_p=0.9, spread=0.1, spread_p=0.9)
        for measure in (HELD_OUT_ACCURACY, TRAINING_LOSS)
    ]
    return NoiseCertificate(
        old="0" * 64,
        new="1" * 64,
        date="2026-11-26",
        machine=machine,
        alpha=0.05,
        runs=[judged(0.0, 0.0)] * runs,
        together=tests,
    )


def test_the_largest_sample_tells_how_far_all_are_apart():
    told = retrained.together_text([certificate(2, 0.4), certificate(3, -0.03)])
    assert told.startswith("Together, the 3 runs of the largest sample differ on average by at")
    assert "at most 0.03 of what two seeds differ by, up or down, in each of 2 measures" in told
    assert retrained.together_text([]) == "No run was trained again."


def test_runs_are_told_that_were_trained_again_without_products_in_bf16():
    native = certificate(2, 0.0, processor_features="AVX512 avx512_bf16")
    without = certificate(3, 0.0, processor_features="AVX2")
    unknown = certificate(4, 0.0)
    told = "On a processor without products in bf16 (AVX2), 3 of the book's runs in that precision"
    assert retrained.rounded_text([native, without, unknown], {"0"}).startswith(told)
    assert retrained.rounded_text([native, unknown], {"0"}).startswith("No run of the book")
    assert retrained.rounded_text([without], {"1"}).startswith("No run of the book")
