"""The loss while an epoch goes on, and range tests, which go on until it is no number: trainings on
real digits.
"""

import math

import pytest
import torch

from models import records
from models.records import Epoch
from models.runs.making import to_record
from models.specs import RunSpec
from models.training.loop import CHECK_EVERY, Training

SMALL = RunSpec(train_size=300, epochs=2, batch_size=64, lr=0.1)
SWEEP = SMALL.with_(schedule="range-test", lr=1e-3, max_lr=1.0, loss_every=1)


def train(spec: RunSpec, digits) -> tuple[Training, list[Epoch]]:
    training = Training(spec, digits)
    return training, list(training.epochs())


def without_curves(history: list[Epoch]) -> list[Epoch]:
    return [
        Epoch(**epoch.model_dump(exclude={"losses", "accuracies"}, exclude_unset=True))
        for epoch in history
    ]


@pytest.mark.parametrize("every", [1, 2, 100])
def test_keeping_the_losses_changes_the_training_by_no_bit(digits, every):
    spec = SMALL.with_(norm="batch", dropout=0.3, momentum=0.9)
    plain, plain_history = train(spec, digits)
    kept, history = train(spec.with_(loss_every=every), digits)
    assert without_curves(history) == plain_history
    for some, others in zip(
        plain.network.state_dict().values(), kept.network.state_dict().values(), strict=True
    ):
        assert torch.equal(some, others)


def test_without_loss_every_a_record_has_no_losses(digits):
    training, history = train(SMALL.with_(epochs=1), digits)
    assert history[0].losses is None
    assert "losses" not in records.dumps(to_record(training, digits))


@pytest.mark.parametrize("every", [1, 2, 3])
def test_an_epochs_losses_are_the_means_over_its_stretches(digits, every):
    training = Training(SMALL.with_(loss_every=every, epochs=1), digits)
    steps, step = [], training.step
    training.step = lambda images, labels: (
        steps.append((step(images, labels), len(labels))) or steps[-1][0]
    )
    (epoch,) = training.epochs()
    stretches = [
        steps[start : start + every] for start in range(0, 5, every)
    ]  # 300 images are 5 batches of 64
    for place, name in enumerate(("losses", "accuracies")):
        means = [
            sum(s[place].item() for s, _ in part) / sum(n for _, n in part) for part in stretches
        ]
        assert getattr(epoch, name) == pytest.approx(means, rel=1e-5)


def test_a_record_keeps_its_losses_in_six_digits(digits, tmp_path):
    training, history = train(SWEEP, digits)
    record = records.read(records.write(to_record(training, digits), tmp_path))
    assert [epoch.losses for epoch in record.history] == [epoch.losses for epoch in history]
    assert all(loss == float(f"{loss:.6g}") for epoch in history for loss in epoch.losses)


def test_a_range_test_goes_on_when_its_loss_is_high_to_show_it(digits):
    wild = {"lr": 1e3, "max_lr": 1e6, "epochs": 3}
    lost, short_history = train(SMALL.with_(lr=1e6, epochs=3), digits)
    training, history = train(SWEEP.with_(**wild), digits)
    assert (lost.diverged, len(short_history) < 3) == (True, True)
    assert (training.diverged, len(history)) == (False, 3)
    assert max(epoch.train_loss for epoch in history) > 100 * math.log(10)


def test_a_range_test_ends_early_when_its_loss_is_no_number(digits):
    spec = SWEEP.with_(activation="relu", lr=1e-2, max_lr=1e30, epochs=40)
    training, history = train(spec, digits)
    assert training.diverged
    assert len(history) < 40
    assert history[-1].train_loss is None
    assert history[-1].losses[-1] is None
    assert all(loss is not None for epoch in history[:-1] for loss in epoch.losses)
    done = sum(epoch.iterations for epoch in history)
    assert done - sum(loss is not None for epoch in history for loss in epoch.losses) <= CHECK_EVERY
