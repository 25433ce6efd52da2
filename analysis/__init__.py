"""Convolutional networks derived: every shape, count and receptive field, exactly, in numbers or in closed form.

>>> import analysis
>>> analysis.alexnet().row("conv1").weights_shown.text
'(11·11·3)·96 = 34,848'
>>> analysis.vgg19(**analysis.SYMBOLS).row("conv1_1").macs_shown.text
'B·(H·W)·(3·3·C)·64 = 576·B·C·H·W'
"""

from analysis.derivation import derive
from analysis.errors import AnalysisError
from analysis.imagenet import alexnet, alexnet_torchvision, vgg16, vgg19
from analysis.inception import inception_naive, inception_reduced, minigooglenet, minigooglenet_unpadded
from analysis.layers import Branches, Conv, Flatten, GlobalPool, Linear, Network, Norm, Pool
from analysis.lenet import cifar_note, lenet5, lenet5_norm, lenet_stride1
from analysis.networks import NETWORKS
from analysis.notation import SYMBOLS, B, C, Calculation, H, W, latex, text
from analysis.operators import output_side
from analysis.proof import Proof, Step, prove_any_stack, prove_stacked, prove_strided
from analysis.reading import Summary, summary
from analysis.receptive_field import receptive_field
from analysis.rows import Derivation, Row, Total
from analysis.tables import as_json, table

__all__ = [
    "NETWORKS",
    "SYMBOLS",
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
    "vgg19",
]
