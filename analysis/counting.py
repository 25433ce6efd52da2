"""The conventions by which tools count, in words; and what six of them make of a built-in network.

The default counts multiply-accumulates of convolutions and matrix products, and nothing else. The
other tools' totals of a module come from `analysis.reading`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sympy import Add, sympify

from analysis.errors import AnalysisError
from analysis.notation import Number, plain
from analysis.rows import Derivation, Row

BY_MODULES = ("torchinfo", "thop", "keras")
"""Conventions that look at modules alone: an operator without a rule takes nothing from them."""


@dataclass(frozen=True)
class Counting:
    """A convention's name, what it counts, and in which unit it prints the total."""

    name: str
    counts: str
    unit: str

    @property
    def by_operator(self) -> bool:
        """Whether its total is a lower bound where an operator has no rule."""
        return self.name not in BY_MODULES


_COUNTINGS = (
    Counting(
        "macs",
        "multiply-accumulates of convolutions and matrix products, attention and recurrences "
        "included; no biases, norms, pools or activations",
        "MACs",
    ),
    Counting(
        "torch",
        "two FLOPs per multiply-accumulate of convolutions and matrix products, as "
        "torch.utils.flop_counter.FlopCounterMode of torch 2.14.1 on the meta device; on a "
        "CPU an LSTM, a GRU and fused attention are 0",
        "FLOPs",
    ),
    Counting(
        "torchinfo",
        "per leaf module: weights and biases (of norms too) once per output position of a "
        "convolution, once per image elsewhere, however many tokens; functions are 0 "
        "(torchinfo 1.8.0)",
        "mult-adds",
    ),
    Counting(
        "fvcore",
        "multiply-accumulates of convolutions, linear layers and matmul, einsum; 2 per number "
        "of a batch norm, 5 of a layer norm, 1 per number entering an adaptive average pool; "
        "fused attention is 0 (fvcore 0.1.5)",
        "flops",
    ),
    Counting(
        "ptflops",
        "hooks on modules (biases, norms, activations and pools counted) and patched functions "
        "of torch.nn.functional, so that a ReLU or pool module counts twice "
        "(ptflops 0.7.5, its pytorch backend)",
        "MACs",
    ),
    Counting(
        "thop",
        "hooks on modules: convolutions and linear layers without biases, 4 per number of an "
        "affine norm, average pools; functions and attention are 0 (thop 0.1.1)",
        "MACs",
    ),
    Counting(
        "calflops",
        "multiply-accumulates of patched functions: convolutions, linear layers, matmul and "
        "addmm; the @ sign, bmm, einsum, recurrences and fused attention are 0 "
        "(calflops 0.3.2, its MACs)",
        "MACs",
    ),
    Counting(
        "torchlens",
        "multiply-accumulates of convolutions and matrix products, attention included "
        "(torchlens 2.36, the MACs of its forward pass)",
        "MACs",
    ),
    Counting(
        "keras",
        "no operations at all: its summary's total of parameters, which counts the moving "
        "statistics of batch norms as well",
        "parameters",
    ),
)
COUNTINGS: dict[str, Counting] = {one.name: one for one in _COUNTINGS}
"""Every convention by name."""


def counting(name: str) -> Counting:
    """Return the convention of a name.

    Raises:
        AnalysisError: If there is none; it lists them.
    """
    if name not in COUNTINGS:
        known = ", ".join(COUNTINGS)
        raise AnalysisError(f"unknown convention {name!r}; the known ones are {known}")
    return COUNTINGS[name]


def count(derivation: Derivation, name: str) -> Number:
    """Return a built-in network's total by a convention.

    Raises:
        AnalysisError: For a convention that counts what a built-in network does not list.

    >>> from analysis import vgg19
    >>> count(vgg19(), "torchinfo")
    19646923752
    """
    if name not in _BUILT_IN:
        raise AnalysisError(
            f"{counting(name).name} counts pools or activation functions, of which "
            f"{derivation.network.name}, a built-in network, does not list all; ask for a module "
            "such as torchvision:vgg19"
        )
    return _BUILT_IN[name](derivation)


def _torchinfo(derivation: Derivation) -> Number:
    batch = derivation.network.batch
    return plain(Add(*(_multiplied(row, batch) for row in derivation.rows)))


def _multiplied(row: Row, batch: Number) -> Number:
    """Return how often torchinfo takes a layer's parameters: a convolution's at each position."""
    times = sympify(row.activations) / row.output[-1] if row.kind == "conv" else batch
    return sympify(row.parameters) * times


_BUILT_IN: dict[str, Callable[[Derivation], Number]] = {
    "macs": lambda derivation: derivation.total.macs,
    "torch": lambda derivation: derivation.total.flops,
    "torchinfo": _torchinfo,
    "calflops": lambda derivation: derivation.total.macs,
    "torchlens": lambda derivation: derivation.total.macs,
    "keras": lambda derivation: derivation.total.keras_parameters,
}
