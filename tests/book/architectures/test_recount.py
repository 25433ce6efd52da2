"""Sums that do not add up, and what was added instead."""

from book.architectures.inception import recounts, slips, total

TERMS = {"a": 1_000, "b": 300, "c": 20}


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
