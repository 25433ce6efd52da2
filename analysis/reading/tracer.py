"""The run itself: a module on the meta device, every torch function of it seen and ruled on."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from analysis.reading import indexing, joins, pointwise, products, resizes, slides, views
from analysis.reading.calls import RULES, Call, Product, marks_of, named, original, tensors_in
from analysis.reading.lives import Lives
from analysis.reading.marks import Marks
from analysis.reading.saved import Saved, Stores, attended
from analysis.reading.sizes import Size, fixed, times, values
from analysis.reading.steps import ModuleCall, Step, Trace
from analysis.rows import Kind

MODULES = (indexing, joins, pointwise, products, resizes, slides, views)
"""Importing a module of rules registers them."""


class Sizes(tuple[int, ...]):
    """What `x.shape` gives: a tuple of sizes with the methods of `torch.Size`."""

    __slots__ = ()

    def numel(self) -> int:
        """Return the product of the sizes."""
        return times(self)


def _shape(tensor: Tensor) -> Any:
    marks = tensor.__dict__.get("_marks")
    if marks is None or all(type(size) is int for size in marks.shape):
        return tensor.shape
    return Sizes(marks.shape)


def _size(tensor: Tensor, dim: int | None = None) -> Any:
    shape = _shape(tensor)
    return shape if dim is None else shape[dim]


def _numel(tensor: Tensor) -> int:
    return times(_shape(tensor))


def _length(tensor: Tensor) -> int:
    """Return `len(x)`, which must be a bare number: there a formula ends."""
    first = _shape(tensor)[0]
    if isinstance(first, Size):
        first.journal.leak(first.term)
    return fixed(first)


_BASE: Any = torch._C.TensorBase
QUERIES: dict[Any, Callable[..., Any]] = {
    _BASE.shape.__get__: _shape,
    _BASE.size: _size,
    original(torch.Tensor.__len__): _length,
    _BASE.numel: _numel,
    _BASE.nelement: _numel,
    torch._C._VariableFunctions.numel: _numel,
}
PROPERTIES: dict[Any, Callable[[Marks], Marks]] = {
    _BASE.T.__get__: views.reversed_dims,
    _BASE.mT.__get__: views.turned,
    _BASE.data.__get__: lambda marks: marks,
}
DEFAULT_DEVICE = set(named(*pointwise.FACTORIES))
"""Functions that make a tensor where nobody says: here, beside the input."""

ITERATED = set(named("unbind"))
"""What iterating over a tensor calls, with the bare tensor and 0 at most."""

GUARDS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
METHODS = {_BASE.add, _BASE.mul, _BASE.matmul}
"""Methods that an operator sign calls too: which of the two it was matters to one convention."""

OPENED = {original(functional.multi_head_attention_forward): functional}
"""Functions written in Python that are read inside, operator by operator."""


def _opened(function: Any, place: Any) -> Any:
    """Return the function without its own dispatch, so that its body runs under the reader."""
    scope = {**vars(place), **dict.fromkeys(GUARDS, lambda *_: False)}
    body = FunctionType(function.__code__, scope, function.__name__, function.__defaults__)
    body.__kwdefaults__ = function.__kwdefaults__
    return body


def normalized(  # noqa: PLR0913 (torch's own)
    data: Tensor,
    mean: Tensor | None,
    variance: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize; in evaluation at once, where the meta device takes ten times as long."""
    if mean is not None and not training and mean.shape == data.shape[1:2]:
        return torch.empty_like(data)
    return functional.batch_norm(data, mean, variance, weight, bias, training, momentum, eps)


@dataclass(frozen=True)
class Verdict:
    """What a rule says of a call."""

    kind: Kind | None
    marks: tuple[Marks, ...]
    products: tuple[Product, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def judged(call: Call, outs: list[Tensor]) -> Verdict:
    """Return the rule's verdict where its shapes are this run's; *unknown* otherwise, no guess.

    A rule that cannot take the arguments (it raises) has no verdict either.
    """
    rule = RULES.find(call.function)
    if rule is not None:
        with suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            found = rule.marks(call)
            marks = (found,) if isinstance(found, Marks) else tuple(found)
            if [values(one.shape) for one in marks] == [tuple(out.shape) for out in outs]:
                products = rule.products(call, marks[0]) if rule.products else ()
                return Verdict(rule.kind, marks, products, rule.facts(call) if rule.facts else {})
    return Verdict("unknown", tuple(pointwise.unruled(call, tuple(out.shape)) for out in outs))


class Tracer(TorchFunctionMode):
    """Sees every torch function of a run, answers sizes with formulas, writes down steps."""

    def __init__(self, module: nn.Module, stores: Stores | None) -> None:
        super().__init__()
        self.trace = Trace()
        self.data: Tensor | None = None
        self.iterated = False
        self.stack: list[str] = [""]
        self.counts: dict[str, int] = {}
        self.stores = stores
        self.lives = self.trace.lives = Lives.beside([*module.parameters(), *module.buffers()])
        self.paths = {id(one): path for path, one in module.named_modules()}
        self.leaves = {p for p, one in module.named_modules() if next(one.children(), None) is None}
        self.names = {id(p): name for name, p in module.named_parameters()}
        self.names |= {id(b): name for name, b in module.named_buffers()}
        self.buffers = {name for name, _ in module.named_buffers()}
        self.bodies = {function: _opened(function, place) for function, place in OPENED.items()}

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        query = QUERIES.get(function)
        if query is not None:
            return query(*args, **(kwargs or {}))
        if function in ITERATED and args[0] is self.data and args[1:] in ((), (0,)) and not kwargs:
            self.iterated = True
        body = self.bodies.get(function) or self.bodies.get(original(function))
        if body is not None:
            with self:
                return body(*args, **(kwargs or {}))
        if function in DEFAULT_DEVICE and (kwargs or {}).get("device") is None:
            kwargs = {**(kwargs or {}), "device": "meta"}
        out = self._computed(function)(*args, **(kwargs or {}))
        if isinstance(out, Tensor | tuple | list):
            self._ruled(Call(function, args, kwargs or {}, out))
        return out

    def _computed(self, function: Any) -> Any:
        """Return the function, or one that leaves the same as a real device does, or sooner."""
        if function is functional.scaled_dot_product_attention and self.stores:
            return attended
        shortened = function is functional.batch_norm and not self.stores
        return normalized if shortened else function

    def _ruled(self, call: Call) -> None:
        outs = list(tensors_in(call.out))
        if not outs:
            return
        change = PROPERTIES.get(call.function)
        if change is not None:
            outs[0]._marks = change(call.marks(0))  # type: ignore[attr-defined]
            return
        tensors = call.tensors
        inputs = tuple(marks_of(tensor) for tensor in tensors)
        verdict = judged(call, outs)
        self.lives.clock += 1
        for tensor, marks in (
            *zip(tensors, inputs, strict=True),
            *zip(outs, verdict.marks, strict=True),
        ):
            self.lives.use(tensor, marks)
        for tensor, marks in zip(outs, verdict.marks, strict=True):
            tensor._marks = marks  # type: ignore[attr-defined]
        sources = self._sources(call)
        passed = self._passed_on(call, outs, sources)
        saved = self.stores.after(call, outs, inputs, verdict.marks) if self.stores else ()
        if verdict.kind is not None or saved or (sources and not passed):
            self._step(verdict, call, inputs, saved, sources)

    def _passed_on(self, call: Call, outs: list[Tensor], sources: list[str]) -> bool:
        """Note that a view of a parameter is that parameter still; false if this is none."""
        if len(sources) != 1 or not all(out._is_view() for out in outs):
            return False
        for out in outs:
            out._source = sources[0]  # type: ignore[attr-defined]
        return True

    def _sources(self, call: Call) -> list[str]:
        names = []
        for tensor in call.tensors:
            name = self.names.get(id(tensor)) or tensor.__dict__.get("_source")
            if name is not None:
                names.append(name)
        return names

    def _step(
        self,
        verdict: Verdict,
        call: Call,
        inputs: tuple[Marks, ...],
        saved: tuple[Saved, ...],
        sources: list[str],
    ) -> None:
        layer, facts = self.stack[-1], dict(verdict.facts)
        if call.function in METHODS:
            facts["sign"] = _by_sign()
        step = Step(
            layer,
            self.counts.get(layer, 0),
            call.function,
            verdict.kind or "copy",
            inputs,
            verdict.marks,
            verdict.products,
            tuple(name for name in sources if name not in self.buffers),
            tuple(name for name in sources if name in self.buffers),
            facts,
            saved,
            any(out is tensor for out in tensors_in(call.out) for tensor in call.tensors),
            layer in self.leaves,
        )
        self.trace.steps.append(step)
        self.trace.journal.steps += 1

    def entered(self, module: nn.Module, args: Any) -> None:
        """Note that a module is called."""
        path = self.paths.get(id(module), type(module).__name__)
        self.stack.append(path)
        self.counts[path] = self.counts.get(path, 0) + 1
        self.trace.journal.layer = path
        shapes = tuple(marks_of(tensor).shape for tensor in tensors_in(args))
        self.trace.calls.append(
            ModuleCall(path, module, shapes, steps=(len(self.trace.steps), len(self.trace.steps)))
        )
        self._open = [*getattr(self, "_open", []), len(self.trace.calls) - 1]

    def left(self, module: nn.Module, args: Any, output: Any) -> None:
        """Note that a module returns."""
        call = self.trace.calls[self._open.pop()]
        call.outputs = tuple(marks_of(tensor).shape for tensor in tensors_in(output))
        call.steps = (call.steps[0], len(self.trace.steps))
        self.stack.pop()
        self.trace.journal.layer = self.stack[-1]


def _by_sign() -> bool:
    """Return whether the module wrote a sign (`x + y`, `x @ y`) rather than a method's name."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("BINARY")
