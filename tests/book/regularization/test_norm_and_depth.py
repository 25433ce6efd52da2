"""The chapter on batch size and depth: which runs it asks for, and what it reads from them."""

import pytest
from recorded import ended

from book.regularization import norm_and_depth
from book.regularization.norm_and_depth import KINDS, RATES, at_rate
from book.report.methods import (
    BATCH_NORM,
    CONV_BATCH_NORM,
    GROUP_NORM,
    LAYER_NORM,
    NO_NORM,
    PLAIN,
    RESIDUAL_NORM,
)
from models.records import Record
from models.specs import RunSpec

BASE = RunSpec(network="lenet5-norm", dataset="mnist5k", train_size=500, batch_size=64, lr=0.01)
DEEP = RunSpec(dataset="mnist5k", train_size=500, validation_size=100, epochs=2)


def runs(spec: RunSpec, *accuracies: float, held_out: float = 0.5, **fields: bool) -> list[Record]:
    return [
        ended(spec, test_accuracy=accuracy, validation_accuracy=held_out, **fields)
        for accuracy in accuracies
    ]


# Batch size


def test_every_norm_is_tried_at_every_batch_at_a_rate_in_proportion():
    groups = norm_and_depth.at_batches(BASE, [4, 16, 128], seeds=2)
    assert {name: seeds for name, (_, seeds) in groups.items()} == {"4": 2, "16": 2, "128": 2}
    for batch, (variants, _) in groups.items():
        assert {spec.batch_size for spec in variants.values()} == {int(batch)}
        assert {spec.lr / spec.batch_size for spec in variants.values()} == {0.01 / 64}
        norms = [spec.norm for spec in variants.values() if spec.norm_layers is None]
        assert norms == ["batch", "group", "layer", "none"]


def test_only_small_batches_are_also_tried_with_batch_norm_in_the_convolutions_alone():
    groups = norm_and_depth.at_batches(BASE, [8, 16], seeds=1)
    assert groups["8"][0][CONV_BATCH_NORM].norm_layers == ("conv1", "conv2")
    assert CONV_BATCH_NORM not in groups["16"][0]


@pytest.fixture
def by_batch():
    small = {
        BATCH_NORM: runs(BASE, 0.30, 0.32, 0.31),
        CONV_BATCH_NORM: runs(BASE, 0.40, 0.42, 0.41),
        **{one: runs(BASE, 0.50, 0.52, 0.51) for one in (GROUP_NORM, LAYER_NORM, NO_NORM)},
    }
    large = {name: records for name, records in small.items() if name != CONV_BATCH_NORM}
    return {"2": small, "64": large}


def test_a_batch_without_a_variant_has_a_dash_for_it(by_batch):
    small, large = norm_and_depth.batch_rows(by_batch)
    assert (small[0], large[0]) == (2, 64)
    assert small[-1].startswith("41.0")
    assert large[-1] is None
    small, large = norm_and_depth.gap_rows(by_batch)
    assert small[1].startswith("**−20.00")
    assert small[-1].startswith("**−10.00")
    assert large[-1] is None


def test_the_figure_has_a_line_a_norm_and_a_short_one_with_its_name(by_batch):
    (ax,) = norm_and_depth.draw_batches(by_batch).axes
    written = [text.get_text() for text in ax.texts]
    assert sorted(written) == sorted(norm_and_depth.METHODS)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "64"]


# Depth


def test_networks_with_a_norm_are_spared_the_lowest_rate():
    variants, seeds = norm_and_depth.at_depths(DEEP, [14], seeds=3)["14"]
    assert seeds == 3
    assert len(variants) == 10
    assert {spec.network for spec in variants.values()} == {"plain14", "resnet14"}
    lowest = [spec.norm for spec in variants.values() if spec.lr == min(norm_and_depth.EVERY_RATE)]
    assert lowest == ["none", "none"]


def depth_runs(
    best: float, test: float, accuracies: dict[float, float], *, diverged: bool = False
) -> dict[str, list[Record]]:
    """Runs of every kind whose test accuracy is `test` at the rate `best`, which is best on
    held-out images; `accuracies` are those of the other rates, and those at 0.1 have diverged.
    """
    found = {}
    for kind, (_, norm) in KINDS.items():
        for rate in RATES[norm]:
            accuracy = test if rate == best else accuracies[rate]
            lost = diverged and rate == 0.1
            held_out = 0.9 if rate == best else 0.2
            spec = DEEP.with_(lr=rate)
            found[at_rate(kind, rate)] = runs(spec, accuracy, held_out=held_out, diverged=lost)
    return found


def test_a_rate_is_chosen_by_the_held_out_images_and_not_by_the_test_images():
    found = depth_runs(0.01, 0.4, {0.1: 0.8, 0.001: 0.7})
    assert norm_and_depth.best_rate(found, PLAIN) == 0.01
    assert norm_and_depth.at_best(found)[PLAIN][0].final.test_accuracy == 0.4


def test_the_chosen_rate_is_bold_and_one_that_was_not_tried_a_dash():
    rows = list(norm_and_depth.depth_rows({"8": depth_runs(0.01, 0.4, {0.1: 0.1, 0.001: 0.3})}))
    assert rows[0] == [8, RESIDUAL_NORM, "10.0", "**40.0**", None]
    assert rows[3] == [8, PLAIN, "10.0", "**40.0**", "30.0"]


def test_runs_that_diverged_are_counted_and_crossed():
    found = {"8": depth_runs(0.01, 0.4, {0.1: 0.1, 0.001: 0.3}, diverged=True)}
    assert list(norm_and_depth.depth_rows(found))[3][2] == "10.0 (1 of 1 diverged)"
    left, right = norm_and_depth.draw_depths(found).axes
    assert not any(line.get_marker() == "x" for line in left.lines)
    assert sum(line.get_marker() == "x" for line in right.lines) == len(KINDS)


def test_runs_that_learned_nothing_are_counted():
    found = {"8": depth_runs(0.01, 0.4, {0.1: 0.1, 0.001: 0.3})}
    assert norm_and_depth.at_chance(found, 0.1) == (2, 2)
    assert norm_and_depth.at_chance(found, 0.01) == (0, 2)


def test_deeper_is_the_deepest_less_the_shallowest_each_at_its_best_rate():
    shallow = depth_runs(0.01, 0.4, {0.1: 0.8, 0.001: 0.7})
    deep = depth_runs(0.1, 0.45, {0.01: 0.9, 0.001: 0.9})
    gain = norm_and_depth.deeper({"8": shallow, "20": deep}, RESIDUAL_NORM)
    assert gain.mean == pytest.approx(0.05)
