"""The rule that reads bounds off a range test: on curves whose answer is known, and on real
trainings.
"""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import ended
from scipy import stats
from trainings import trained

from book.commands.agreement import DIFFERS, WITHIN, Judge
from book.commands.spread import Spreads
from book.learning_rate import bounds, iterations, range_test
from book.learning_rate.bounds import SCATTERS, Bounds, Curve, RangeTestError, read_bounds
from models import records
from models.records import Record
from models.specs import RunSpec

RATES = np.geomspace(1e-5, 10, 241)
CENTRE, WIDTH = -2.5, 0.25  # decades: where the loss falls, and how steeply
TENTH = WIDTH * math.log(9)  # from the middle of a logistic drop to its first and its last tenth


def falling(rates=RATES, start=2.3, drop=1.5):
    """A loss that falls once, as a logistic curve of the logarithmic rate."""
    return start - drop / (1 + np.exp(-(np.log10(rates) - CENTRE) / WIDTH))


def curve(losses, rates=RATES) -> Curve:
    return Curve(list(rates), list(losses), [0.5] * len(rates))


def rising(losses, rates=RATES, beyond=0.0):
    """The same, but from one rate on (in decades) it explodes."""
    return losses + np.where(np.log10(rates) > beyond, 50.0 ** (np.log10(rates) - beyond + 1), 0)


def test_the_bounds_of_a_smooth_drop_are_its_first_and_last_tenth():
    found = read_bounds(curve(falling()))
    assert math.log10(found.lr_min) == pytest.approx(CENTRE - TENTH, abs=0.05)
    assert math.log10(found.lr_max) == pytest.approx(CENTRE + TENTH, abs=0.05)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3])
def test_another_share_moves_both_bounds_apart_or_together(share):
    found, reach = read_bounds(curve(falling()), share), WIDTH * math.log(1 / share - 1)
    assert math.log10(found.lr_max / found.lr_min) == pytest.approx(2 * reach, abs=0.1)


def test_a_loss_that_never_rises_again_is_said_to_be_lowest_at_the_end():
    assert read_bounds(curve(falling())).at_the_end
    assert not read_bounds(curve(rising(falling()))).at_the_end


def test_a_loss_that_falls_from_the_first_rate_on_is_said_so():
    late = RATES[RATES > 10**CENTRE]
    assert read_bounds(curve(falling(late), late)).at_the_start
    assert not read_bounds(curve(falling())).at_the_start


def test_what_explodes_later_does_not_move_the_bounds():
    calm, wild = read_bounds(curve(falling())), read_bounds(curve(rising(falling())))
    assert wild.lr_min == pytest.approx(calm.lr_min, rel=0.02)
    assert wild.lr_max == pytest.approx(calm.lr_max, rel=0.02)
    assert wild.lr_max < wild.lowest < 1


def test_losses_that_are_no_number_end_the_curve():
    losses = falling()
    losses[200:] = np.nan
    whole, cut = read_bounds(curve(losses)), read_bounds(curve(losses[:200], RATES[:200]))
    assert (whole.lr_min, whole.lr_max) == pytest.approx((cut.lr_min, cut.lr_max), rel=1e-3)
    assert (whole.at_the_end, cut.at_the_end) == (
        False,
        True,
    )  # it was lost there, or might have gone on falling


@pytest.mark.parametrize("seed", range(5))
def test_noise_moves_the_bounds_by_less_than_a_factor_of_two(seed):
    noise = np.random.default_rng(seed).normal(0, 0.15, RATES.size)
    noisy, calm = (
        read_bounds(curve(rising(falling() + noise))),
        read_bounds(curve(rising(falling()))),
    )
    assert 0.5 < noisy.lr_min / calm.lr_min < 2
    assert 0.5 < noisy.lr_max / calm.lr_max < 2
    assert noisy.lr_min < noisy.lr_max < noisy.lowest


@given(factor=st.floats(1e-3, 1e3), scale=st.floats(0.01, 100))
def test_the_bounds_follow_the_rates_and_do_not_depend_on_the_losses_scale(factor, scale):
    plain, moved = (
        read_bounds(curve(falling())),
        read_bounds(curve(scale * falling(), factor * RATES)),
    )
    assert (moved.lr_min, moved.lr_max) == pytest.approx(
        (factor * plain.lr_min, factor * plain.lr_max), rel=1e-6
    )


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_has_no_bounds(seed):
    flat = 2.3 + np.random.default_rng(seed).normal(0, 0.1, RATES.size)
    with pytest.raises(
        RangeTestError,
        match=f"falls by more than {SCATTERS} times its scatter.*end at a higher rate",
    ):
        read_bounds(curve(flat))


@pytest.mark.parametrize("level", [1e-3, 2.302585092994046, 1e6])
def test_a_loss_that_never_changes_has_no_bounds(level):
    with pytest.raises(RangeTestError, match="end at a higher rate"):
        read_bounds(curve(np.full(RATES.size, level)))


def test_a_loss_that_only_rises_should_begin_lower():
    with pytest.raises(RangeTestError, match="begin at a lower rate"):
        read_bounds(curve(rising(np.full(RATES.size, 2.3), beyond=-4.5)))


def test_a_loss_that_explodes_at_once_and_settles_lower_should_begin_lower():
    losses = np.r_[2.3, np.geomspace(1e4, 10, RATES.size - 1)]
    with pytest.raises(RangeTestError, match="begin at a lower rate"):
        read_bounds(curve(losses))


def test_a_loss_that_is_no_number_from_the_second_step_on_says_where():
    with pytest.raises(
        RangeTestError, match=r"at least 4 finite losses, got 1: .* no number from rate 1.1e-05 on"
    ):
        read_bounds(curve([2.3, *[math.nan] * (RATES.size - 1)]))


def test_ten_candidates_are_read_by_the_same_rule():
    rates = np.geomspace(1e-9, 10, 10)
    found = read_bounds(curve(rising(falling(rates), rates), rates))
    apart = 10 ** (10 / 9)  # a factor between two candidates: no reading can be better
    assert 10 ** (CENTRE - TENTH) / apart < found.lr_min < 10 ** (CENTRE - TENTH) * apart
    assert 10 ** (CENTRE + TENTH) / apart < found.lr_max < 10 ** (CENTRE + TENTH) * apart


def test_the_rule_is_the_one_that_the_chapter_states():
    assert (bounds.SHARE, bounds.SCATTERS, bounds.SMOOTHING) == (0.1, 3, 0.1)


def test_bounds_of_another_test_are_told_as_multiples():
    decade_lower = curve(falling(), RATES / 10)
    found = [read_bounds(curve(falling()))]
    assert range_test.moved_text(found, decade_lower).startswith(
        "the bounds lie at 0.10 and 0.10 times"
    )
    assert range_test.moved_text(found, curve(2.3 + np.log10(RATES))) == "no bounds are found"


def test_the_typical_rate_is_the_geometric_mean_in_two_digits():
    assert bounds.typical([0.001, 0.1, 0.0123]) == 0.011


# Real runs

BASE = RunSpec(
    train_size=600, validation_size=100, epochs=3, batch_size=16, norm="batch", momentum=0.9
)


@pytest.fixture(scope="module")
def swept(digits):
    return trained(bounds.sweep(BASE, 1e-5, 10.0), digits)


def test_a_sweep_keeps_as_many_losses_as_it_should(swept):
    assert iterations.kept_every(BASE, bounds.POINTS) == 1
    assert len(bounds.swept(swept).losses) == sum(epoch.iterations for epoch in swept.history)


def test_the_rates_of_a_curve_are_those_the_training_had(swept):
    points, ends = iterations.stretches(swept), iterations.updates(swept)
    assert [points[end - 1].rate for end in ends] == pytest.approx(swept.curve("lr"))
    assert (points[0].rate, points[-1].rate) == (pytest.approx(1e-5), pytest.approx(10.0))


def test_a_real_sweep_has_bounds_between_which_a_network_learns(swept, digits):
    found = read_bounds(bounds.swept(swept))
    assert isinstance(found, Bounds)
    middle = math.sqrt(found.lr_min * found.lr_max)
    learned = trained(BASE.with_(lr=middle, epochs=1), digits).final
    too_low = trained(BASE.with_(lr=found.lr_min / 100, epochs=1), digits).final
    assert learned.validation_accuracy > too_low.validation_accuracy + 0.3


def changed(record, number):
    """The record with every loss of its curve put through a function of its place, as another
    machine might.
    """
    content = json.loads(records.dumps(record))
    del content["sha256"]
    places = iter(range(10_000))
    for epoch in content["history"]:
        epoch["losses"] = [number(next(places), loss) for loss in epoch["losses"]]
        epoch["train_loss"] *= 2
    content["provenance"]["platform"] += ", another"
    return Record.model_validate(content)


@pytest.fixture(scope="module")
def judge(swept, digits):
    """Who knows by how much the bounds of such range tests differ between seeds."""
    seeds = [trained(swept.spec.with_(seed=seed), digits) for seed in (1, 2, 3)]
    return Judge.of(Spreads([swept, *seeds]), runs=1)


def test_a_range_test_elsewhere_agrees_by_its_bounds_and_not_by_its_chaotic_end(swept, judge):
    peak = len(bounds.swept(swept).losses)
    wild = changed(swept, lambda place, loss: loss * (3 if place > 0.9 * peak else 1))
    assert judge.verdict(swept, wild) == (WITHIN, "")


def test_a_range_test_elsewhere_with_other_bounds_differs(swept, judge):
    losses = bounds.swept(swept).losses
    early = changed(
        swept, lambda place, loss: losses[min(place + 18, len(losses) - 1)]
    )  # a decade earlier
    verdict, why = judge.verdict(swept, early)
    assert verdict == DIFFERS
    assert "recorded" in why
    assert "tolerance" in why


def test_a_range_test_that_shows_nothing_elsewhere_differs(swept, judge):
    flat = changed(swept, lambda place, loss: 2.3 + 0.01 * (-1) ** place)
    assert judge.verdict(swept, flat)[0] == DIFFERS


def test_the_candidates_of_one_run_are_the_means_over_their_iterations(digits):
    spec = range_test.continued(BASE.with_(epochs=2), 1e-4, 1.0, 5)
    record = trained(spec, digits)
    stairs = range_test.stairs(record)
    assert stairs.rates == pytest.approx(np.geomspace(1e-4, 1, 5))
    losses = [loss for epoch in record.history for loss in epoch.losses]
    first = -(-len(losses) // 5)
    assert stairs.losses[0] == pytest.approx(np.mean(losses[:first]), rel=1e-5)


def test_stretches_over_two_candidates_count_for_neither(digits):
    spec = range_test.continued(BASE.with_(epochs=2), 1e-4, 1.0, 5).with_(loss_every=3)
    stairs = range_test.stairs(trained(spec, digits))
    assert stairs.rates == pytest.approx(np.geomspace(1e-4, 1, 5))


def test_a_run_without_kept_losses_has_no_curve(digits):
    with pytest.raises(ValueError, match="its spec needs loss_every"):
        iterations.stretches(trained(BASE.with_(epochs=1), digits))


def test_fresh_starts_are_ordered_by_rate_and_a_lost_one_has_no_loss(digits):
    specs = range_test.fresh(
        BASE.with_(epochs=1, activation="relu", norm="none", momentum=0.0), 1e-3, 1e20, 4
    )
    curve = range_test.separate(
        {rate: trained(spec, digits) for rate, spec in reversed(specs.items())}
    )
    assert curve.rates == sorted(specs)
    assert math.isfinite(curve.losses[0])
    assert math.isnan(curve.losses[-1])


def test_the_best_candidate_is_tried_again_with_those_beside_it():
    rates = [0.001, 0.01, 0.1, 1.0]
    assert range_test.nearest(curve([2.0, 1.0, 0.5, 3.0], rates)) == [0.01, 0.1, 1.0]
    assert range_test.nearest(curve([0.5, 1.0, 2.0, math.nan], rates)) == [0.001, 0.01]
    assert range_test.nearest(curve([math.nan] * 4, rates)) == []


def started(rate, losses):
    """A fresh start of each seed at a rate, with these last training losses."""
    return [_ended(BASE.with_(lr=rate, epochs=1, seed=seed), loss) for seed, loss in losses]


def _ended(spec, loss):
    record = ended(spec, test_accuracy=0.5)
    return record.model_copy(
        update={"history": (record.final.model_copy(update={"train_loss": loss}),)}
    )


AGAIN = {
    0.01: started(0.01, enumerate([0.52, 0.51, 0.53])),
    0.1: started(0.1, enumerate([0.42, 0.40, 0.44])),
    1.0: started(1.0, enumerate([0.7, None, 0.8])),
}


def test_fresh_starts_are_compared_with_the_best_of_them_seed_by_seed():
    above = range_test.above_the_lowest(AGAIN)
    assert list(above) == [0.1, 0.01], "the lowest first, and none with a loss that is no number"
    assert above[0.01].mean == pytest.approx(0.1)
    assert above[0.01].half_width == pytest.approx(0.01 / math.sqrt(3) * stats.t.isf(0.025, 2))
    rows = {row[0]: row[1:] for row in range_test.near_rows(AGAIN)}
    assert rows["0.1"][1] == "–"
    assert rows["0.01"][1].startswith("+0.100")
    assert rows["1"] == ["no number", "–"]
    assert range_test.above_the_lowest({}) == {}


def test_each_further_seed_has_a_curve_of_the_candidates_that_were_tried_again():
    first = curve([2.0, 0.52, 0.42, 0.7], [0.001, 0.01, 0.1, 1.0])
    curves = range_test.seed_by_seed(first, AGAIN)
    assert curves[0] is first
    assert [one.rates for one in curves[1:]] == [[0.01, 0.1, 1.0]] * 2
    assert curves[2].losses == [0.53, 0.44, 0.8]
    assert range_test.seed_by_seed(first, {}) == [first]
