"""The chapter on CIFAR-10: its variants, its summary from two witnesses, and what it reads from
runs.
"""

import pytest
from recorded import ended

import analysis
from book.regularization import cifar10, formula_checks
from models.records import Record
from models.specs import RunSpec

BASE = RunSpec(network="lenet5-norm", dataset="mnist5k", train_size=500, epochs=2)


def runs(*accuracies: float) -> list[Record]:
    return [
        ended(BASE.with_(seed=seed), test_accuracy=accuracy)
        for seed, accuracy in enumerate(accuracies)
    ]


def test_the_sketch_plugs_in_five_normalizations() -> None:
    variants = cifar10.sketch(BASE)
    assert [spec.norm for spec in variants.values()] == [
        "none",
        "batch",
        "layer",
        "group",
        "instance",
    ]


def test_none_and_batch_norm_are_always_among_the_variants() -> None:
    assert list(cifar10.sketch(BASE, ["group"])) == ["no norm", "batch norm", "group norm"]
    assert list(cifar10.sketch(BASE, [])) == ["no norm", "batch norm"]


def test_the_note_without_batch_norm_has_none_on_its_input_either() -> None:
    variants = cifar10.note(BASE)
    assert (variants["no norm"].norm, variants["no norm"].input_norm) == ("none", "none")
    assert (variants["batch norm"].norm, variants["batch norm"].input_norm) == ("batch", "batch")


def test_the_easier_images_get_the_two_networks_that_the_improvement_needs() -> None:
    groups = cifar10.groups(
        cifar10.sketch(BASE), BASE.with_(epochs=3), 2, BASE.with_(network="cifar-note"), 1
    )
    assert {name: (len(variants), seeds) for name, (variants, seeds) in groups.items()} == {
        "sketch": (5, 2),
        "other": (2, 2),
        "note": (2, 1),
    }
    assert {spec.epochs for spec in groups["other"][0].values()} == {3}


def test_the_notes_visible_cells_come_out_of_both_witnesses() -> None:
    network = cifar10.live(
        network="cifar-note", dataset="cifar10", norm="batch", input_norm="batch"
    )
    derived = analysis.cifar_note()
    rows = cifar10.summary_rows(derived, network)
    cells = [row[2] for row in rows if row[2]]
    assert tuple(cells[:4]) == cifar10.Note().cells
    assert cells == [row[3] for row in rows if row[3]]
    assert sum(cells) == derived.total.keras_parameters


def test_a_network_with_more_layers_than_were_derived_is_refused() -> None:
    network = cifar10.live(
        network="cifar-note", dataset="cifar10", norm="batch", input_norm="batch"
    )
    with pytest.raises(ValueError, match="has 5 more"):
        cifar10.summary_rows(analysis.cifar_note(normalization="none"), network)


@pytest.mark.parametrize("norm", [norm for norm, _ in cifar10.SKETCH.values()])
def test_the_sketchs_sizes_come_out_of_both_witnesses(norm: str) -> None:
    network = cifar10.live(network="lenet5-norm", dataset="cifar10", norm=norm)
    assert (
        sum(cifar10.live_counts(network)) == analysis.lenet5_norm(norm=norm).total.keras_parameters
    )


def test_halving_the_errors_is_half_of_them_removed() -> None:
    gain = cifar10.improvement({"no norm": runs(0.8, 0.6), "batch norm": runs(0.9, 0.8)})
    assert gain.points.mean == pytest.approx(0.15)
    assert gain.errors_removed.mean == pytest.approx(0.5)


def test_an_improvement_is_compared_with_another_seed_by_seed() -> None:
    hard = {"no norm": runs(0.6, 0.62, 0.61), "batch norm": runs(0.7, 0.72, 0.71)}
    easy = {"no norm": runs(0.98, 0.97, 0.98), "batch norm": runs(0.99, 0.98, 0.99)}
    more = cifar10.more_improvement(hard, easy)
    assert more.points.mean == pytest.approx(0.09)
    assert more.points.half_width == pytest.approx(0, abs=1e-9)
    assert more.errors_removed.mean < 0, "of the few errors on the easy images a larger share went"


def with_losses(*losses: float | None) -> Record:
    record = ended(BASE.with_(epochs=len(losses), validation_size=50))
    history = [
        epoch.model_copy(update={"validation_loss": loss})
        for epoch, loss in zip(record.history, losses, strict=True)
    ]
    return record.model_copy(update={"history": tuple(history)})


def test_overfitting_begins_where_the_validation_loss_is_lowest() -> None:
    found = cifar10.overfitting([with_losses(0.9, 0.6, 0.7, 0.8)])
    assert (found.epochs, found.lowest.mean) == ((2,), 0.6)
    assert found.epochs_text == "epoch 2"
    assert "a single seed can't tell" in found.words
    assert found.rise.mean == pytest.approx(0.2)


def test_a_loss_that_is_lost_is_not_the_lowest() -> None:
    assert cifar10.overfitting([with_losses(0.9, None, 0.7)]).epochs == (3,)


def test_an_epoch_is_named_only_where_the_seeds_agree_on_it() -> None:
    early, late = with_losses(0.6, 0.7, 0.8, 0.9, 1.0), with_losses(0.9, 0.8, 0.7, 0.6, 0.7)
    agreeing = cifar10.overfitting([early, early, with_losses(0.7, 0.6, 0.8, 0.9, 1.1)])
    assert agreeing.words == "so it overfits from about there on"
    apart = cifar10.overfitting([early, late, with_losses(0.7, 0.6, 0.6, 0.6, 0.9)])
    assert apart.epochs_text == "epochs 1, 4 and 2"
    assert "says that it overfits" in cifar10.overfitting([late, late, early]).words
    clear = cifar10.overfitting([early, with_losses(0.9, 0.8, 0.7, 0.6, 1.0), early])
    assert clear.words == "so it overfits in the end, but the seeds don't agree from which epoch on"


@pytest.mark.parametrize("factor", [0.5, 10.0])
def test_the_size_of_the_weights_before_a_batch_norm_does_not_matter(factor: float) -> None:
    assert 0 < formula_checks.scaled_gap(factor) < 1e-3, "but for ε"


def test_the_size_of_the_weights_without_a_batch_norm_behind_them_does_matter() -> None:
    assert formula_checks.scaled_gap(10.0, layer="output") > 1e-2
