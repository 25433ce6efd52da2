"""A module as it was: what a run changes in it is put back, so that every run is a first call."""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from analysis.errors import AnalysisError

CONTAINERS = (dict, OrderedDict, defaultdict, list, set, deque)


@contextmanager
def untouched(module: nn.Module, training: bool) -> Iterator[None]:
    """Train or evaluate for the time of a run, and restore what modules hold in attributes after.

    A reading takes several runs: keys and values that one of them caches, or a count of calls,
    would be there in the next.

    Raises:
        AnalysisError: If the run gave the module parameters, which no row would then show.
    """
    holders = [held for one in module.modules() for held in _containers(one)]
    kept = [(held, held.copy() if held else ()) for held in holders]
    learned = set(module.parameters())
    module.train(training)
    try:
        yield
        made = [name for name, one in module.named_parameters() if one not in learned]
        if made:
            raise AnalysisError(
                f"{type(module).__name__} makes {made[0]} when it is called: run it once on an "
                "example of its input before, or make it in its constructor"
            )
    finally:
        for held, before in kept:
            _fill(held, before)


def _containers(module: nn.Module) -> list[Any]:
    attributes = vars(module)
    return [attributes, *(value for value in attributes.values() if type(value) in CONTAINERS)]


def _fill(held: Any, before: Any) -> None:
    if not (held or before):
        return
    held.clear()
    add = held.extend if isinstance(held, list | deque) else held.update
    add(before)


def uncompiled() -> AbstractContextManager[Any]:
    """Return what has functions run as written that torch.compile would compile, our own with them.

    Without it torch's compiler would go through the reader too. It takes a second to import: where
    nobody has, nothing is compiled.
    """
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance
