"""Which values fit the type that a `parameters` cell declares."""

import math

import pytest

from book.builder.declared_types import check_types
from book.builder.errors import BookError

CELL = """\
from typing import Literal, Optional, Union
import typing

height: int = 224  # pixels
lr: float = 0.1
code: str = "029"
deep: bool = False
size: Optional[int] = None
rate: "float | None" = 0.5
kind: Literal["a", "b"] = "a"
level: typing.Literal[1, 2] = 1
either: Union[int, str] = 1
sides: list[int] = [
    1,
]
shape: tuple[int, int] = (1, 2)
free = 3
"""

FITTING = [
    ("height", 5), ("lr", 5), ("lr", 0.5), ("lr", math.nan), ("code", "029"), ("deep", True),
    ("size", None), ("size", 7), ("rate", None), ("rate", 1), ("kind", "b"), ("level", 2),
    ("either", 1), ("either", "x"), ("sides", [2]), ("shape", "anything"), ("free", object()),
    ("undeclared", 1),
]  # fmt: skip
UNFIT = [
    ("height", "1e400", "height must be a whole number; got '1e400'"),
    ("height", 5.0, "height must be a whole number; got 5.0"),
    ("height", True, "height must be a whole number; got True"),
    ("height", None, "height must be a whole number; got None"),
    ("lr", "fast", "lr must be a number; got 'fast'"),
    ("lr", False, "lr must be a number; got False"),
    ("code", 29, "code must be a text; got 29"),
    ("deep", 1, "deep must be true or false; got 1"),
    ("size", "all", "size must be a whole number or None; got 'all'"),
    ("rate", "x", "rate must be a number or None; got 'x'"),
    ("kind", "c", "kind must be one of 'a', 'b'; got 'c'"),
    ("level", True, "level must be one of 1, 2; got True"),
    ("either", 1.5, "either must be a whole number or a text; got 1.5"),
    ("sides", 3, "sides must be a list; got 3"),
]


@pytest.mark.parametrize(("name", "value"), FITTING)
def test_a_value_of_the_declared_type_is_accepted(name, value):
    check_types(CELL, {name: value})


@pytest.mark.parametrize(("name", "value", "message"), UNFIT)
def test_a_value_of_another_type_is_refused_in_words(name, value, message):
    with pytest.raises(BookError) as refused:
        check_types(CELL, {name: value})
    assert str(refused.value) == message
