"""A figure's SVG says what its curves are worth, as the page shows it below."""

from xml.etree import ElementTree

import numpy as np

from book.builder import curves
from book.report import curve_values, figures
from book.report.methods import BATCH_NORM, DROPOUT


def read(figure):
    root = ElementTree.fromstring(curve_values.svg(figure))
    groups = {one.get("id") for one in root.iter() if one.get("id", "").startswith(curves.GROUP)}
    panels = curves.read(root)
    assert len(groups) == sum(len(one.names) for one in panels)
    return panels


def test_each_panel_says_its_quantity_and_the_means_of_its_methods_by_epoch():
    losses = {BATCH_NORM: [[0.5, 0.25]] * 3, DROPOUT: [[0.75, 1 / 3]] * 3}
    accuracies = {BATCH_NORM: [[90, 95], [91, 97]], DROPOUT: [[80, 85]]}
    loss, accuracy = read(figures.panels({"loss": losses, "accuracy, %": accuracies}))
    assert (loss.x, loss.y, loss.names) == ("epoch", "loss", ["batch norm", "dropout"])
    assert loss.rows == [["1", "0.5", "0.75"], ["2", "0.25", "0.3333"]]
    assert loss.colours == [BATCH_NORM.colour.lower(), DROPOUT.colour.lower()]
    assert accuracy.names == ["batch norm (1)", "batch norm (2)", "dropout"]
    assert accuracy.rows[1] == ["2", "95", "97", "85"]


def test_what_is_no_number_is_a_dash_and_positions_go_by_their_names():
    figure, ((ax,),) = figures.new()
    ax.plot([0, 1], [1, np.nan], label="one")
    ax.plot([1], [2], label="two")
    ax.set_xticks([0, 1], ["conv1", "conv2"])
    (panel,) = read(figure)
    assert panel.rows == [["conv1", "1", "–"], ["conv2", "–", "2"]]


def test_lines_without_a_name_and_long_ones_are_only_drawn():
    figure, ((ax,),) = figures.new()
    ax.plot([0, 1], [1, 2])
    ax.plot(np.arange(curve_values.LONGEST + 1), label="long")
    assert read(figure) == []
    assert curves.details([]) == curves.key([]) == ""


def test_an_svg_of_another_description_has_no_curves():
    space = "http://purl.org/dc/elements/1.1/"
    svg = f"<svg xmlns:dc='{space}'><dc:description>a tide</dc:description></svg>"
    assert curves.read(ElementTree.fromstring(svg)) == []
    assert curves.read(ElementTree.fromstring("<svg/>")) == []
