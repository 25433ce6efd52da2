"""What other tools count, by name, so that their totals come out exactly and can be told apart.

Each convention is a function of what the reader saw, and a sentence that says what it counts. The
default counts multiply-accumulates of convolutions and matrix products, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from analysis.counting import COUNTINGS, Counting, counting
from analysis.reading.calls import words
from analysis.reading.hooks import PTFLOPS, THOP, torchinfo_count
from analysis.reading.reading import Reading
from analysis.reading.sizes import Shape
from analysis.reading.steps import ModuleCall, Step
from analysis.reading.sums import count
from analysis.reading.terms import Term, add, multiply, term


@dataclass(frozen=True)
class Convention(Counting):
    """A named way to count, with the count of a module that was read as a formula."""

    formula: Callable[[Reading], Term]

    def total(self, reading: Reading) -> int:
        """Return the total at the sizes of the reading."""
        return self.formula(reading).at(reading.sizes)


def _ours(reading: Reading) -> Term:
    return reading.macs_formula


def _torch(reading: Reading) -> Term:
    return Term.of("*", term(2), reading.macs_formula)


def _fvcore(reading: Reading) -> Term:
    return add(_fvcore_step(step, reading.sizes) for step in reading.steps)


def _fvcore_einsum(step: Step, sizes: dict[str, int]) -> Term:
    """Count two equations exactly, others as numpy prints its path, rounded to four digits."""
    letters, result = step.facts["equation"]
    order = dict.fromkeys("".join(letters))
    alike = {letter: "abcdefghijklmnopqrstuvwxyz"[i] for i, letter in enumerate(order)}
    written = ",".join("".join(map(alike.__getitem__, part)) for part in letters)
    written = f"{written}->{''.join(map(alike.__getitem__, result))}"
    exact = count(step)
    if written in ("abc,abd->acd", "abc,adc->adb"):
        return exact
    return term(int(float(f"{2 * exact.at(sizes):.3e}") / 2))


def numbers(shape: Shape) -> Term:
    """Return how many numbers a shape holds."""
    return multiply(shape)


def _fvcore_step(step: Step, sizes: dict[str, int]) -> Term:
    """Count as fvcore by operator: products but for attention, norms, some pools and resizes."""
    if "equation" in step.facts:
        return _fvcore_einsum(step, sizes)
    if step.kind in ("conv", "fc") or (step.kind == "matmul" and "baddbmm" not in step.operator):
        return count(step)
    entry = numbers(step.inputs[0].shape) if step.inputs else term(0)
    if step.kind == "norm":
        return multiply([entry, _FVCORE_NORMS[step.facts["norm"]][step.facts["affine"]]])
    if step.function is functional.adaptive_avg_pool2d:
        return entry
    if step.kind == "resize" and len(step.outputs[0].shape) == 4:
        return multiply(
            [_FVCORE_RESIZES.get(step.facts.get("mode", ""), 0), *step.outputs[0].shape]
        )
    return term(0)


_FVCORE_NORMS = {
    "batch_norm": {True: 2, False: 1},
    "layer_norm": {True: 5, False: 4},
    "group_norm": {True: 5, False: 4},
    "instance_norm": {True: 5, False: 4},
    "rms_norm": {True: 0, False: 0},
    "local_response_norm": {True: 0, False: 0},
}
_FVCORE_RESIZES = {"nearest": 1, "bilinear": 4}


def _torchinfo(reading: Reading) -> Term:
    leaves = [call for call in reading.trace.calls if next(call.module.children(), None) is None]
    return add(torchinfo_count(call) for call in leaves)


def _by_hook(reading: Reading, rules: dict[type, Callable[[ModuleCall], Term]]) -> dict[int, Term]:
    """Add up what hooks on modules of exactly these types count, by module."""
    counted: dict[int, list[Term]] = {}
    for call in reading.trace.calls:
        hook = rules.get(type(call.module))
        if hook is not None:
            counted.setdefault(id(call.module), []).append(hook(call))
    return {module: add(terms) for module, terms in counted.items()}


def _thop(reading: Reading) -> Term:
    """Add up as thop from the root, without a look inside a module that it has a hook for."""
    counted = _by_hook(reading, THOP)
    return add([counted.get(id(reading.module), term(0)), *_thop_children(reading.module, counted)])


def _thop_children(module: Any, counted: dict[int, Term]) -> Iterable[Term]:
    for child in module.children():
        yield counted.get(id(child), term(0))
        if type(child) not in THOP or isinstance(child, torch.nn.Sequential | torch.nn.ModuleList):
            yield from _thop_children(child, counted)


def _ptflops(reading: Reading) -> Term:
    """Add as ptflops hooks on modules, per image, and patched functions, which modules call too."""
    counted = _by_hook(reading, PTFLOPS)
    functions = [_ptflops_step(step) for step in reading.steps]
    return add([*_ptflops_modules(reading.module, counted), *functions])


def _ptflops_modules(module: Any, counted: dict[int, Term]) -> Iterable[Term]:
    if type(module) in PTFLOPS:
        yield counted.get(id(module), term(0))
        return
    for child in module.children():
        yield from _ptflops_modules(child, counted)


_PATCHED = {
    getattr(functional, name)
    for name in words(
        "relu prelu elu relu6 gelu silu softmax avg_pool1d avg_pool2d avg_pool3d max_pool1d "
        "max_pool2d max_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d "
        "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d"
    )
}
_PATCHED_PRODUCTS = {torch.matmul, torch.mm, torch.bmm,
                     torch.Tensor.matmul, torch.Tensor.mm, torch.Tensor.bmm}  # fmt: skip
_PATCHED_SUMS = {torch.add, torch.mul, torch.Tensor.add, torch.Tensor.mul}
_PATCHED_RESIZES = {functional.interpolate, functional.upsample}


def _ptflops_step(step: Step) -> Term:
    if step.facts.get("sign"):
        return term(0)
    if step.function in _PATCHED:
        return numbers(step.inputs[0].shape)
    if step.function in _PATCHED_PRODUCTS:
        return multiply([*step.inputs[0].shape, step.inputs[1].shape[-1]])
    if step.function in _PATCHED_SUMS or step.function in _PATCHED_RESIZES:
        return numbers(step.outputs[0].shape)
    if step.function in (torch.addmm, torch.baddbmm, torch.Tensor.addmm):
        whole = multiply([*step.inputs[1].shape, step.inputs[2].shape[-1]])
        return add([whole, numbers(step.inputs[0].shape)])
    return term(0)


_CALFLOPS = {
    getattr(functional, name)
    for name in words(
        "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"
    )
} | {torch.matmul, torch.Tensor.matmul, torch.addmm, torch.Tensor.addmm, torch.baddbmm}


def _calflops(reading: Reading) -> Term:
    """Count what calflops patches: functions, not the operator sign, bmm, or fused attention."""
    seen = [one for one in reading.steps if one.function in _CALFLOPS]
    return add(count(step) for step in seen if not step.facts.get("sign"))


def _keras(reading: Reading) -> Term:
    held = [*reading.held.values(), *reading.buffers.values()]
    return term(sum(one.numbers for one in held))


_FORMULAS: dict[str, Callable[[Reading], Term]] = {
    "macs": _ours,
    "torch": _torch,
    "torchinfo": _torchinfo,
    "fvcore": _fvcore,
    "ptflops": _ptflops,
    "thop": _thop,
    "calflops": _calflops,
    "torchlens": _ours,
    "keras": _keras,
}
CONVENTIONS: dict[str, Convention] = {
    name: Convention(**vars(one), formula=_FORMULAS[name]) for name, one in COUNTINGS.items()
}
"""Every convention of `analysis.counting`, with its formula."""


def convention(name: str) -> Convention:
    """Return the convention of a name.

    Raises:
        AnalysisError: If there is none; it lists them.
    """
    return CONVENTIONS[counting(name).name]
