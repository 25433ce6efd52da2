"""What a run leaves behind: its operators in order, its modules' calls, its guards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from analysis.reading.calls import Product
from analysis.reading.journal import Journal
from analysis.reading.lives import Lives
from analysis.reading.marks import Marks
from analysis.reading.saved import Saved
from analysis.reading.sizes import Shape
from analysis.reading.slides import POOL_AXES
from analysis.rows import Kind


@dataclass
class Step:
    """One operator of the run: where, on what, to what, and what it costs."""

    layer: str
    call: int
    function: Any
    kind: Kind
    inputs: tuple[Marks, ...]
    outputs: tuple[Marks, ...]
    products: tuple[Product, ...] = ()
    parameters: tuple[str, ...] = ()
    buffers: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    saved: tuple[Saved, ...] = ()
    inplace: bool = False
    leaf: bool = False

    @property
    def operator(self) -> str:
        """The operator's name as torch writes it."""
        return operator_name(self.function)


@dataclass
class ModuleCall:
    """One call of a module: its path, its inputs' and outputs' shapes, and the steps inside."""

    path: str
    module: nn.Module
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...] = ()
    steps: tuple[int, int] = (0, 0)


@dataclass
class Trace:
    """What a run left behind."""

    steps: list[Step] = field(default_factory=list)
    calls: list[ModuleCall] = field(default_factory=list)
    journal: Journal = field(default_factory=Journal)
    entry: Marks | None = None
    besides: list[Marks] = field(default_factory=list)
    lives: Lives = field(default_factory=lambda: Lives(set()))
    outputs: tuple[Marks, ...] = ()
    unsaved: tuple[str, ...] = ()
    bounded: tuple[str, ...] = ()


def operator_name(function: Any) -> str:
    """Return an operator's name as torch writes it."""
    name = getattr(function, "__name__", str(function))
    if name == "fn" and function in POOL_AXES:
        return f"max_pool{POOL_AXES[function]}d"
    return str(name).strip("_") if str(name).startswith("__") else str(name)


def names(steps: Iterable[Step]) -> list[str]:
    """Return a name for every step: the module's, with the operator's where it has several."""
    steps = list(steps)
    alone = Counter((step.layer, step.call) for step in steps)
    written: list[str] = []
    seen: Counter[str] = Counter()
    for step in steps:
        single = step.leaf and alone[step.layer, step.call] == 1 and step.layer
        name = step.layer if single else ".".join(filter(None, (step.layer, step.operator)))
        seen[name] += 1
        written.append(name if seen[name] == 1 else f"{name}:{seen[name]}")
    return written
