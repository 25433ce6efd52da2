"""Run a module once on the meta device, under the tracer, at given sizes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.parameter import is_lazy

from analysis.errors import AnalysisError
from analysis.reading.calls import marks_of, tensors_in
from analysis.reading.inputs import Given, Inputs, hinted, hinted_beside
from analysis.reading.saved import Stores
from analysis.reading.steps import Trace
from analysis.reading.tracer import Tracer
from analysis.reading.untouched import uncompiled, untouched

ITERATED_TOLD = (
    "{} takes its input apart along the batch, as one does that unpacks several inputs; give their "
    "shapes as one list in a list: summary(module, [[(3, 224, 224), (10,)]])"
)
ALONE = Inputs()
_ANY = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def on_meta(module: nn.Module | Callable[[], nn.Module]) -> nn.Module:
    """Return the module on the meta device; a factory is called there if it can be.

    A factory whose constructors compute is called on the CPU. A module that is given, or was made
    there, keeps its own parameters and its state: a copy with meta parameters is read.

    Raises:
        AnalysisError: If the factory fails, or makes no module.
    """
    if isinstance(module, nn.Module):
        return meta_twin(_shaped(module))
    # a constructor may compute with its numbers
    with suppress(Exception, SystemExit), torch.device("meta"):
        return _moved(_checked(module()))
    try:
        made = _checked(module())
    except AnalysisError:
        raise
    except (Exception, SystemExit) as error:
        raise AnalysisError(
            f"the factory failed, which is called without arguments: {type(error).__name__}: "
            f"{_said(error)}"
        ) from error
    with suppress(AnalysisError):  # what cannot be copied is moved, but for bare tensors of its own
        return meta_twin(made)
    return _moved(made)


def _moved(module: nn.Module) -> nn.Module:
    """Return the module on the meta device: itself where it is there, since moving takes time."""
    held = (*module.parameters(), *module.buffers())
    return module if all(one.is_meta for one in held) else module.to("meta")


def _checked(made: Any) -> nn.Module:
    if isinstance(made, nn.Module):
        return _shaped(made)
    raise AnalysisError(f"a factory must return a torch.nn.Module, not {type(made).__name__}")


def _shaped(module: nn.Module) -> nn.Module:
    """Return the module itself, whose parameters all have a shape, as lazy ones have not yet."""
    held = (*module.parameters(), *module.buffers())
    if any(map(is_lazy, held)):
        raise AnalysisError(
            f"{type(module).__name__} has lazy layers, whose parameters have no shape yet: run it "
            "once on an example of its input, or name the sizes (nn.Conv2d for nn.LazyConv2d)"
        )
    return module


def _is_compiled(value: object) -> bool:
    """Return whether a value is a compiled function, which holds no tensors and can't be copied."""
    return isinstance(value, torch.jit.ScriptFunction)


def meta_twin(module: nn.Module) -> nn.Module:
    """Return a copy whose tensors hold no numbers, parameters or not, shared ones still shared.

    Raises:
        AnalysisError: If the module holds what cannot be copied.
    """
    bare = [vars(one).values() for one in module.modules()]
    tensors = [*module.parameters(), *module.buffers(), *tensors_in([list(v) for v in bare])]
    memo: dict[int, Any] = {id(v): v for values in bare for v in values if _is_compiled(v)}
    for tensor in tensors:
        empty = torch.empty_like(tensor, device="meta")
        if isinstance(tensor, nn.Parameter):
            empty = nn.Parameter(empty, tensor.requires_grad)
        memo[id(tensor)] = empty
    try:
        return deepcopy(module, memo)
    except Exception as error:
        raise AnalysisError(
            f"{type(module).__name__} cannot be copied, and a copy is read ({_said(error)}): give "
            "a function that makes it instead, such as lambda: Net()"
        ) from error


def run(
    module: nn.Module,
    shape: Sequence[int],
    training: bool = False,
    dtype: Any = torch.float32,
    tokens: bool = False,
    inputs: Inputs = ALONE,
) -> Trace:
    """Run a module that is on the meta device on its input, and return what the tracer saw.

    Raises:
        AnalysisError: If the module itself refuses the input; it quotes what torch said.
    """
    stores = Stores([*module.parameters(), *module.buffers()]) if training else None
    tracer = Tracer(module, stores)
    data = _entry(tracer, hinted(shape, tracer.trace.journal, dtype, tokens))
    given, named = inputs.arguments(data, _besides(tracer, inputs, shape, tokens))
    with untouched(module, training), _seen(tracer), uncompiled(), ExitStack() as stack:
        hooks = saved_tensors_hooks(stores.pack, lambda saved: saved) if stores else torch.no_grad()
        stack.enter_context(hooks)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", UserWarning)  # torch's advice on speed and copies
        try:
            with tracer, unscripted(tracer):
                output = module(*given, **named)
        except AnalysisError:
            raise
        except Exception as error:
            if tracer.iterated and "to unpack" in str(error):
                raise AnalysisError(ITERATED_TOLD.format(type(module).__name__)) from error
            raise AnalysisError(_refusal(module, shape, tracer, error)) from error
    if tracer.iterated:
        raise AnalysisError(ITERATED_TOLD.format(type(module).__name__))
    if stores:
        tracer.trace.unsaved, tracer.trace.bounded = stores.untold(), stores.bounded()
    tracer.trace.journal.closed = True
    tracer.trace.outputs = tuple(marks_of(tensor) for tensor in tensors_in(output))
    return tracer.trace


def _entry(tracer: Tracer, data: Tensor) -> Tensor:
    """Tell the tracer which input is the first."""
    tracer.data = data
    tracer.trace.entry = marks_of(data)
    if tracer.stores:
        tracer.stores.know(data, marks_of(data).shape)
    return data


def _besides(
    tracer: Tracer, inputs: Inputs, shape: Sequence[int], tokens: bool
) -> Callable[[Given], Tensor]:
    """Return what makes further inputs, and tells the tracer."""

    def beside(one: Given) -> Tensor:
        assert tracer.data is not None
        made = hinted_beside(one, inputs.axes(one, tokens), tracer.data, shape, tokens)
        tracer.trace.besides.append(marks_of(made))
        if tracer.stores:
            tracer.stores.know(made, marks_of(made).shape)
        return made

    return beside


@contextmanager
def unscripted(tracer: Tracer) -> Iterator[None]:
    """Refuse compiled functions and methods by name: torch shows nothing of what they do."""

    def refused(function: Any, *args: Any, **options: Any) -> Any:
        where = tracer.stack[-1] or "the module itself"
        raise AnalysisError(
            f"{where} calls {function.name}, which torch.jit compiled: nothing of it can be seen "
            "or counted; read the module it was made from"
        )

    compiled: Any = (torch._C.ScriptFunction, torch._C.ScriptMethod)
    before = [one.__call__ for one in compiled]
    for one in compiled:
        one.__call__ = refused
    try:
        yield
    finally:
        for one, call in zip(compiled, before, strict=True):
            one.__call__ = call


def one_input(module: nn.Module) -> None:
    """Check that one tensor is all that a module's `forward` needs.

    Raises:
        AnalysisError: If it needs more.
    """
    try:
        known = signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # a compiled one has no signature
        return
    needed = [one.name for one in known if one.default is one.empty and one.kind not in _ANY]
    if len(needed) > 1:
        raise AnalysisError(
            f"{type(module).__name__} needs {len(needed)} inputs ({', '.join(needed)}), and one "
            "shape was given: give --input for each, in Python a list, [(3, 224, 224), (10,)]"
        )


def are_tokens(
    module: nn.Module, shape: Sequence[int], dtype: torch.dtype, inputs: Inputs = ALONE
) -> bool:
    """Return whether an input is a row of tokens: ids, or vectors whose number may change."""
    if len(shape) == 2:
        return not dtype.is_floating_point
    if len(shape) != 3:
        return False
    batch, first, last = shape
    longer, wider = (batch, first + 1, last), (batch, first, last + 1)
    grown = _takes(module, wider, dtype, False, inputs)
    return not grown and _takes(module, longer, dtype, not inputs.single, inputs)


def _takes(
    module: nn.Module, shape: Sequence[int], dtype: torch.dtype, tokens: bool, inputs: Inputs
) -> bool:
    with suppress(AnalysisError):
        run(module, shape, dtype=dtype, tokens=tokens, inputs=inputs)
        return True
    return False


def _refusal(module: nn.Module, shape: Sequence[int], tracer: Tracer, error: Exception) -> str:
    where = tracer.stack[-1] or "the module itself"
    sizes = " × ".join(map(str, shape))
    said = _said(error)
    if "expected device meta" in said:
        return (
            f"{type(module).__name__} cannot be read: at {where} it names a device for a tensor of "
            "its own, and is read on one that holds no numbers; make the tensor where the input "
            "is, device=x.device"
        )
    if re.search(r"\bmeta\b|register_meta", said, re.IGNORECASE):
        operator = re.search(r"(torch\.|Tensor\.|aten::)\w+", said)
        return (
            f"{type(module).__name__} cannot be read: what it does at {where} depends on the "
            "numbers of its input, and a run on the meta device has none "
            f"({operator[0] if operator else said}); read the parts before and after, each alone"
        )
    ids = "; token ids are read with dtype=torch.int64" if "Long, Int" in said else ""
    return f"{type(module).__name__} refuses an input of {sizes} at {where}: {said}{ids}"


def _said(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


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
