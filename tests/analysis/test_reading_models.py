"""Every classification model of torchvision: parameters and FLOPs as torch itself counts them."""

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from analysis import AnalysisError
from analysis.reading import read
from analysis.reading.run import on_meta

NAMES = models.list_models(module=models)
OTHER_SIZES = [(256, 320), (160, 192)]
WITHOUT_WARNING = {name: {"init_weights": False} for name in ("googlenet", "inception_v3")}
QUICK = (
    "alexnet",
    "googlenet",
    "maxvit_t",
    "mobilenet_v3_small",
    "resnet18",
    "swin_v2_t",
    "vit_b_32",
)


def native(name):
    """The side of the images that the default weights were trained on."""
    weights = models.get_model_weights(name).DEFAULT
    return weights.transforms().crop_size[0]


def factory(name):
    options = dict(WITHOUT_WARNING.get(name, {}))
    if name.startswith("vit"):
        options["image_size"] = native(name)
    return lambda: torchvision.models.get_model(name, weights=None, **options)


def counted(module, *shape):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(torch.empty(shape, device="meta"))
    return counter.get_total_flops()


def test_there_are_eighty():
    assert len(NAMES) == 80


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_model_has_torchs_parameters_and_flops_at_every_size_that_it_takes(name):
    check(name)


@pytest.mark.parametrize("name", QUICK)
def test_some_models_have_torchs_parameters_and_flops_at_every_size_that_they_take(name):
    check(name)


def check(name):
    module, side = on_meta(factory(name)), native(name)
    reading = read(module, (3, side, side))
    assert reading.unknown == ()
    assert reading.total.parameters == sum(p.numel() for p in module.parameters())
    assert reading.total.flops == counted(module, 1, 3, side, side)
    assert reading.check.notes == {}
    assert reading.check.sizes is not None
    for height, width in OTHER_SIZES:
        try:
            flops = counted(module, 3, 3, height, width)
        except (AssertionError, RuntimeError, ValueError):
            with pytest.raises(AnalysisError, match="refuses an input"):
                reading.at(height=height, width=width, batch=3)
        else:
            assert reading.at(height=height, width=width, batch=3).total.flops == flops
