"""Run a module once on the meta device, under the tracer, at given sizes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from analysis.errors import AnalysisError
from analysis.reading.axes import NOWHERE, Part
from analysis.reading.calls import marks_of, tensors_in
from analysis.reading.marks import Marks, Sight, View
from analysis.reading.saved import Stores
from analysis.reading.sizes import Journal, Size
from analysis.reading.steps import Trace
from analysis.reading.terms import symbol
from analysis.reading.tracer import Tracer

AXES = ("H", "W", "D")


def on_meta(module: nn.Module | Callable[[], nn.Module]) -> nn.Module:
    """Return the module on the meta device; a factory is called there, or first on the CPU.

    A factory whose constructors compute is called on the CPU. A module that is given keeps its own
    parameters: a shallow twin with meta parameters is read.
    """
    if isinstance(module, nn.Module):
        return meta_twin(module)
    try:
        with torch.device("meta"):
            return _checked(module()).to("meta")
    except (RuntimeError, NotImplementedError):  # a constructor that computes with its numbers
        return _checked(module()).to("meta")


def _checked(made: Any) -> nn.Module:
    if isinstance(made, nn.Module):
        return made
    raise AnalysisError(f"a factory must return a torch.nn.Module, not {type(made).__name__}")


def meta_twin(module: nn.Module) -> nn.Module:
    """Return a copy whose tensors hold no numbers, parameters or not, shared ones still shared."""
    bare = [vars(one).values() for one in module.modules()]
    tensors = [*module.parameters(), *module.buffers(), *tensors_in([list(v) for v in bare])]
    if all(tensor.is_meta for tensor in tensors):
        return module
    memo: dict[int, Any] = {}
    for tensor in tensors:
        empty = torch.empty_like(tensor, device="meta")
        if isinstance(tensor, nn.Parameter):
            empty = nn.Parameter(empty, tensor.requires_grad)
        memo[id(tensor)] = empty
    return deepcopy(module, memo)


def hinted(shape: Sequence[int], journal: Journal, dtype: torch.dtype) -> Tensor:
    """Return an input whose sizes know their symbols: (B, C, H, W), (B, C, H) or (B, features)."""
    real = torch.empty(tuple(shape), device="meta", dtype=dtype)
    spatial = range(2, len(shape)) if 3 <= len(shape) <= 4 else range(0)
    sizes: list[int] = [Size.of(shape[0], symbol("B"), journal), *shape[1:]]
    for axis, dim in enumerate(spatial):
        sizes[dim] = Size.of(shape[dim], symbol(AXES[axis]), journal)
    axes = [NOWHERE] * len(shape)
    for axis, dim in enumerate(spatial):
        axes[dim] = (Part(axis, 0, shape[dim]),)
    view = View(tuple(Sight(1, 1, 0, sizes[dim]) for dim in spatial))
    real._marks = Marks(tuple(sizes), tuple(axes), view, view)  # type: ignore[attr-defined]
    return real


def run(
    module: nn.Module, shape: Sequence[int], training: bool = False, dtype: Any = torch.float32
) -> Trace:
    """Run a module that is on the meta device on one input, and return what the tracer saw.

    Raises:
        AnalysisError: if the module itself refuses the input; it quotes what torch said.
    """
    stores = Stores([*module.parameters(), *module.buffers()]) if training else None
    tracer = Tracer(module, stores)
    data = hinted(shape, tracer.trace.journal, dtype)
    tracer.trace.entry = marks_of(data)
    if stores:
        stores.know(data, marks_of(data).shape)
    with _mode(module, training), _seen(tracer), ExitStack() as stack:
        if stores:
            stack.enter_context(saved_tensors_hooks(stores.pack, lambda tensor: tensor))
        else:
            stack.enter_context(torch.no_grad())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", UserWarning)  # torch's advice on speed and copies
        try:
            with tracer:
                output = module(data)
        except AnalysisError:
            raise
        except Exception as error:
            raise AnalysisError(_refusal(module, shape, tracer, error)) from error
    tracer.trace.outputs = tuple(marks_of(tensor) for tensor in tensors_in(output))
    return tracer.trace


def _refusal(module: nn.Module, shape: Sequence[int], tracer: Tracer, error: Exception) -> str:
    where = tracer.stack[-1] or "the module itself"
    sizes = " × ".join(map(str, shape))
    said = str(error).strip().splitlines()
    return (
        f"{type(module).__name__} refuses an input of {sizes} at {where}: "
        f"{said[0] if said else type(error).__name__}"
    )


@contextmanager
def _mode(module: nn.Module, training: bool) -> Iterator[None]:
    """Train or evaluate for the time of the run, and restore each module's own mode after it."""
    before = [(one, one.training) for one in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for one, mode in before:
            one.training = mode


@contextmanager
def _seen(tracer: Tracer) -> Iterator[None]:
    """Tell the tracer which module runs."""
    hooks = (
        register_module_forward_pre_hook(tracer.entered),
        register_module_forward_hook(tracer.left),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
