"""The conventions of other tools, against the tools themselves (the `bench` extra brings them)."""

import contextlib
import importlib.util
import io
import json
import logging
import subprocess
import sys

import pytest
import torch
import torchvision
from small_modules import Twice
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from analysis import AnalysisError
from analysis.reading import CONVENTIONS, convention, read

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("one_thread")]

MODELS = {
    "alexnet": 64,
    "vgg19": 32,
    "resnet50": 64,
    "mobilenet_v3_large": 64,
    "efficientnet_b0": 64,
    "convnext_tiny": 64,
    "swin_t": 64,
    "vit_b_32": 224,
}


def needs(tool):
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed: pip install 'convbook[bench]'")


def torchinfo_total(module, shape):
    needs("torchinfo")
    import torchinfo

    return torchinfo.summary(module, (1, *shape), verbose=0).total_mult_adds


def fvcore_total(module, shape):
    needs("fvcore")
    from fvcore.nn import FlopCountAnalysis

    logging.getLogger("fvcore").setLevel(logging.CRITICAL)
    counter = FlopCountAnalysis(module, torch.zeros(1, *shape))
    return counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()


def ptflops_total(module, shape):
    needs("ptflops")
    import ptflops

    options = {"as_strings": False, "print_per_layer_stat": False, "backend": "pytorch"}
    with contextlib.redirect_stdout(io.StringIO()):
        return ptflops.get_model_complexity_info(module, shape, **options)[0]


def thop_total(module, shape):
    needs("thop")
    import thop

    return thop.profile(module, (torch.zeros(1, *shape),), verbose=False)[0]


def torch_total(module, shape):
    with FlopCounterMode(display=False) as counter:
        module.to("meta")(torch.empty(1, *shape, device="meta"))
    return counter.get_total_flops()


TOOLS = {
    "torchinfo": torchinfo_total,
    "fvcore": fvcore_total,
    "ptflops": ptflops_total,
    "thop": thop_total,
    "torch": torch_total,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_convention_is_what_its_tool_prints_of_a_model(tool, name):
    shape = (3, MODELS[name], MODELS[name])
    module = torchvision.models.get_model(name, weights=None).eval()
    said = CONVENTIONS[tool].total(read(module, shape))
    assert said == TOOLS[tool](module, shape)


MODULES = {
    "conv 3 to 8 at 16": (nn.Conv2d(3, 8, 3, padding=1), (3, 16, 16)),
    "transposed": (nn.ConvTranspose2d(3, 1, 2, 2), (3, 2, 2)),
    "transposed 32 to 1": (nn.ConvTranspose2d(32, 1, 3), (32, 1, 1)),
    "used twice": (Twice(), (10,)),
    "recurrent": (nn.LSTM(6, 5, 2, batch_first=True), (9, 6)),
    "gated recurrent": (nn.GRU(6, 5, batch_first=True), (9, 6)),
    "pools": (
        nn.Sequential(nn.AvgPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(2)),
        (3, 16, 16),
    ),
    "norms": (
        nn.Sequential(nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)),
        (4, 8, 8),
    ),
    "activations": (nn.Sequential(nn.ReLU(), nn.PReLU(), nn.GELU(), nn.Softmax(1)), (4, 8, 8)),
    "resized": (nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3)), (4, 8, 8)),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_convention_is_what_its_tool_prints_of_a_module(tool, name):
    module, shape = MODULES[name]
    said = CONVENTIONS[tool].total(read(module.eval(), shape))
    assert said == TOOLS[tool](module.to("cpu").to_empty(device="cpu"), shape)


LENS = """
import json, sys, warnings
warnings.simplefilter("ignore")
import torch, torchlens, torchvision
from torch import nn
module = torchvision.models.get_model(sys.argv[1], weights=None, **json.loads(sys.argv[2])).eval()
trace = torchlens.trace(module, torch.rand(1, 3, 224, 224))
kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
names = [name for name, one in module.named_modules() if isinstance(one, kinds)]
fields = {}
for name in names:
    if name in trace.modules:
        seen = trace.modules[name].receptive_field
        fields[name] = [[int(one) for one in seen.size], [int(one) for one in seen.jump]]
print(json.dumps(fields))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "vgg11", "resnet18", "mobilenet_v2", "squeezenet1_0"])
def test_receptive_fields_are_torchlens(name):
    needs("torchlens")
    needs("graphviz")
    command = [sys.executable, "-c", LENS, name, "{}"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    theirs = json.loads(printed.splitlines()[-1])
    module = torchvision.models.get_model(name, weights=None)
    rows = {row.layer: row for row in read(module, (3, 224, 224)).rows}
    assert len(theirs) > 5
    for layer, (size, jump) in theirs.items():
        row = rows[layer]
        assert [row.receptive_field] * 2 == size, layer
        assert [row.jump] * 2 == jump, layer


def test_keras_counts_moving_statistics_as_parameters():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert convention("keras").total(read(module, (3, 8, 8))) == 112 + 8 + 8


def test_every_convention_says_what_it_counts():
    assert set(CONVENTIONS) == {"macs", *TOOLS, "calflops", "torchlens", "keras"}
    assert all(len(one.counts) > 30 and one.unit for one in CONVENTIONS.values())
    with pytest.raises(AnalysisError, match="unknown convention 'flops'; the known ones are macs"):
        convention("flops")
