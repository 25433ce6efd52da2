"""What a rule is given, what it answers, and the registry that finds it by the function itself.

A rule is found by identity, never by name: profilers patch `torch.nn.functional` with wrappers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from analysis.reading.marks import Marks, plain_marks
from analysis.reading.sizes import Shape
from analysis.rows import Kind

Factor: TypeAlias = int | tuple[int, ...]
Product: TypeAlias = tuple[Factor, ...]

PLACES = (
    torch._C.TensorBase,
    torch._C._VariableFunctions,
    torch._C._nn,
    torch,
    torch.Tensor,
    functional,
    torch.special,
    torch.linalg,
)
"""Where torch keeps its functions; first the classes in C, which no profiler patches."""


@dataclass(frozen=True)
class Call:
    """One call of a torch function: its arguments and what it returned."""

    function: Any
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    out: Any

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or its name."""
        if place < len(self.arguments):
            return self.arguments[place]
        return self.options.get(name, default)

    def marks(self, place: int, name: str = "input") -> Marks:
        """Return the marks of a tensor argument."""
        return marks_of(self.argument(place, name))

    @cached_property
    def tensors(self) -> list[Tensor]:
        """Every tensor among the arguments, in lists too."""
        return list(tensors_in((*self.arguments, *self.options.values())))


Marker = TypeVar("Marker", bound=Callable[..., Any])
"""The function of a rule that makes the marks of what an operator returns."""

Counter: TypeAlias = Callable[[Call, Marks], tuple[Product, ...]]
"""The function of a rule that gives the products whose sizes are its MACs."""


@dataclass(frozen=True)
class Rule:
    """What an operator does: its kind (None for a view, which has no row), marks and products."""

    kind: Kind | None
    marks: Callable[[Call], Marks | tuple[Marks, ...]]
    products: Counter | None = None
    facts: Callable[[Call], dict[str, Any]] | None = None


@dataclass
class Registry:
    """Rules by function."""

    rules: dict[Any, Rule] = field(default_factory=dict)
    names: dict[str, Rule] = field(default_factory=dict)

    def add(self, rule: Rule, functions: Iterable[Any]) -> None:
        """Register a rule for functions."""
        for function in functions:
            self.rules[original(function)] = rule
            self.names[getattr(function, "__name__", "")] = rule

    def find(self, function: Any) -> Rule | None:
        """Return the rule of a function, or of the one that a profiler's wrapper stands for.

        A wrapper that keeps no way to what it wraps is known by the name it took over, as torch's
        own function is where a wrapper stood in its place when this module was imported.
        """
        found = self.rules.get(function) or self.rules.get(original(function))
        if found is None and _is_torchs(function):
            return self.names.get(getattr(function, "__name__", ""))
        return found


def _is_torchs(function: Any) -> bool:
    """Return whether a function claims a place in torch: by its source, or a method's full name."""
    code = getattr(function, "__code__", None)
    owner = str(getattr(function, "__qualname__", "")).partition(".")[0]
    ours = code is not None and code.co_filename == functional.__file__
    return ours or owner in ("TensorBase", "_VariableFunctionsClass")


RULES = Registry()


def rule(
    kind: Kind | None,
    *names: str,
    products: Counter | None = None,
    facts: Callable[[Call], dict[str, Any]] | None = None,
) -> Callable[[Marker], Marker]:
    """Register the decorated marks' function for the torch functions of these names."""

    def register(marks: Marker) -> Marker:
        RULES.add(Rule(kind, marks, products, facts), named(*names))
        return marks

    return register


def named(*names: str) -> list[Any]:
    """Return torch's functions and tensor methods of these names, in place ones too."""
    written = [form for name in names for form in (name, f"{name}_", f"__{name}__", f"__i{name}__")]
    found = [getattr(place, form, None) for place in PLACES for form in written]
    return [one for one in found if callable(one)]


def original(function: Any) -> Any:
    """Return what a wrapper wraps, by the attributes of `functools.wraps` or ptflops' own."""
    seen: list[Any] = []
    while function not in seen:
        seen.append(function)
        inner = getattr(function, "__wrapped__", None) or getattr(function, "op", None)
        function = inner if callable(inner) else function
    return function


def words(text: str) -> list[str]:
    """Return names written in a row.

    >>> words("relu gelu")
    ['relu', 'gelu']
    """
    return text.split()


def tensors_in(value: Any) -> Iterable[Tensor]:
    """Yield the tensors in nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from tensors_in(one)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def marks_of(tensor: Any) -> Marks:
    """Return the reader's marks on a tensor; those of plain data where it put none."""
    if not isinstance(tensor, Tensor):
        return plain_marks(())
    marks: Marks | None = tensor.__dict__.get("_marks")
    return marks if marks is not None else plain_marks(tuple(tensor.shape))


def pair(value: Any, count: int) -> tuple[Any, ...]:
    """Return one number for every axis, or the numbers as given.

    >>> pair(3, 2), pair((1, 2), 2)
    ((3, 3), (1, 2))
    """
    if isinstance(value, int):
        return (value,) * count
    values = tuple(value)
    return values * count if len(values) == 1 and count > 1 else values


def shape_of(tensor: Any) -> Shape:
    """Return a tensor's shape as sizes."""
    return marks_of(tensor).shape
