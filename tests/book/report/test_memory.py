"""The memory tables say what the derivation says, for any batch."""

import pytest

import analysis
from analysis import B
from analysis.footprint import STATES, inference_memory, training_memory
from book.report import memory
from book.report.memory import OPTIMIZERS, Need


def shown(derivation, batch=64, optimizers=("momentum", "adam")) -> dict[str, list[str]]:
    """The table's cells by their row's label, with common spaces."""
    rows = memory.rows(derivation, batch, optimizers)
    return {label: [cell.replace("\xa0", " ") for cell in cells] for label, *cells in rows}


def test_each_part_has_its_calculation_and_the_parts_add_up():
    rows = shown(analysis.vgg19_torchvision())
    assert rows["parameters"] == ["4·143,667,240 = 574,668,960", "574.7"]
    assert rows["state of Adam"][0] == "2·4·143,667,240 = 1,149,337,920"
    assert rows["saved for backward"][0] == "B·(4·16,566,272 + 8·1,530,368) = 78,508,032·B"
    assert rows["**training, momentum**"][0] == "78,508,032·B + 1,724,006,880"
    assert rows["**evaluation**"] == ["25,690,112·B + 574,668,960", "2,218.8"]


@pytest.mark.parametrize("optimizer", STATES)
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_form_in_the_batch_is_what_is_derived_for_that_batch(optimizer, batch):
    closed, derived = analysis.alexnet(), analysis.alexnet(batch=batch)
    step = training_memory(derived, optimizer=optimizer)
    assert memory.in_training(closed, optimizer).at(batch) == step.total.value
    assert memory.in_evaluation(closed).at(batch) == inference_memory(derived).total.value


def test_the_batch_of_the_derivation_does_not_matter():
    one, many = analysis.lenet5(), analysis.lenet5(batch=128)
    assert shown(one) == shown(many) == shown(analysis.lenet5(batch=B))


def test_from_the_even_batch_on_images_need_more_than_what_is_needed_once():
    need = memory.in_training(analysis.vgg19_torchvision(), "momentum")
    assert need.each * need.even > need.once >= need.each * (need.even - 1)
    assert Need(once=100, each=200).even == 1


def test_moving_statistics_have_a_row_where_there_are_any():
    assert "moving statistics" not in shown(analysis.lenet5())
    assert "moving statistics" in shown(analysis.lenet5(normalization="hidden"))


def test_small_networks_are_shown_to_ten_kilobytes():
    rows = shown(analysis.lenet5(), 128, ("sgd",))
    assert rows["state of plain SGD"] == ["0·4·61,706 = 0", "0.00"]
    assert rows["**training, plain SGD**"] == ["35,472·B + 493,648", "5.03"]


def test_glued_numbers_are_those_of_the_table():
    found = memory.numbers("net", analysis.alexnet(), 128, "momentum")
    rows = shown(analysis.alexnet(), 128)
    assert f"{found['net_step_mb']:,.1f}" == rows["**training, momentum**"][1]
    assert f"{found['net_evaluation_mb']:,.1f}" == rows["**evaluation**"][1]
    assert f"{found['net_step_share'] * found['net_step_mb']:,.1f}" == rows["saved for backward"][1]


def test_every_optimizer_has_a_name_in_the_table():
    assert list(OPTIMIZERS) == list(STATES)
