"""Growing the batch beside lowering the rate: noise scales and updates of real trainings."""

import pytest
from trainings import trained

from book.learning_rate import batch_size, policies
from book.report import comparisons
from book.report.methods import GROWING_BATCH, SHRINKING_RATE

BASE = policies.base("lenet5", "mnist5k", 600, 6, batch_size=25, epochs=5)


@pytest.fixture(scope="module")
def results(digits):
    specs = policies.batches(BASE, 0.1, largest=150, growth_step=None, micro_batch=50)
    return {name: [trained(spec, digits)] for name, spec in specs.items()}


def test_the_noise_scale_halves_every_epoch_whichever_of_the_two_changes(results):
    start = 0.1 * 500 / 25 / (1 - 0.9)  # ε N / B / (1 - m)
    expected = [
        start,
        start / 2,
        start / 4,
        start / 4,
        start / 4,
    ]  # a batch of 100, or a rate of 0.025, is the end
    for name in (GROWING_BATCH, SHRINKING_RATE):
        assert batch_size.noise_scales(results[name][0]) == pytest.approx(expected)
    assert batch_size.noise_scales(results["both fixed"][0]) == pytest.approx([start] * 5)


def test_a_growing_batch_makes_fewer_updates_of_as_many_images(results):
    assert batch_size.total(results[GROWING_BATCH]) == 20 + 10 + 5 + 5 + 5
    assert batch_size.total(results[SHRINKING_RATE]) == 5 * 20


def test_the_table_has_a_row_an_epoch(results):
    first, *_, last = batch_size.rows(results)
    assert first == [1, 25, 20, "0.1", 20, "20", "20"]
    assert last == [5, 100, 5, "0.025", 20, "5", "5"]


def test_the_text_says_where_the_training_set_ends_the_growth(results):
    growing = results[GROWING_BATCH][0].spec
    assert (
        "up to 100 images and the rate falls as often, for twice as many exceed 150"
        in batch_size.reach_text(growing, 150)
    )
    whole = growing.with_(max_batch_size=400)
    assert "for twice as many exceed the 500 training images" in batch_size.reach_text(
        whole, 16_384
    )
    assert batch_size.reach_text(growing, 100) == "The batch grows up to 100 images"
    assert "up to 2 parts a batch" in batch_size.ghosts_text(growing)
    assert "nothing is accumulated" in batch_size.ghosts_text(growing.with_(micro_batch=100))


def test_the_three_are_compared_on_the_test_set(results):
    gap = comparisons.compare(results, GROWING_BATCH, SHRINKING_RATE).difference
    ends = [results[name][0].diagnostics for name in (GROWING_BATCH, SHRINKING_RATE)]
    assert gap.mean == pytest.approx(ends[0]["test_accuracy"] - ends[1]["test_accuracy"])
