"""Growing the batch beside lowering the rate: noise scales and updates of real trainings."""

from itertools import combinations

import numpy as np
import pytest
from recorded import ended
from trainings import trained

from book.learning_rate import batch_size, policies
from book.report import comparisons
from book.report.methods import GROWING_BATCH, SHRINKING_RATE

BASE = policies.base("lenet5", "mnist5k", 600, 6, batch_size=25, epochs=5)


@pytest.fixture(scope="module")
def results(digits):
    specs = policies.batches(BASE, 0.1, largest=150, growth_step=None, micro_batch=50)
    return {name: [trained(spec, digits)] for name, spec in specs.items()}


def test_the_noise_scale_halves_every_epoch_but_for_the_share_of_the_set_in_a_batch(results):
    start = 0.1 * 500 / 25 / (1 - 0.9)  # ε N / B / (1 - m)
    halved = np.array([1, 1 / 2, 1 / 4, 1 / 4, 1 / 4]) * start  # a batch of 100, a rate of 0.025
    sizes = {GROWING_BATCH: np.array([25, 50, 100, 100, 100]), SHRINKING_RATE: 25}
    for name, size in sizes.items():
        found = batch_size.noise_scales(results[name][0])
        assert found == pytest.approx(halved * (1 - size / 500))
    fixed = batch_size.noise_scales(results["both fixed"][0])
    assert fixed == pytest.approx([start * (1 - 25 / 500)] * 5)


def test_a_batch_without_replacement_has_the_variance_of_the_finite_population():
    values, size = np.random.default_rng(0).normal(size=9), 4
    means = [np.mean(batch) for batch in combinations(values, size)]
    covariance = values.var() / size * (9 - size) / 9  # with Σ the unbiased one, N / (N − 1) times
    assert np.var(means) == pytest.approx(covariance * 9 / 8)


def test_the_whole_set_as_a_batch_has_no_noise():
    whole = ended(BASE.with_(epochs=1), diagnostics={"train_examples": 128})
    assert batch_size.noise_scales(whole) == [0]


def test_the_last_epochs_updates_are_fewer_than_momentum_remembers(results):
    assert batch_size.tail(results[GROWING_BATCH][0]) == (2, 10)
    told = batch_size.tail_text(results[GROWING_BATCH][0])
    assert told.startswith("In its last 2 epochs the growing batch makes 10 updates, while")
    assert batch_size.tail(results[SHRINKING_RATE][0]) == (0, 0)
    assert "more updates than the 10" in batch_size.tail_text(results[SHRINKING_RATE][0])


def scored(train, test):
    return [
        ended(BASE.with_(seed=seed), test_accuracy=ours, diagnostics={"train_accuracy": theirs})
        for seed, (theirs, ours) in enumerate(zip(train, test, strict=True))
    ]


def test_as_wide_a_gap_at_less_accuracy_is_told_to_be_a_lack_of_training():
    better = scored([0.93, 0.94, 0.95], [0.90, 0.90, 0.92])
    trained_less = scored([0.91, 0.92, 0.93], [0.88, 0.89, 0.89])
    kept_less = scored([0.93, 0.94, 0.95], [0.87, 0.87, 0.89])
    results = {"growing batch": better, "exp_range": trained_less, "both fixed": kept_less}
    told = batch_size.lack_text(results, "growing batch", "exp_range")
    assert told == "which could be noise: they differ in how well they are trained"
    told = batch_size.lack_text(results, "growing batch", "both fixed")
    assert told == "so the two generalise differently"
    pairs = [("growing batch", "exp_range"), ("growing batch", "both fixed")]
    rows = batch_size.generalization_rows(results, pairs)
    assert "noise" in rows[0][-1]
    assert rows[1][-1] == "a narrower gap"


def test_the_running_loss_is_the_last_epochs_in_training_mode(results):
    pair = (GROWING_BATCH, SHRINKING_RATE)
    ends = [results[name][0].history[-1].train_loss for name in pair]
    assert batch_size.running_loss_difference(results, *pair).mean == ends[0] - ends[1]


def test_a_growing_batch_makes_fewer_updates_of_as_many_images(results):
    assert batch_size.total(results[GROWING_BATCH]) == 20 + 10 + 5 + 5 + 5
    assert batch_size.total(results[SHRINKING_RATE]) == 5 * 20


def test_the_table_has_a_row_an_epoch(results):
    first, *_, last = batch_size.rows(results)
    assert first == [1, 25, 20, "0.1", 20, "19", "19"]
    assert last == [5, 100, 5, "0.025", 20, "4", "4.75"]


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


def distant(*losses):
    """Runs with these running training losses in the last epoch, one a seed."""
    runs = [ended(BASE.with_(seed=seed)) for seed in range(len(losses))]
    return [
        run.model_copy(update={"history": (run.final.model_copy(update={"train_loss": loss}),)})
        for run, loss in zip(runs, losses, strict=True)
    ]


@pytest.mark.parametrize(
    ("small", "share", "told"),
    [
        ((0.300, 0.311, 0.319), 1.0, "is in the images that batch norm goes by, not in"),
        ((0.271, 0.281, 0.291), 0.03, "is in the weights, not in the images"),
        ((0.270, 0.295, 0.320), 0.5, "stays open (could be noise)"),
    ],
)
def test_smaller_parts_tell_whether_the_distance_is_batch_norms(small, share, told):
    losses = {"growing": (0.27, 0.28, 0.29), "small": small, "shrinking": (0.30, 0.31, 0.32)}
    results = {name: distant(*values) for name, values in losses.items()}
    found = batch_size.removed_share(results, "growing", "small", "shrinking")
    assert found.mean == pytest.approx(share, abs=0.01)
    assert told in batch_size.cause_text(found)


def test_without_a_distance_there_is_no_share():
    results = {name: distant(0.3, 0.3, 0.3) for name in ("growing", "small", "shrinking")}
    found = batch_size.removed_share(results, "growing", "small", "shrinking")
    assert "tells nothing" in batch_size.cause_text(found)


def test_small_parts_are_drawn_from_where_the_shrinking_rate_is(results):
    ax = batch_size.draw_distances(results, SHRINKING_RATE).axes[0]
    growing = ax.lines[0].get_ydata()
    runs = [results[name][0].curve("train_loss") for name in (GROWING_BATCH, SHRINKING_RATE)]
    assert list(growing) == pytest.approx(np.subtract(*runs))
    assert growing[0] == 0  # the first epoch is the same


def test_the_seeds_of_a_variant_are_as_far_apart_as_the_best_and_the_worst():
    assert batch_size.spread(scored([0.9] * 3, [0.88, 0.91, 0.89])) == pytest.approx(3.0)
