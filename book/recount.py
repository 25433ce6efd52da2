"""How a printed sum may have come about, where it is not the sum of its terms."""

from collections.abc import Mapping
from itertools import product


def recounts(terms: Mapping[str, int], printed: int, unit: int = 1) -> list[dict[str, int]]:
    """Ways to reach a printed, rounded sum when each term is left out, added once or added twice.

    A way says how often each term is added. It fits if its sum, rounded to a multiple of `unit`, is the printed one.
    Ways with fewer slips (terms not added exactly once) come first.

    >>> recounts({"a": 1_200, "b": 700, "c": 90}, printed=2_700, unit=100)
    [{'a': 1, 'b': 2, 'c': 1}]
    """
    ways = [dict(zip(terms, times, strict=True)) for times in product((0, 1, 2), repeat=len(terms))]
    fitting = [way for way in ways if rounded(total(terms, way), unit) == printed]
    return sorted(fitting, key=slips)


def total(terms: Mapping[str, int], way: Mapping[str, int]) -> int:
    """The sum with each term added as often as `way` says."""
    return sum(times * terms[name] for name, times in way.items())


def slips(way: Mapping[str, int]) -> int:
    """Terms that are not added exactly once.

    >>> slips({"a": 1, "b": 2, "c": 0})
    2
    """
    return sum(times != 1 for times in way.values())


def rounded(value: int, unit: int) -> int:
    """A whole number rounded to the nearest multiple of `unit`, halves up.

    >>> rounded(854_196_224, 1_000_000)
    854000000
    """
    return (value + unit // 2) // unit * unit
