"""The picture of a module says what the derivation says; sums that do not add up are explained."""

import matplotlib.pyplot as plt
import pytest

import analysis
from book.architectures.inception import branches, recounts, slips, total

TERMS = {"a": 1_000, "b": 300, "c": 20}


def words(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_every_arrow_of_the_reduced_module_carries_the_channels_derived():
    written = words(
        branches(analysis.inception_reduced(channels=100, reduce_3x3=7, project_pool=11))
    )
    assert (
        written.count("100") == 5
    )  # four branches read the input, and the projection reads the pool
    for channels in ("7", "64", "11", "128", "192", "96"):
        assert written.count(channels) == 1, channels
    assert "concatenation 32 × 32 × 427" in written


def test_every_box_of_the_naive_module_says_its_macs():
    derived = analysis.inception_naive(height=28, width=28)
    written = words(branches(derived))
    for layer, window in (("1x1", "1×1"), ("3x3", "3×3"), ("5x5", "5×5")):
        assert f"{window} conv\n{derived.row(layer).macs / 1e6:,.1f}M MACs" in written
    assert "3×3 pool" in written


def test_a_figure_is_closed_so_that_a_notebook_shows_it_once():
    branches(analysis.inception_naive())
    assert plt.get_fignums() == []


def test_a_chain_without_branches_is_refused():
    with pytest.raises(ValueError, match="vgg19 is no single module of branches"):
        branches(analysis.vgg19())


def test_a_right_sum_has_no_slips_and_comes_first():
    first, *_ = recounts(TERMS, printed=1_320)
    assert slips(first) == 0


def test_a_term_added_twice_is_found():
    assert recounts(TERMS, printed=1_620) == [{"a": 1, "b": 2, "c": 1}]


def test_every_way_really_rounds_to_what_was_printed():
    ways = recounts(TERMS, printed=2_000, unit=1_000)
    assert ways
    assert all(1_500 <= total(TERMS, way) < 2_500 for way in ways)


def test_a_sum_that_no_way_reaches_has_none():
    assert recounts(TERMS, printed=5_000) == []
