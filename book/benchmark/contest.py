"""What a benchmark's contenders are asked to do: the same for ours and for its peers.

No torch, no TensorFlow here.
"""

from dataclasses import dataclass
from typing import Any

from book.report.methods import BATCH_NORM, BATCH_NORM_INPUT, BOTH, DROPOUT

Measured = dict[str, Any]  # what a contender says: value, parameters, accuracies, …

LR = 0.1  # of plain stochastic gradient descent, everywhere
LENET_BATCH = 128
GOOGLENET_BATCH = 64

TORCHVISION = {"mnist": "MNIST", "mnist5k": "MNIST", "fashion-mnist": "FashionMNIST"}
"""The folders of torchvision's layout, in which every contender finds the same files."""

VARIANTS: dict[str, dict[str, Any]] = {
    BATCH_NORM: {"norm": True, "input_norm": False, "dropout": 0.0, "input_dropout": 0.0},
    BATCH_NORM_INPUT: {"norm": True, "input_norm": True, "dropout": 0.0, "input_dropout": 0.0},
    DROPOUT: {"norm": False, "input_norm": False, "dropout": 0.5, "input_dropout": 0.2},
    BOTH: {"norm": True, "input_norm": True, "dropout": 0.5, "input_dropout": 0.2},
}
"""The experiment's four LeNets; without batch norm on the input, the input is standardised."""


@dataclass(frozen=True)
class Sizes:
    """How much work a benchmark is.

    `lenet_data` and `googlenet_data` are data sets; an experiment has `seeds` trainings of `epochs`
    of each variant; MiniGoogLeNet is trained on `googlenet_examples` images; matrices have
    `matrix_side` rows and columns; a rate is measured for `rate_seconds`, an effect for
    `effect_seconds`; `compiled` is whether to try torch.compile.
    """

    lenet_data: str = "mnist"
    googlenet_data: str = "fashion-mnist"
    seeds: int = 2
    epochs: int = 2
    googlenet_examples: int = 4096
    matrix_side: int = 2048
    rate_seconds: float = 2.0
    effect_seconds: float = 6.0
    compiled: bool = True


QUICK = Sizes("mnist5k", "mnist5k", 1, 1, 128, 256, 0.1, 0.5, compiled=False)
