"""A forest plot: what is drawn of an interval, of none, and of one that contains zero."""

import pytest
from matplotlib.colors import same_color
from recorded import ended

from book.report import forest
from book.report.colours import GREY
from book.report.methods import BOTH, NEITHER
from models.specs import RunSpec


def results_of(*gains):
    """Both ahead of neither by so much, a seed each."""
    levels = {NEITHER: [0.5] * len(gains), BOTH: [0.5 + gain for gain in gains]}
    return {
        name: [
            ended(RunSpec(seed=seed), diagnostics={"test_accuracy": value})
            for seed, value in enumerate(values)
        ]
        for name, values in levels.items()
    }


SETTINGS = {
    "clear": results_of(0.10, 0.11, 0.12),
    "noise": results_of(-0.10, 0.00, 0.11),
    "one seed": results_of(0.05),
}


def test_a_row_has_an_interval_in_the_methods_colour_or_grey_or_its_seeds():
    (ax,) = forest.draw(SETTINGS, [(BOTH, NEITHER)]).axes
    clear, noise = ax.containers
    assert same_color(clear.lines[0].get_color(), BOTH.colour)
    assert clear.lines[0].get_xdata() == pytest.approx([11.0])
    assert same_color(noise.lines[0].get_color(), GREY)
    (seed,) = [line for line in ax.lines if list(line.get_ydata()) == [2]]
    assert seed.get_xdata() == pytest.approx([5.0])
    assert [label.get_text() for label in ax.get_yticklabels()] == list(SETTINGS)


def test_each_pair_has_a_panel_that_names_it():
    axes = forest.draw(SETTINGS, [(BOTH, NEITHER), (NEITHER, BOTH)]).axes
    assert [ax.get_xlabel() for ax in axes] == ["both\n− neither", "neither\n− both"]
