"""Convolutional networks derived, exactly: shapes, counts, receptive fields.

In numbers, or in closed form where a size is a symbol.

>>> import analysis
>>> analysis.alexnet().row("conv1").weights_shown.text
'(11·11·3)·96 = 34,848'
>>> analysis.vgg19(**analysis.SYMBOLS).row("conv1_1").macs_shown.text
'B·(H·W)·(3·3·C)·64 = 576·B·C·H·W'
"""

from analysis.derivation import derive
from analysis.documents import as_json
from analysis.errors import AnalysisError
from analysis.imagenet import (
    alexnet,
    alexnet_torchvision,
    vgg16,
    vgg16_torchvision,
    vgg19,
    vgg19_torchvision,
)
from analysis.inception import (
    inception_naive,
    inception_reduced,
    minigooglenet,
    minigooglenet_unpadded,
)
from analysis.layers import (
    AdaptivePool,
    Branches,
    Conv,
    Flatten,
    GlobalPool,
    Linear,
    Network,
    Norm,
    Pool,
)
from analysis.lenet import cifar_note, lenet5, lenet5_norm, lenet5_unpadded, lenet_stride1
from analysis.networks import NETWORKS
from analysis.notation import SYMBOLS, B, C, Calculation, H, W, latex, text
from analysis.operators import output_side
from analysis.proof import Proof, Step, prove_any_stack, prove_stacked, prove_strided
from analysis.reading import Summary, summary
from analysis.receptive_field import receptive_field
from analysis.rows import Derivation, Row, Total
from analysis.tables import table

__all__ = [
    "NETWORKS",
    "SYMBOLS",
    "AdaptivePool",
    "AnalysisError",
    "B",
    "Branches",
    "C",
    "Calculation",
    "Conv",
    "Derivation",
    "Flatten",
    "GlobalPool",
    "H",
    "Linear",
    "Network",
    "Norm",
    "Pool",
    "Proof",
    "Row",
    "Step",
    "Summary",
    "Total",
    "W",
    "alexnet",
    "alexnet_torchvision",
    "as_json",
    "cifar_note",
    "derive",
    "inception_naive",
    "inception_reduced",
    "latex",
    "lenet5",
    "lenet5_norm",
    "lenet5_unpadded",
    "lenet_stride1",
    "minigooglenet",
    "minigooglenet_unpadded",
    "output_side",
    "prove_any_stack",
    "prove_stacked",
    "prove_strided",
    "receptive_field",
    "summary",
    "table",
    "text",
    "vgg16",
    "vgg16_torchvision",
    "vgg19",
    "vgg19_torchvision",
]
