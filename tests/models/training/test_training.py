"""The training loop on real digits: what it computes, and that it computes the same again."""

import math

import pytest
import torch

from models.data.loading import DataError, load
from models.fields import LARGEST_FACTOR
from models.records import Epoch
from models.runs.making import diagnostics
from models.specs import RunSpec
from models.training.batches import Examples
from models.training.loop import Training
from models.training.optimizers import OPTIMIZERS
from models.training.randomness import random_seed, reproducible
from models.training.schedules import MAX_BATCH_SIZE

SMALL = RunSpec(train_size=300, epochs=2, batch_size=64, lr=0.1)


def train(spec: RunSpec, digits) -> tuple[Training, list[Epoch]]:
    training = Training(spec, digits)
    return training, list(training.epochs())


def weights(training: Training) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in training.network.state_dict().values()]


def same(some: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


def test_the_same_spec_gives_the_same_history_and_weights(digits):
    spec = SMALL.with_(norm="batch", dropout=0.3, input_dropout=0.1, augmentation="shift-flip")
    first, first_history = train(spec, digits)
    torch.rand(7)  # what the caller draws meanwhile changes nothing
    again, history = train(spec, digits)
    assert history == first_history
    assert same(weights(first), weights(again))


def test_another_seed_gives_another_history(digits):
    assert train(SMALL, digits)[1] != train(SMALL.with_(seed=1), digits)[1]


def test_training_leaves_torchs_global_state_alone(digits):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    train(SMALL.with_(dropout=0.5, epochs=1), digits)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_training_is_deterministic_and_leaves_the_callers_mode_and_guard_alone(monkeypatch):
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.set_deterministic_debug_mode("warn")
    try:
        with reproducible(1, torch.device("cpu")):
            assert torch.get_deterministic_debug_mode() == 2
            assert not torch.utils.deterministic.fill_uninitialized_memory
        assert torch.get_deterministic_debug_mode() == 1
        assert torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.set_deterministic_debug_mode("default")


def test_training_learns_digits(digits):
    _, history = train(
        RunSpec(norm="batch", train_size=1000, epochs=3, batch_size=50, lr=0.2), digits
    )
    assert history[-1].train_loss < history[0].train_loss / 2
    assert history[-1].test_accuracy > 0.85


def test_no_two_epochs_of_any_two_seeds_share_their_random_numbers():
    seeds = {random_seed(seed, epoch) for seed in range(50) for epoch in range(50)}
    assert len(seeds) == 2500


def test_one_plain_epoch_is_textbook_sgd(digits):
    spec = SMALL.with_(epochs=1, lr=0.05)
    training = Training(spec, digits)
    rates, expected = [], Training(spec, digits).network
    order = torch.randperm(300, generator=torch.Generator().manual_seed(random_seed(spec.seed, 1)))
    for chosen in order.split(64):
        images, labels = training.train.images[chosen], training.train.labels[chosen]
        loss = torch.nn.functional.cross_entropy(expected(images / 255), labels)
        gradients = torch.autograd.grad(loss, list(expected.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(expected.parameters(), gradients, strict=True):
                parameter -= spec.lr * gradient
        rates.append(loss.item() * len(chosen))
    (epoch,) = training.epochs()
    assert epoch.train_loss == pytest.approx(sum(rates) / 300, rel=1e-5)
    for trained, parameter in zip(
        training.network.parameters(), expected.parameters(), strict=True
    ):
        torch.testing.assert_close(trained, parameter, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("micro_batch", [1, 10, 33, 64])
def test_gradients_accumulated_over_micro_batches_are_the_batchs(digits, micro_batch):
    gradients = []
    for size in (None, micro_batch):
        training = Training(SMALL.with_(micro_batch=size), digits)
        training.network.double().register_forward_pre_hook(
            lambda network, inputs: (inputs[0].double(),)
        )
        training.step(training.train.images[:64], training.train.labels[:64])
        gradients.append([parameter.grad for parameter in training.network.parameters()])
    for whole, summed in zip(*gradients, strict=True):
        torch.testing.assert_close(summed, whole, rtol=0, atol=1e-7)


def test_a_growing_batch_takes_fewer_and_fewer_steps(digits):
    spec = RunSpec(schedule="growing-batch", batch_size=32, train_size=300, epochs=5)
    _, history = train(spec, digits)
    assert [epoch.batch_size for epoch in history] == [
        32,
        64,
        128,
        256,
        300,
    ]  # and never more than there are
    assert [epoch.iterations for epoch in history] == [9, 5, 2, 1, 1]
    assert spec.batch_size * 2**9 == MAX_BATCH_SIZE


def test_an_epoch_of_several_passes_sees_every_image_as_often_in_one_epochs_steps(digits):
    spec = RunSpec(batch_size=32, train_size=50, epochs=2, passes=6)
    training = Training(spec, digits)
    seen, step = [], training.step
    training.step = lambda images, labels: seen.append(images) or step(images, labels)
    history = list(training.epochs())
    assert [epoch.iterations for epoch in history] == [
        9,
        9,
    ]  # of 6 · 50 images together, not of 50 six times
    often = torch.cat(seen).flatten(1).unique(dim=0, return_counts=True)[1]
    assert often.tolist() == [12] * 50


def test_the_test_set_is_judged_once_an_epoch_and_not_again_for_the_record(digits):
    training = Training(SMALL.with_(train_size=2500, epochs=2), digits)
    judged, evaluate = [], training.evaluate
    training.evaluate = lambda examples: judged.append(len(examples)) or evaluate(examples)
    *_, last = training.epochs()
    finished = diagnostics(training)
    assert judged == [1000, 1000, 1000]  # twice the test set; then as many of the training images
    assert (finished["test_loss"], finished["test_accuracy"]) == (
        last.test_loss,
        last.test_accuracy,
    )
    assert (finished["train_examples"], finished["train_judged"]) == (2500, 1000)


def test_the_training_images_that_are_judged_are_no_harder_than_the_others():
    """MNIST's come from two sources in turn: every second or sixth image would be of the harder
    one.
    """
    digits = load("mnist5k")
    examples = Examples(
        digits.train_images, torch.arange(len(digits.train_images)) % 2
    )  # labels: odd or even
    sample = examples.sample(1000)
    assert len(sample) == 1000
    assert torch.equal(sample.labels, examples.sample(1000).labels)
    assert 0.45 < sample.labels.double().mean() < 0.55
    assert len(examples.sample(10**6)) == len(examples)


def test_a_validation_set_is_judged_instead_of_the_test_set(digits):
    training, history = train(SMALL.with_(validation_size=100), digits)
    assert (len(training.train), len(training.validation)) == (200, 100)
    assert all(
        epoch.test_accuracy is None and epoch.validation_accuracy is not None for epoch in history
    )


def test_the_training_set_is_cut_alike_for_every_seed(digits):
    first, other = (Training(SMALL.with_(seed=seed), digits) for seed in (0, 1))
    assert torch.equal(first.train.images, other.train.images)
    assert first.train.labels.bincount().tolist() == [30] * 10


def test_an_evaluation_is_the_networks_mean_loss_and_its_share_of_right_answers(digits):
    training, history = train(SMALL, digits)
    with torch.no_grad():
        logits = training.network.eval()(digits.test_images / 255)
    judged = training.evaluate(training.test)
    assert judged.loss == pytest.approx(
        torch.nn.functional.cross_entropy(logits, digits.test_labels).item(), rel=1e-5
    )
    assert judged.accuracy == (logits.argmax(1) == digits.test_labels).double().mean().item()
    assert (judged.loss, judged.accuracy) == (history[-1].test_loss, history[-1].test_accuracy)
    assert [sum(row) for row in judged.confusion] == [100] * 10


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_hopeless_rate_ends_early_as_diverged(digits, optimizer):
    training, history = train(SMALL.with_(lr=1e6, optimizer=optimizer, epochs=9), digits)
    assert training.diverged
    assert len(history) < 9


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_largest_factors_that_a_spec_takes_end_no_training_with_an_error(digits, optimizer):
    largest = {"lr": LARGEST_FACTOR, "weight_decay": LARGEST_FACTOR}
    spec = RunSpec(train_size=100, epochs=3, batch_size=50, optimizer=optimizer, **largest)
    assert any(Training(spec, digits).epochs())


def test_a_loss_that_is_no_number_is_none_in_the_history(digits):
    spec = SMALL.with_(activation="relu", lr=1e20, epochs=3)
    training, history = train(spec, digits)
    assert training.diverged
    assert history[-1].train_loss is None
    assert len(history) == 1


def test_bf16_learns_and_is_reproducible(digits):
    spec = SMALL.with_(precision="bf16", norm="batch", epochs=1)
    (first,), (again,) = train(spec, digits)[1], train(spec, digits)[1]
    assert first == again
    assert first.train_loss < math.log(10)
    assert first.train_loss != train(spec.with_(precision="fp32"), digits)[1][0].train_loss


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_weight_decay_shrinks_the_weights(digits, optimizer):
    sizes = []
    for decay in (0.0, 0.1):
        training, _ = train(
            SMALL.with_(optimizer=optimizer, weight_decay=decay, lr=0.01, epochs=1), digits
        )
        sizes.append(
            sum(parameter.square().sum().item() for parameter in training.network.parameters())
        )
    assert sizes[1] < sizes[0]


def test_a_cut_that_cannot_be_made_is_an_error_of_the_data(digits):
    spec = RunSpec.model_construct(**{**SMALL.model_dump(), "train_size": 5})
    with pytest.raises(DataError, match="train_size"):
        Training(spec, digits)
