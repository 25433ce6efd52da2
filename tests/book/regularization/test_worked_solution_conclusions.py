"""How long training takes to an accuracy, and how far it overfits, read off runs."""

import math

import pytest

from book.regularization.worked_solution_conclusions import epochs_to, gaps, race
from models.progress import Silent
from models.specs import RunSpec
from models.sweeps import sweep


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two seeds of a small network, trained here and now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVBOOK_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CONVBOOK_RUNS", str(tmp_path_factory.mktemp("runs")))
        specs = [RunSpec(train_size=200, epochs=2, batch_size=50, seed=seed) for seed in range(2)]
        return sweep.ask(specs, progress=Silent(), device="cpu")


def accurate(record, *accuracies):
    """The record with other test accuracies, the last of them that of the finished network."""
    epochs = [
        e.model_copy(update={"test_accuracy": a})
        for e, a in zip(record.history, accuracies, strict=True)
    ]
    diagnostics = record.diagnostics | {"test_accuracy": accuracies[-1]}
    return record.model_copy(update={"history": tuple(epochs), "diagnostics": diagnostics})


def test_a_race_is_to_96_per_cent_where_both_get_there(trained):
    slow, fast = accurate(trained[0], 0.9, 0.97), accurate(trained[0], 0.965, 0.99)
    run = race([slow], [fast])
    assert (run.first.mean, run.second.mean, run.difference.mean) == (2, 1, 1)


def test_else_it_is_to_the_lower_of_the_two_final_accuracies(trained):
    slow, fast = accurate(trained[0], 0.5, 0.8), accurate(trained[0], 0.85, 0.9)
    run = race([slow], [fast])
    assert (run.first.mean, run.second.mean, run.difference.mean) == (2, 1, 1)


def test_an_accuracy_never_reached_is_an_error_that_names_it(trained):
    with pytest.raises(ValueError, match=r"0\.999 in one of 2 epochs"):
        epochs_to(trained[0], 0.999)


def test_the_gap_is_test_loss_minus_training_loss(trained):
    told = trained[0].diagnostics
    assert gaps(trained)[0] == told["test_loss"] - told["train_loss"]
    lost = trained[0].model_copy(update={"diagnostics": told | {"test_loss": None}})
    assert math.isnan(gaps([lost])[0])
