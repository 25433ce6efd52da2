"""A figure is an SVG of the same bytes whenever it is drawn, and shows no value that can't be."""

import subprocess
import sys

import numpy as np
import pytest

from book.report import figures
from book.report.intervals import mean_interval

HIGH = (99.9, 99.9, 96.0)  # per cent: the interval of their mean ends above 100
LOW = (0.01, 0.02, 0.3)  # nats: that of theirs begins below zero

DRAWING = """
import sys
from IPython.core.interactiveshell import InteractiveShell

from book.report import figures

def drawn():
    figure, ((ax,),) = figures.new()
    ax.plot([1, 2], [3, 4])
    figures.label_ends(ax, [(4, "a line", "black")])
    formatters = InteractiveShell.instance().display_formatter.formatters
    forms = {kind: form for kind, one in formatters.items() if (form := one(figure)) is not None}
    assert set(forms) == {"image/svg+xml", "text/plain"}, forms.keys()
    return forms["image/svg+xml"]

InteractiveShell.instance()
figures.use_style()
sys.stderr.write(drawn())
assert drawn() == drawn()
"""


def test_a_figure_drawn_again_has_the_same_bytes_without_a_date():
    command = [sys.executable, "-c", DRAWING]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "<svg" in drawn
    assert "<dc:date>" not in drawn


def band_of(ax):
    (band,) = ax.collections
    return band.get_paths()[0].vertices[:, 1]


def test_bands_of_accuracies_end_at_100_per_cent_and_those_of_losses_at_zero():
    assert mean_interval(HIGH).high > 100
    assert mean_interval(LOW).low < 0
    series = {
        "test accuracy, %": {"dropout": [[value] * 4 for value in HIGH]},
        "test loss": {"dropout": [[value] * 4 for value in LOW]},
    }
    accuracy, loss = figures.panels(series).axes
    assert band_of(accuracy).max() == 100
    assert band_of(loss).min() == 0
    assert band_of(loss).max() == pytest.approx(mean_interval(LOW).high)


def ends_of(container):
    (segments,) = (lines.get_segments() for lines in container[2])
    return np.array(segments)


def test_bars_of_accuracies_end_at_100_per_cent_too():
    dots = figures.dots({"": {"dropout": HIGH}}, xlabel="test accuracy, %").axes[0]
    assert ends_of(dots.containers[0])[0, :, 0].max() == 100
    _, ((ax,),) = figures.new()
    figures.sweep(ax, [1], {"dropout": [mean_interval(HIGH)]}, limits=figures.PER_CENT)
    assert ends_of(ax.containers[0])[0, :, 1].max() == 100
