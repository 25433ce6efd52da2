"""Formulas are never trusted where a condition changed: slices, ratios, leaks, impossible sizes."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from analysis import AnalysisError
from analysis.reading import read, summary


class Then(nn.Module):
    """A function, and a convolution of what it returns."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.conv(self.function(x))


def scaled(x):
    return functional.interpolate(x, scale_factor=0.7)


def by_shape(x):
    return functional.avg_pool2d(x, 2) if x.shape[2] / x.shape[3] <= 1.5 else x


def half_if_large(x):
    return x[:, :, ::2] if 1.0 * x.shape[2] > 200.5 else x


def half_by_shift(x):
    return x[:, :, ::2] if x.shape[2] >> 8 else x


def half_in_set(x):
    return x[:, :, ::2] if x.shape[2] in {256, 301} else x


def half_by_name(x):
    return x[:, :, ::2] if f"{x.shape[2]}" == "301" else x


def half_by_root(x):
    return x[:, :, ::2] if math.sqrt(x.shape[2]) > 15 else x


def blocks(x):
    starts = range(0, x.shape[2], 200)
    return torch.cat([x[:, :, start : start + 200].mean(2, keepdim=True) for start in starts], 3)


def sized(side):
    return lambda x: functional.interpolate(x, size=(side(x.shape[2]), 5))


CONDITIONS = {
    "a slice longer than the input": lambda x: x[:, :, :200],
    "a slice from 200": lambda x: x[:, :, min(50, x.shape[2]) :],
    "a slice without the last 40": lambda x: x[:, :, :-40],
    "the first part of a split": lambda x: torch.split(x, 200, 2)[0],
    "the last part of a split": lambda x: torch.split(x, 200, 2)[-1],
    "the last of three chunks": lambda x: x.chunk(3, 2)[-1],
    "a slice as long as the width": lambda x: x[:, :, : x.shape[3]],
    "a ratio compared": by_shape,
    "a float compared": half_if_large,
    "a shift": half_by_shift,
    "a set": half_in_set,
    "a power": sized(lambda side: (2**side).bit_length()),
    "a name": half_by_name,
    "a root": half_by_root,
    "blocks in a loop": blocks,
    "interpolated by 0.7": scaled,
    "int": sized(lambda side: int(side * 0.5)),
    "int of half": sized(lambda side: int(0.5 * side)),
    "round": sized(lambda side: round(side / 2)),
    "numpy's ceil": sized(lambda side: int(np.ceil(side / 2))),
    "numpy's product": sized(lambda side: int(np.prod([side, 2]))),
    "numpy's root": sized(lambda side: int(np.sqrt(side))),
}
SIDES = ((20, 100), (30, 10), (100, 100), (150, 60), (256, 100), (301, 99), (410, 400), (1, 1))


@pytest.mark.parametrize("function", CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("first", [(100, 100), (250, 120)])
def test_every_number_at_another_size_is_that_of_a_run_there(function, first):
    module = Then(function)
    reading = read(module, (3, *first))
    for height, width in SIDES:
        try:
            real = read(module, (3, height, width)).total
        except AnalysisError:
            with pytest.raises(AnalysisError):
                reading.at(height=height, width=width)
            with pytest.raises(AnalysisError):
                reading.macs(1, height, width)
            continue
        assert reading.at(height=height, width=width).total == real
        assert reading.macs(1, height, width) == real.macs
        assert reading.totals(1, height, width).activations == real.activations


LEAKS = (
    "int",
    "round",
    "numpy's product",
    "numpy's root",
    "interpolated by 0.7",
    "a root",
    "a set",
    "a power",
)


@pytest.mark.parametrize("name", LEAKS)
def test_a_size_that_became_a_bare_number_is_told(name):
    found = summary(Then(CONDITIONS[name]), (3, 100, 100))
    told = "a size became a bare number in the module"
    assert any(caveat.startswith(told) for caveat in found.caveats)
    assert not found.reading.check.passed
    assert not found.reading.holds({"B": 1, "H": 120, "W": 100})
    notes = [row.note for row in found.closed_form.rows if row.layer != "input"]
    assert all("bare number" in note or "reader's sight" in note for note in notes)


@pytest.mark.parametrize("name", ["numpy's ceil", "int of half"])
def test_a_float_that_no_object_sees_is_found_by_the_second_run(name):
    reading = read(Then(CONDITIONS[name]), (3, 100, 100))
    assert not reading.check.passed
    assert not reading.holds({"B": 1, "H": 120, "W": 100})
    assert "reader's sight" in reading.closed_form.row("conv").note


def test_a_formula_that_no_other_size_could_check_says_so():
    def only_once(x):
        if x.shape[0] == 1 and x.shape[2] == 8 and x.shape[3] == 8:
            return x
        raise ValueError("one size only")

    reading = read(Then(only_once), (3, 8, 8))
    assert "unchecked" in reading.closed_form.row("conv").note
    assert not reading.holds({"B": 1, "H": 9, "W": 8})


def test_the_bound_of_a_slice_is_a_guard():
    found = summary(Then(CONDITIONS["a slice longer than the input"]), (3, 100, 100))
    assert found.caveats == ("the module takes another way unless 200 ≥ H",)
    found = summary(Then(by_shape), (3, 100, 100))
    assert found.caveats == ("the module takes another way unless 2·H ≤ 3·W",)


REFUSED = {
    "convolution": (nn.Conv2d(3, 8, 3), {"height": 1}),
    "pool": (nn.MaxPool2d(3), {"width": 2}),
    "reflection": (nn.ReflectionPad2d(4), {"height": 4}),
    "convolutions": (nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 5)), {"height": 5}),
}


@pytest.mark.parametrize(("module", "sizes"), REFUSED.values(), ids=REFUSED)
def test_a_size_that_torch_refuses_has_no_numbers(module, sizes):
    found = summary(module, (3, 8, 8))
    with pytest.raises(AnalysisError, match="refuses an input of"):
        found.at(**sizes)
    asked = {"B": 1, "H": sizes.get("height", 8), "W": sizes.get("width", 8)}
    assert not found.reading.holds(asked)
    with pytest.raises(AnalysisError, match="refuses an input of"):
        found.reading.macs(*asked.values())


def test_positions_beyond_a_table_are_refused():
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.empty(1, 16, 8))

        def forward(self, x):
            return x + self.table[:, : x.shape[1]]

    module = nn.Sequential(Table(), nn.Linear(8, 4))
    reading = read(module, (10, 8))
    with pytest.raises(AnalysisError, match="refuses an input of"):
        reading.at(height=20)


class Scripted(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def squared(x):
    return x @ x


@pytest.mark.filterwarnings("ignore")
def test_compiled_modules_and_functions_are_refused_by_name():
    with pytest.raises(AnalysisError, match=r"inner calls forward, which torch\.jit compiled"):
        read(Scripted(torch.jit.script(nn.Linear(8, 8))), (8,))
    with pytest.raises(AnalysisError, match="inner calls forward, which"):
        read(Scripted(torch.jit.trace(nn.Linear(8, 8), torch.ones(1, 8))), (8,))
    function = torch.jit.script(squared)
    with pytest.raises(AnalysisError, match=r"the module itself calls squared, which torch\.jit"):
        read(Scripted(function), (4, 4))
    assert function(torch.ones(2, 2)).tolist() == [[2.0, 2.0], [2.0, 2.0]]
