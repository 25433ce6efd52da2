"""A figure for a narrow page is narrow, shows all that the wide one does, and leaves that as is."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from book.builder import curves, widths
from book.report import curve_values, figures, narrow
from book.report.methods import BATCH_NORM, BATCH_NORM_INPUT, BOTH, DROPOUT
from book.report.point_labels import label_points

LOSSES = {name: [[0.5, 0.25], [0.6, 0.3]] for name in (BATCH_NORM, BATCH_NORM_INPUT, DROPOUT, BOTH)}


@pytest.fixture(autouse=True)
def book_style():
    with plt.style.context(figures.STYLE):
        yield


def drawn(figure: Figure) -> Figure:
    figure.draw_without_rendering()
    return figure


def texts(figure: Figure) -> set[str]:
    return {text.get_text().replace("\n", " ") for text in figure.findobj(narrow.Text)}


def test_panels_of_a_row_stand_below_one_another_within_the_width():
    wide = figures.panels({"train loss": LOSSES, "test loss": LOSSES})
    figure = drawn(narrow.narrow(wide))
    assert figure.get_figwidth() == narrow.WIDTH
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    assert all(below.y1 < above.y0 for above, below in pairwise(boxes))
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)


def test_what_stands_beside_the_lines_stands_above_the_panels():
    wide = figures.panels({"train loss": LOSSES, "test loss": LOSSES})
    figure = drawn(narrow.narrow(wide))
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    looks = dict(zip(names, legend.legend_handles, strict=True))
    assert looks.keys() == LOSSES.keys()
    assert looks[BOTH].get_color() == BOTH.colour
    assert looks[BOTH].get_linestyle() == BOTH.dash
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert box.y0 >= max(ax.get_window_extent().y1 for ax in figure.axes)


def test_lines_of_one_colour_keep_their_dashes():
    wide, ((ax,),) = figures.new()
    ends = []
    for place, (label, dash) in enumerate((("dashed", "--"), ("whole", "-"), ("dotted", ":"))):
        ax.plot([0, 1], [0, place], ls=dash, color="black")
        ends.append((place, label, "black"))
    figures.label_ends(ax, ends)
    (legend,) = narrow.narrow(wide).legends
    names = [text.get_text() for text in legend.get_texts()]
    dashes = [line.get_linestyle() for line in legend.legend_handles]
    assert dict(zip(names, dashes, strict=True)) == {"dashed": "--", "whole": "-", "dotted": ":"}


def test_the_wide_figure_stays_as_it_is():
    wide, other = (figures.panels({"train loss": LOSSES}) for _ in range(2))
    narrow.narrow(wide)
    assert curve_values.svg(wide) == curve_values.svg(other)


def test_panels_that_share_an_axis_each_have_its_names():
    wide = figures.dots({"here": {"dropout": (1, 2)}, "there": {"dropout": (3, 4)}}, xlabel="")
    figure = drawn(narrow.narrow(wide))
    for ax in figure.axes:
        (name,) = ax.get_yticklabels()
        assert name.get_visible()
        assert name.get_text() == "dropout"


def test_names_that_do_not_fit_are_turned_or_broken():
    wide, ((ax,),) = figures.new()
    names = [f"a layer with number {n}" for n in range(8)]
    ax.plot(range(8), range(8))
    ax.set_xticks(range(8), names)
    ax.set_yticks(range(8), [f"{name} of a large network that is deep" for name in names])
    figure = drawn(narrow.narrow(wide))
    assert {name.get_rotation() for name in figure.axes[0].get_xticklabels()} == {90}
    boxes = [name.get_window_extent() for name in figure.axes[0].get_yticklabels()]
    assert max(box.width for box in boxes) <= narrow.NAMES * figure.bbox.width
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))
    assert texts(wide) <= texts(figure)


def test_labels_of_points_hide_no_other():
    wide, ((ax,),) = figures.new()
    points = {f"a long name {n} 2024": (n // 2 + n % 2 / 9, n // 2 + n % 2 / 9) for n in range(6)}
    ax.plot(*zip(*points.values(), strict=True), "o")
    ax.margins(0.2)
    label_points(wide, ax, points)
    figure = drawn(narrow.narrow(wide))
    assert not narrow._overlapping(figure.axes[0].texts)


def diagram(count: int) -> Figure:
    figure, ((ax,),) = figures.new()
    for place in range(count):
        ax.text(place, 0, "harbour")
    ax.set(xlim=(0, count))
    ax.set_axis_off()
    return figure


def test_a_diagram_is_made_narrower_where_its_letters_fit():
    figure = drawn(narrow.narrow(diagram(4)))
    assert figure.get_figwidth() == narrow.WIDTH
    assert min(text.get_fontsize() for text in figure.axes[0].texts) >= narrow.LEAST
    assert narrow.narrow(diagram(8)) is None


def test_what_cannot_be_laid_out_is_drawn_once_and_without_a_warning():
    figure, ((ax,),) = figures.new()
    ax.text(1, 0, "beyond the panel, " * 4)
    assert widths.parted(curve_values.svg(figure))[1] == ""


def test_what_is_narrow_already_is_drawn_once():
    figure, _ = figures.new(size=(3, 2))
    assert widths.parted(curve_values.svg(figure))[1] == ""


def test_both_drawings_have_the_same_curves():
    svg = curve_values.svg(figures.panels({"train loss": LOSSES, "test loss": LOSSES}))
    wide, small = widths.parted(svg)
    groups = [one.count(f'id="{curves.GROUP}') for one in (wide, small)]
    assert groups == [16, 16], "two panels, four methods, two seeds each"


@pytest.mark.slow
def test_a_narrow_figure_has_the_same_bytes_in_another_process():
    code = (
        "from book.report import curve_values, figures; import sys;"
        "figures.plt.style.use(figures.STYLE);"
        "sys.stdout.write(curve_values.svg(figures.panels({'loss': {'dropout': [[1, 2]] * 3}})))"
    )
    command = [sys.executable, "-c", code]
    run = {"capture_output": True, "text": True, "check": True, "cwd": Path.cwd()}
    one, other = (subprocess.run(command, **run).stdout for _ in range(2))
    assert widths.parted(one)[1]
    assert one == other
