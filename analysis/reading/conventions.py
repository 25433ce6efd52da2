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

from analysis.errors import AnalysisError
from analysis.reading.calls import words
from analysis.reading.hooks import PTFLOPS, THOP, torchinfo_count
from analysis.reading.reading import Reading, count
from analysis.reading.sizes import Shape
from analysis.reading.steps import ModuleCall, Step
from analysis.reading.terms import Term, add, multiply, term


@dataclass(frozen=True)
class Convention:
    """A named way to count: what it says it counts, its unit, and the count as a formula."""

    name: str
    counts: str
    unit: str
    formula: Callable[[Reading], Term]

    def total(self, reading: Reading) -> int:
        """The total at the sizes of the reading."""
        return self.formula(reading).at(reading.sizes)


def _ours(reading: Reading) -> Term:
    return reading.macs_formula


def _torch(reading: Reading) -> Term:
    return Term.of("*", term(2), reading.macs_formula)


def _fvcore(reading: Reading) -> Term:
    return add(_fvcore_step(step, reading.sizes) for step in reading.steps)


def _fvcore_einsum(step: Step, sizes: dict[str, int]) -> Term:
    """Exact for two equations; else what numpy prints of its path, rounded to four digits."""
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
    """How many numbers a shape holds."""
    return multiply(shape)


def _fvcore_step(step: Step, sizes: dict[str, int]) -> Term:
    """fvcore counts by operator: products but for attention, norms, and some pools and resizes."""
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
    """What hooks on modules of exactly these types add up to, by module."""
    counted: dict[int, list[Term]] = {}
    for call in reading.trace.calls:
        hook = rules.get(type(call.module))
        if hook is not None:
            counted.setdefault(id(call.module), []).append(hook(call))
    return {module: add(terms) for module, terms in counted.items()}


def _thop(reading: Reading) -> Term:
    """thop adds up from the root, and does not look inside a module that it has a hook for."""
    counted = _by_hook(reading, THOP)
    return add([counted.get(id(reading.module), term(0)), *_thop_children(reading.module, counted)])


def _thop_children(module: Any, counted: dict[int, Term]) -> Iterable[Term]:
    for child in module.children():
        yield counted.get(id(child), term(0))
        if type(child) not in THOP or isinstance(child, torch.nn.Sequential | torch.nn.ModuleList):
            yield from _thop_children(child, counted)


def _ptflops(reading: Reading) -> Term:
    """ptflops adds hooks on modules, per image, and patched functions, which modules call too."""
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


CONVENTIONS: dict[str, Convention] = {
    one.name: one
    for one in (
        Convention(
            "macs",
            "multiply-accumulates of convolutions and matrix products, attention and recurrences "
            "included; no biases, norms, pools or activations",
            "MACs",
            _ours,
        ),
        Convention(
            "torch",
            "two FLOPs per multiply-accumulate of convolutions and matrix products, as "
            "torch.utils.flop_counter.FlopCounterMode of torch 2.14.1 on the meta device; on a "
            "CPU an LSTM, a GRU and fused attention are 0",
            "FLOPs",
            _torch,
        ),
        Convention(
            "torchinfo",
            "per leaf module: weights and biases (of norms too) once per output position of a "
            "convolution, once per image elsewhere, however many tokens; functions are 0 "
            "(torchinfo 1.8.0)",
            "mult-adds",
            _torchinfo,
        ),
        Convention(
            "fvcore",
            "multiply-accumulates of convolutions, linear layers and matmul, einsum; 2 per number "
            "of a batch norm, 5 of a layer norm, 1 per number entering an adaptive average pool; "
            "fused attention is 0 (fvcore 0.1.5)",
            "flops",
            _fvcore,
        ),
        Convention(
            "ptflops",
            "hooks on modules (biases, norms, activations and pools counted) and patched functions "
            "of torch.nn.functional, so that a ReLU or pool module counts twice "
            "(ptflops 0.7.5, its pytorch backend)",
            "MACs",
            _ptflops,
        ),
        Convention(
            "thop",
            "hooks on modules: convolutions and linear layers without biases, 4 per number of an "
            "affine norm, average pools; functions and attention are 0 (thop 0.1.1)",
            "MACs",
            _thop,
        ),
        Convention(
            "calflops",
            "multiply-accumulates of patched functions: convolutions, linear layers, matmul and "
            "addmm; the @ sign, bmm, einsum, recurrences and fused attention are 0 "
            "(calflops 0.3.2, its MACs)",
            "MACs",
            _calflops,
        ),
        Convention(
            "torchlens",
            "multiply-accumulates of convolutions and matrix products, attention included "
            "(torchlens 2.36, the MACs of its forward pass)",
            "MACs",
            _ours,
        ),
        Convention(
            "keras",
            "no operations at all: its summary's total of parameters, which counts the moving "
            "statistics of batch norms as well",
            "parameters",
            _keras,
        ),
    )
}


def convention(name: str) -> Convention:
    """The convention of a name.

    Raises:
        AnalysisError: if there is none; it lists them.
    """
    if name not in CONVENTIONS:
        raise AnalysisError(
            f"unknown convention {name!r}; the known ones are {', '.join(CONVENTIONS)}"
        )
    return CONVENTIONS[name]
