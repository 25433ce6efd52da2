"""MiniGoogLeNet module by module: its parts add up, in both geometries."""

import pytest

import analysis
from book.learning_rate import minigooglenet
from book.report import memory
from models.networks.build import build, count_parameters
from models.specs import RunSpec

PADDED, UNPADDED = analysis.minigooglenet(), analysis.minigooglenet_unpadded()


@pytest.mark.parametrize("derived", [PADDED, UNPADDED], ids=["padded", "unpadded"])
def test_the_modules_add_up_to_the_network(derived):
    found = minigooglenet.modules(derived)
    for quantity in ("parameters", "macs"):
        total = getattr(derived.total, quantity)
        assert sum(module.total(quantity) for module in found) == total
    assert sum(minigooglenet.macs_by_side(derived).values()) == pytest.approx(1, abs=1e-4)
    first, *_, total = minigooglenet.rows(derived)
    assert first[0] == "input"
    assert total[2:4] == [derived.total.parameters, derived.total.macs]
    step = memory.in_training(derived, "momentum")
    assert total[4] == f"{step.each / 1000:,.0f}", "the memory's own sum"


def test_the_padded_network_halves_its_maps_and_the_live_one_is_as_large():
    found = minigooglenet.modules(PADDED)
    assert [module.output[0] for module in found] == [28] * 3 + [14] * 5 + [7] * 3 + [1, 10]
    live = count_parameters(build(RunSpec(network="minigooglenet", norm="batch")))
    assert live.trainable == PADDED.total.parameters


def test_the_geometries_differ_in_their_maps_before_the_last_downsampling_alone():
    rows = list(minigooglenet.geometry_rows(PADDED, UNPADDED))
    assert [row[0] for row in rows] == [
        "conv1",
        *("inception1", "inception2", "downsample1"),
        *("inception3", "inception4", "inception5", "inception6"),
    ]
    assert rows[3][1:3] == ["14 × 14 × 160", "15 × 15 × 160"]
    assert all(unpadded > padded for *_, padded, unpadded in rows)


def test_the_second_downsampling_can_see_the_whole_image_and_the_last_module_more():
    assert minigooglenet.sees_all(PADDED) == "downsample2"
    assert minigooglenet.modules(PADDED)[-3].field == 45
    assert minigooglenet.sees_all(analysis.minigooglenet(height=400, width=400)) == "none of them"


def test_the_diagram_has_a_box_a_window_and_says_every_size():
    (ax,) = minigooglenet.draw(PADDED).axes
    written = [text.get_text() for text in ax.texts]
    assert len(ax.patches) == 1 + 1 + 10 * 2 + 2, "image, conv1, modules, average and output"
    assert written.count("3×3 / 2 max pool") == 2
    assert {"3×3 conv, 96", "1×1 conv, 176", "7 × 7 × 336", "global average"} <= set(written)
