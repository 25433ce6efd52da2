"""A reading takes several runs, and each of them is the module's first call."""

import pytest
import torch
from torch import nn

from analysis import AnalysisError
from analysis.reading import read
from analysis.reading.memory import training_memory


class Caching(nn.Module):
    """Keys of earlier calls, as one keeps them that writes token by token."""

    def __init__(self):
        super().__init__()
        self.keys = None
        self.linear = nn.Linear(8, 8)

    def forward(self, x):
        keys = self.linear(x)
        self.keys = keys if self.keys is None else torch.cat([self.keys, keys], 1)
        return x @ self.keys.mT


class Listing(Caching):
    """The same in a list."""

    def __init__(self):
        super().__init__()
        self.keys = []

    def forward(self, x):
        self.keys.append(self.linear(x))
        return x @ torch.cat(self.keys, 1).mT


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, x):
        self.calls += 1
        for _ in range(self.calls):
            x = self.conv(x)
        return x


@pytest.mark.parametrize("make", [Caching, Listing])
def test_what_a_module_caches_in_one_run_is_not_there_in_the_next(make):
    reading = read(make, (10, 8))
    assert reading.total.macs == 10 * 8 * 8 + 10 * 8 * 10
    assert reading.at(height=20).total.macs == 20 * 8 * 8 + 20 * 8 * 20
    assert reading.check.passed


def test_calls_are_counted_from_the_start_in_every_run():
    reading = read(Counting(), (3, 9, 9))
    assert reading.check.passed
    assert training_memory(reading, batch=2).saved.value == 4 * 2 * 3 * 9 * 9
    assert reading.at(height=8).total.macs == 6 * 7 * 81


class Building(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = None

    def forward(self, x):
        x = x.flatten(1)
        self.head = self.head or nn.Linear(x.shape[1], 10, device=x.device)
        return self.head(x)


def test_a_layer_that_is_made_when_called_is_refused_by_name_until_it_is_there():
    with pytest.raises(AnalysisError, match=r"Building makes head\.weight when it is called: run"):
        read(Building, (3, 4, 4))
    module = Building()
    module(torch.zeros(1, 3, 4, 4))
    assert read(module, (3, 4, 4)).total.weights == 480


def test_what_torch_would_compile_is_read_as_it_was_written(capfd):
    written = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    reading = read(torch.compile(written), (3, 16, 16))
    assert reading.leaks == ()
    assert reading.closed_form.total == read(written, (3, 16, 16)).closed_form.total
    assert capfd.readouterr().err == ""
