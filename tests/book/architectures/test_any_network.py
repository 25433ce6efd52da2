"""Networks that were read: their budgets, and the other tools' totals by our conventions."""

from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import papermill
import pytest
from pydantic import ValidationError

from analysis.reading import CONVENTIONS, read
from book.architectures import any_network, tool_counts
from book.architectures.counted import CASES, NETWORKS, SHAPE
from book.architectures.tool_counts import PACKAGES, TOOLS, CountsError

ROOT = Path(__file__).parents[3]
CHAPTER = ROOT / "book" / "architectures" / "any_network.ipynb"


@pytest.fixture(scope="module")
def home():
    """The eight networks, read at the size that the tools were asked about."""
    return {one.name: read(one.build, SHAPE, name=one.title) for one in NETWORKS}


@pytest.fixture(scope="module")
def counted():
    return tool_counts.read()


@pytest.mark.parametrize("tool", TOOLS)
def test_a_convention_gives_every_total_that_its_tool_printed(tool, home, counted):
    agrees = any_network.agreement(home, tool, counted.tools[tool])
    assert set(agrees) == {one.name for one in NETWORKS}
    assert all(agrees.values()), agrees


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_a_convention_gives_what_its_tool_printed_of_a_small_module(tool, case, counted):
    said = counted.tools[tool].cases[case.title]
    if said is None:
        assert (tool, case.title) == ("calflops", "x·xᵀ, 5 × 7")
    else:
        assert CONVENTIONS[tool].total(read(case.build, case.shape)) == said


RIGHT = {
    "conv 3→8, 3×3, bias": 55_296,
    "transposed 3→1, 2×2": 48,
    "transposed 32→1, 3×3": 288,
    "linear 10→11": 110,
    "linear 10→10, twice": 200,
    "x·W, W in a list": 40_000,
    "attention, 580 × 512": 952_647_680,
    "x·xᵀ, 5 × 7": 175,
}


def test_small_modules_are_counted_as_by_hand():
    assert {case.title: read(case.build, case.shape).total.macs for case in CASES} == RIGHT


def test_what_keras_counts_more_is_explained(home, counted):
    totals = {name: said for name, said in counted.tools["keras"].networks.items() if said}
    why = {name: any_network.keras_difference(home[name], said) for name, said in totals.items()}
    assert why["resnet50"] == "a bias for every filter, though a batch norm follows"
    assert why["efficientnet_b0"] == "mean and variance of the input's channels, and a counter"
    assert {why[name] for name in ("vgg19", "mobilenet_v3_large", "convnext_tiny")} == {""}
    assert any_network.keras_difference(home["vgg19"], 1) == "unknown"


@pytest.fixture(scope="module")
def resnet():
    (found,), refused = any_network.costs([NETWORKS[3]], SHAPE, optimizer="adam", precision="fp32")
    assert refused == {}
    return found


@pytest.mark.parametrize("gib", [0.5, 8.0, 24.0, 80.0])
def test_the_largest_batch_fits_and_one_more_does_not(resnet, gib):
    batch = resnet.largest(gib)
    assert resnet.fixed + resnet.each * batch <= gib * 2**30
    assert resnet.fixed + resnet.each * (batch + 1) > gib * 2**30


def test_the_parts_of_a_step_add_up_to_the_budget(resnet):
    parts = resnet.parts(64)
    assert sum(parts.values()) == resnet.fixed + 64 * resnet.each
    assert parts["weights"] == parts["gradients"] == parts["optimizer state"] / 2
    assert parts["weights"] == 4 * 25_557_032


def test_a_budget_below_the_weights_fits_no_image(resnet):
    assert resnet.largest(0.1) == 0


def test_a_batch_raises_the_intensity(resnet):
    assert resnet.intensity(64, 4) > resnet.intensity(1, 4)
    assert resnet.intensity(1, 2) == pytest.approx(2 * resnet.intensity(1, 4))


def test_networks_that_refuse_a_size_are_told_and_left_out():
    chosen = [NETWORKS[0], NETWORKS[4], NETWORKS[6]]
    found, refused = any_network.costs(chosen, (3, 96, 64), optimizer="sgd", precision="bf16")
    assert [one.network.title for one in found] == ["AlexNet", "MobileNetV3-L"]
    assert list(refused) == ["ViT-B/16"]
    assert "refuses an input of 1 × 3 × 96 × 64" in refused["ViT-B/16"]


def test_receptive_fields_of_last_maps(home):
    fields = {
        one.name: any_network.field(
            any_network.Costs(one, home[one.name], None, *SHAPE[1:]).last_map
        )
        for one in NETWORKS
    }
    assert fields["alexnet"] == ["195", "195", "exact"]
    assert fields["resnet50"] == ["427", "427", "exact"]
    assert fields["efficientnet_b0"] == ["the image", "851", "global"]
    assert fields["vit_b_16"] == ["the image", "the image", "global"]


def test_a_point_of_each_network_is_labelled_and_the_figure_closed():
    figure = any_network.trade_offs({"a": (1, 10), "b": (3, 2), "c": (9, 50)}, "x", "y")
    assert {text.get_text() for text in figure.axes[0].texts} == {"a", "b", "c"}
    bars = any_network.paired_bars(["a", "b"], {"one": [1, 2], "two": [3, 4]}, "x", ".0f")
    assert [text.get_text() for text in bars.axes[0].texts] == ["1  one", "2", "3  two", "4"]
    assert plt.get_fignums() == []


def test_no_label_lies_on_another_or_leaves_the_figure():
    crowd = {"AlexNet": (61, 0.7), "ResNet-50": (25.6, 4.1), "ConvNeXt-T": (28.6, 4.5)}
    figure = any_network.trade_offs({**crowd, "VGG19": (144, 19.6), "ViT-B/16": (87, 17.6)}, "", "")
    (ax,) = figure.axes
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(two) for one, two in combinations(boxes, 2))
    assert all(ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1 for box in boxes)


def test_damaged_counts_say_what_writes_them(tmp_path):
    path = tmp_path / "counts.json"
    with pytest.raises(CountsError, match=r"cannot read .*counts.json.*tool_counts` writes it"):
        tool_counts.read(path)
    for damaged in ('{"date": "today"}', "[" * 200_000):
        path.write_text(damaged)
        with pytest.raises(CountsError, match="cannot read"):
            tool_counts.read(path)


def test_counts_are_stored_as_they_were(tmp_path, counted):
    tool_counts.write(counted, tmp_path / "counts.json")
    assert tool_counts.read(tmp_path / "counts.json") == counted
    with pytest.raises(ValidationError):
        counted.date = "tomorrow"


def test_tools_that_are_not_installed_are_named(monkeypatch, capsys):
    monkeypatch.setattr(tool_counts, "find_spec", lambda package: None)
    assert tool_counts.main([]) == 1
    assert "not installed: torch, torchinfo, fvcore" in capsys.readouterr().err
    assert tool_counts.main(["nobody"]) == 2
    assert "at most one of torch, torchinfo" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("tool", [*TOOLS, "keras"])
def test_a_tool_still_says_what_was_stored(tool, counted):
    package = dict(zip([*TOOLS, "keras"], PACKAGES, strict=True))[tool]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'convbook[bench]'")
    assert tool_counts.asked_alone(tool) == counted.tools[tool]


def executed(tmp_path, **parameters):
    path = tmp_path / "executed.ipynb"
    papermill.execute_notebook(
        CHAPTER, path, parameters, progress_bar=False, cwd=ROOT, log_output=False
    )
    return nbformat.read(path, as_version=4)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_chapter_takes_other_sizes_and_says_which_network_refuses(tmp_path):
    other = {"height": 192, "width": 256, "batch": 8, "optimizer": "sgd", "precision": "bf16"}
    cells = executed(tmp_path, **other).cells
    written = " ".join(str(cell.get("outputs", "")) for cell in cells)
    assert "ViT-B/16 is missing here" in written


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_an_optimizer_that_is_not_known_is_refused_before_any_work(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="optimizer must be one of"):
        executed(tmp_path, optimizer="adams")
