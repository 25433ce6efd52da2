"""Tables and figures of derived networks say what the derivation says."""

from typing import Any

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import analysis
from book.architectures import breakdowns
from book.report import colours, derivations, tables


@pytest.fixture(autouse=True)
def _close_figures() -> Any:
    yield
    plt.close("all")


def bars(figure: Figure, panel: int) -> list[float]:
    return [bar.get_width() for bar in figure.axes[panel].patches]


def test_the_shares_of_a_quantity_add_up_to_one() -> None:
    figure = breakdowns.shares({"VGG19": analysis.vgg19()}, {"weights": "weights", "macs": "MACs"})
    assert sum(bars(figure, 0)) == pytest.approx(1)
    assert sum(bars(figure, 1)) == pytest.approx(1)


def test_two_networks_stand_side_by_side_under_their_names() -> None:
    pair = {"two GPUs": analysis.alexnet(), "single tower": analysis.alexnet_torchvision()}
    figure = breakdowns.shares(pair, {"parameters": "parameters"})
    written = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert sum(bars(figure, 0)) == pytest.approx(2)
    assert "two GPUs" in written
    assert "single tower" in written


def test_layers_without_the_quantities_have_no_bar() -> None:
    figure = breakdowns.shares({"AlexNet": analysis.alexnet()}, {"weights": "weights"})
    named = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert named == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]


def crossings(figure: Figure) -> set[int]:
    """Rows into which lines cross from one GPU to the other."""
    lines = [
        line for line in figure.axes[0].lines if to_hex(line.get_color()).upper() == colours.ORANGE
    ]
    return {round(max(line.get_ydata()) + 0.28) for line in lines}


def test_alexnets_gpus_exchange_maps_only_before_conv3_fc6_and_fc7() -> None:
    names = ["input", "conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]
    crossed = crossings(breakdowns.two_towers(analysis.alexnet()))
    assert [names[row] for row in sorted(crossed)] == ["conv3", "fc6", "fc7"]


def test_without_groups_every_split_layer_reads_both_halves() -> None:
    assert crossings(breakdowns.two_towers(analysis.alexnet(groups=1))) == {2, 3, 4, 5, 6, 7}


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The Markdown of what is displayed."""
    shown: list[str] = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, **_: shown.append(data["text/markdown"])
    )
    return shown


def test_a_table_of_layers_ends_with_the_total(displayed: list[str]) -> None:
    derivations.layers(analysis.vgg19(), ["output", "weights"], name="tab", caption="VGG19")
    lines = [line for line in displayed[0].splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 25 + 1
    assert [cell.strip() for cell in lines[-1].split("|")[1:-1]] == ["total", "", "143,652,544"]


def test_calculations_marks_and_labels_go_where_they_are_asked_for(displayed: list[str]) -> None:
    derivations.layers(
        analysis.alexnet(),
        ["weights", "biases"],
        shown=["weights"],
        marked=[("conv1", "weights")],
        labels={"conv1": "first"},
        name="tab",
        caption="AlexNet",
    )
    first = next(line for line in displayed[0].splitlines() if "first" in line)
    calculated = tables.unbroken("(11·11·3)·96 = 34,848")
    assert [cell.strip() for cell in first.split("|")[1:-1]] == ["first", f"**{calculated}**", "96"]


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (150_528, "150K"),
        (3_211_264, "3.2M"),
        (802_816, "800K"),
        (401_408, "400K"),
        (999_999, "1M"),
        (42, "42"),
    ],
)
def test_counts_are_abbreviated_as_the_lab_sheet_does(number: int, printed: str) -> None:
    assert tables.abbreviated(number) == printed
