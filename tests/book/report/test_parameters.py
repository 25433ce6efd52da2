"""A chapter refuses parameters that it does not know or that can't be."""

import subprocess
import sys

import pytest

from book.builder.declared import declared
from book.report.parameters import (
    SIZE,
    ParameterError,
    at_least_one,
    number,
    one_of,
    or_none,
    some_of,
    validate,
    whole,
    wholes,
)

DECLARATION = """
dataset: str = "mnist"  # data set
epochs: int = 20  # passes over the training set
train_size: int | None = None  # images, None is all
lr: float = 0.05
"""
ACCEPTED = "this chapter accepts dataset, epochs, train_size, lr"


def given(**values):
    return {**declared(DECLARATION), **values}


def test_declared_defaults_are_read_in_order():
    assert list(declared(DECLARATION).items()) == [
        ("dataset", "mnist"),
        ("epochs", 20),
        ("train_size", None),
        ("lr", 0.05),
    ]


def test_the_published_defaults_pass():
    validate(declared(DECLARATION), given(), {})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"epoch": 2},
            f"unknown parameter 'epoch'; did you mean 'epochs'? {ACCEPTED}",
        ),
        ({"zebra": 2}, f"unknown parameter 'zebra'; {ACCEPTED}"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1; got 0"),
        ({"epochs": "many"}, "epochs must be a whole number of at least 1; got 'many'"),
        ({"epochs": 2.5}, "epochs must be a whole number of at least 1; got 2.5"),
        ({"epochs": True}, "epochs must be a whole number of at least 1; got True"),
        ({"lr": -1}, "lr must be a number above 0; got -1"),
        ({"lr": float("nan")}, "lr must be a number above 0; got nan"),
        (
            {"dataset": "imagenet"},
            "dataset must be one of mnist, mnist5k, fashion-mnist, cifar10; got 'imagenet'",
        ),
        ({"train_size": 3}, "train_size must be a whole number of at least 10, or None; got 3"),
    ],
)
def test_an_impossible_value_is_named_with_what_is_accepted(values, message):
    with pytest.raises(ParameterError) as error:
        validate(declared(DECLARATION), given(**values), {})
    assert str(error.value) == message


def test_a_chapter_may_say_what_its_own_parameters_accept():
    validate({"depth": 3}, {"depth": 3}, {"depth": SIZE})
    with pytest.raises(ParameterError, match="depth must be a whole number of at least 1; got 0"):
        validate({"depth": 3}, {"depth": 0}, {"depth": SIZE})


AT_THE_KEYBOARD = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
cells = [
    "epochs: int = 2", "from book.report import parameters; parameters.check()",
    "x = len('ab')", "y = 3",
    "epochs: int = 0", "parameters.check()", "epochs: int = 5", "parameters.check()",
]
errors = [shell.run_cell(cell, store_history=True).error_in_exec for cell in cells]
print([str(error) for error in errors])
"""


def test_cells_may_be_run_again_by_hand():
    told = subprocess.check_output([sys.executable, "-c", AT_THE_KEYBOARD], text=True).splitlines()[
        -1
    ]
    refused = "epochs must be a whole number of at least 1; got 0"
    assert told == str([*["None"] * 5, refused, "None", "None"])


def test_a_parameter_that_nobody_described_is_a_mistake_of_the_chapter():
    with pytest.raises(TypeError, match=r"check\(depth=…\)"):
        validate({"depth": 3}, {"depth": 3}, {})


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (whole(0), [0, 7], [-1, 1.0, "1", None, True]),
        (number(0, below=1), [0, 0.5], [1, -0.1, float("inf"), "0.5", True]),
        (number(0, inclusive=False), [1e-9, 10], [0, float("nan")]),
        (one_of(["a", "b"]), ["a"], ["c", None]),
        (or_none(whole(1)), [None, 1], [0]),
        (wholes(2), ["12", "12, 120"], ["", "1", "12,", "12, 12", "12, many", "1.5", 12]),
    ],
)
def test_each_kind_accepts_what_it_says(kind, good, bad):
    assert all(kind.accepts(value) for value in good)
    assert not any(kind.accepts(value) for value in bad)


@pytest.mark.parametrize("value", ["", "layer", "group, layer"])
def test_a_list_with_commas_is_accepted(value):
    validate({"norms": ""}, {"norms": value}, {"norms": some_of(["layer", "group"])})


@pytest.mark.parametrize("value", ["", " ", "lair", 3])
def test_a_list_that_may_not_be_empty_is_refused_if_it_is(value):
    kind = at_least_one(some_of(["layer", "group"]))
    validate({"norms": ""}, {"norms": "layer"}, {"norms": kind})
    expected = "norms must be some of layer, group, with commas between them, at least one; got"
    with pytest.raises(ParameterError, match=expected):
        validate({"norms": ""}, {"norms": value}, {"norms": kind})


@pytest.mark.parametrize("value", ["lair", "layer, layer", "layer,", 3])
def test_a_list_with_an_unknown_name_or_one_twice_is_refused(value):
    expected = f"norms must be some of layer, group, with commas between them; got {value!r}"
    with pytest.raises(ParameterError, match=expected):
        validate({"norms": ""}, {"norms": value}, {"norms": some_of(["layer", "group"])})
