"""Learning rates against their closed forms, batch sizes against their rule, random shifts against
their promise.
"""

import math

import pytest
import torch

from models.specs import RunSpec, SpecError
from models.training.augmentation import augment
from models.training.batches import iterations_per_epoch, slices
from models.training.schedules import batch_size_at, make_schedule


def learning_rates(spec: RunSpec, iterations: int, per_epoch: int) -> list[float]:
    """The rate of each iteration, as a training sees it."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], spec.lr)
    schedule = make_schedule(spec, optimizer, per_epoch)
    rates = []
    for _ in range(iterations):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def cycle(spec: RunSpec, iteration: int, amplitude: float) -> float:
    """Smith 2015, section 3: a triangle wave between lr and max_lr, its height scaled by
    `amplitude`.
    """
    turn = math.floor(1 + iteration / (2 * spec.step_size_up))
    distance = abs(iteration / spec.step_size_up - 2 * turn + 1)
    return spec.lr + (spec.max_lr - spec.lr) * max(0.0, 1 - distance) * amplitude


@pytest.mark.parametrize(
    ("kind", "gamma", "amplitude"),
    [
        ("triangular", None, lambda iteration, gamma, half: 1.0),
        ("triangular2", None, lambda iteration, gamma, half: 0.5 ** (iteration // (2 * half))),
        ("exp_range", 0.99, lambda iteration, gamma, half: gamma**iteration),
    ],
)
def test_a_cyclical_rate_is_smiths_formula(kind, gamma, amplitude):
    spec = RunSpec(schedule=kind, lr=0.01, max_lr=1.0, step_size_up=7, gamma=gamma)
    expected = [cycle(spec, i, amplitude(i, gamma, 7)) for i in range(60)]
    assert learning_rates(spec, 60, per_epoch=10) == pytest.approx(expected, abs=1e-12)


def test_a_step_decays_after_its_milestones_epochs():
    spec = RunSpec(schedule="step", lr=1.0, milestones=[2, 3], gamma=0.1)
    expected = [1.0] * 10 + [0.1] * 5 + [0.01] * 5
    assert learning_rates(spec, 20, per_epoch=5) == pytest.approx(expected)


def test_one_cycle_starts_at_lr_peaks_at_max_lr_and_ends_near_nothing():
    spec = RunSpec(schedule="one-cycle", lr=0.1, max_lr=1.0, epochs=10)
    rates = learning_rates(spec, 100, per_epoch=10)
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates.index(max(rates)) == pytest.approx(29, abs=1)
    assert rates[-1] < 1e-4


def test_a_cosine_falls_from_lr_to_zero_and_is_halfway_in_the_middle():
    rates = learning_rates(RunSpec(schedule="cosine", lr=0.4, epochs=10), 101, per_epoch=10)
    assert rates[0] == 0.4
    assert rates[50] == pytest.approx(0.2)
    assert rates[100] == pytest.approx(0)
    assert rates == sorted(rates, reverse=True)


SWEEP = {"schedule": "range-test", "lr": 1e-5, "max_lr": 10.0}


def test_a_range_test_rises_from_lr_to_max_lr_by_the_same_factor_each_iteration():
    rates = learning_rates(RunSpec(**SWEEP, epochs=4), 40, per_epoch=10)
    expected = [1e-5 * 1e6 ** (iteration / 39) for iteration in range(40)]
    assert rates == pytest.approx(expected)
    assert (rates[0], rates[-1]) == (1e-5, pytest.approx(10.0))


def test_ten_candidates_are_ten_stairs_of_equal_length():
    spec = RunSpec(schedule="range-test", lr=1e-9, max_lr=10.0, candidates=10, epochs=5)
    rates = learning_rates(spec, 50, per_epoch=10)
    assert rates == pytest.approx(
        [1e-9 * 10 ** (10 / 9 * (iteration // 5)) for iteration in range(50)]
    )


@pytest.mark.parametrize(("candidates", "iterations"), [(3, 10), (7, 30), (10, 43)])
def test_stairs_that_do_not_fit_evenly_differ_by_one_iteration(candidates, iterations):
    rates = learning_rates(
        RunSpec(**SWEEP, candidates=candidates, epochs=1), iterations, per_epoch=iterations
    )
    lengths = [rates.count(rate) for rate in sorted(set(rates))]
    assert len(lengths) == candidates
    assert max(lengths) - min(lengths) <= 1
    assert rates == sorted(rates)


def test_more_candidates_than_iterations_are_an_error():
    with pytest.raises(
        SpecError, match="candidates: expected at most the run's 8 iterations, got 10"
    ):
        learning_rates(RunSpec(**SWEEP, candidates=10, epochs=2), 8, per_epoch=4)


@pytest.mark.parametrize(
    "fields", [{}, {"max_batch_size": 64}, {"growth_step": 3}, {"growth_step": 2}]
)
def test_a_rate_shrinks_as_the_batch_grows_counted_in_examples(fields):
    """The noise scale lr / batch (Smith et al. 2017, section 3) of both, after as many examples."""
    growing = RunSpec(schedule="growing-batch", lr=0.4, batch_size=8, **fields)
    noise, epoch_size = [], 64
    iteration = 0
    while len(noise) < 5 * epoch_size:  # an entry an example
        size = batch_size_at(growing, len(noise) // epoch_size + 1, iteration)
        noise += [0.4 / size] * size
        iteration += 1
    rates = learning_rates(
        growing.with_(schedule="shrinking-rate"), 5 * epoch_size // 8, per_epoch=epoch_size // 8
    )
    assert noise[: 5 * epoch_size : 8] == pytest.approx([rate / 8 for rate in rates])


@pytest.mark.parametrize("spec", [RunSpec(lr=0.3), RunSpec(lr=0.3, schedule="growing-batch")])
def test_a_constant_or_growing_batch_schedule_leaves_the_rate(spec):
    assert set(learning_rates(spec, 30, per_epoch=4)) == {0.3}


def test_the_batch_grows_from_32_to_16384_one_epoch_a_size():
    spec = RunSpec(schedule="growing-batch", batch_size=32)
    assert [batch_size_at(spec, epoch, 0) for epoch in range(1, 12)] == [
        32 << min(i, 9) for i in range(11)
    ]


def test_the_batch_grows_after_every_so_many_iterations():
    spec = RunSpec(schedule="growing-batch", batch_size=8, growth_step=3, max_batch_size=20)
    assert [batch_size_at(spec, 1, iteration) for iteration in range(8)] == [
        8,
        8,
        8,
        16,
        16,
        16,
        20,
        20,
    ]


@pytest.mark.parametrize(
    ("total", "size"), [(10, 3), (9, 4), (5, 8), (4, 1), (1, 128), (4000, 128), (4030, 128), (5, 2)]
)
def test_slices_cover_everything_once_and_none_is_alone_or_much_smaller(total, size):
    parts = list(slices(total, size))
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(total))
    sizes = [part.stop - part.start for part in parts]
    assert set(sizes[:-1]) <= {size}
    assert min(total, (size + 1) // 2) <= sizes[-1] <= max(size + 1, 3 * size / 2)
    assert total == 1 or size == 1 or sizes[-1] > 1
    assert iterations_per_epoch(total, size) == len(parts)


def test_no_augmentation_changes_nothing():
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    assert augment(images, "none", torch.Generator()) is images


@pytest.mark.parametrize(("side", "channels", "reach"), [(28, 1, 2), (32, 3, 4)])
def test_a_shift_moves_each_image_by_at_most_its_reach_in_all_channels_alike(side, channels, reach):
    images = torch.zeros(200, channels, side, side, dtype=torch.uint8)
    images[:, :, 14, 15] = 255
    moved = augment(images, "shift", torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    assert moved.dtype == torch.uint8
    places = [moved[:, channel].nonzero() for channel in range(channels)]  # (200, 3) each
    assert all(torch.equal(place, places[0]) for place in places)
    offsets = places[0][:, 1:] - torch.tensor([14, 15])
    assert {tuple(bounds) for bounds in (offsets.amin(0).tolist(), offsets.amax(0).tolist())} == {
        (-reach, -reach),
        (reach, reach),
    }


def test_a_flip_mirrors_about_half_of_the_images():
    images = torch.zeros(400, 3, 32, 32, dtype=torch.uint8)
    images[:, :, :, 4:8] = 255  # a bar at the left, which no shift of 4 brings to the right half
    moved = augment(images, "shift-flip", torch.Generator().manual_seed(0))
    mirrored = (moved[:, 0, 16, 16:] > 0).any(1)
    assert 150 < mirrored.sum() < 250


def test_the_same_generator_state_gives_the_same_augmentation():
    images = torch.randint(0, 256, (20, 3, 32, 32), dtype=torch.uint8)
    first, again = (
        augment(images, "shift-flip", torch.Generator().manual_seed(5)) for _ in range(2)
    )
    assert torch.equal(first, again)
