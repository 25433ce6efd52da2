"""What a user may have meant by a network or an input that nothing fits."""

import re
from collections.abc import Collection
from difflib import get_close_matches

_NAMES = """
alexnet convnext_base convnext_large convnext_small convnext_tiny densenet121 densenet161
densenet169 densenet201 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3
efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7 efficientnet_v2_l
efficientnet_v2_m efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5 mnasnet0_75
mnasnet1_0 mnasnet1_3 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_x_16gf
regnet_x_1_6gf regnet_x_32gf regnet_x_3_2gf regnet_x_400mf regnet_x_800mf regnet_x_8gf
regnet_y_128gf regnet_y_16gf regnet_y_1_6gf regnet_y_32gf regnet_y_3_2gf regnet_y_400mf
regnet_y_800mf regnet_y_8gf resnet101 resnet152 resnet18 resnet34 resnet50 resnext101_32x8d
resnext101_64x4d resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5
shufflenet_v2_x2_0 squeezenet1_0 squeezenet1_1 swin_b swin_s swin_t swin_v2_b swin_v2_s
swin_v2_t vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn vit_b_16 vit_b_32
vit_h_14 vit_l_16 vit_l_32 wide_resnet101_2 wide_resnet50_2
"""
TORCHVISION = tuple(_NAMES.split())
"""torchvision's classification models: to ask it takes seconds, to suggest one should not."""

RELATIVES = {
    "alexnet": "alexnet-torchvision pools any last map to 6x6 first",
    "vgg16": "vgg16-torchvision pools any last map to 7x7 first",
    "vgg19": "vgg19-torchvision pools any last map to 7x7 first",
    "lenet5": "lenet5-unpadded is the paper's network for 32x32",
}
"""Built-in networks that keep their size where these follow the input."""


def meant(name: str, built_in: Collection[str]) -> str:
    """Return what an unknown network's name may stand for, or nothing.

    >>> [meant(name, ["vgg19"]) for name in ("VGG19", "ResNet-50", "net.py")]
    ['vgg19', 'torchvision:resnet50', 'net.py:FACTORY']
    """
    if name.endswith(".py"):
        return f"{name}:FACTORY"
    if name in TORCHVISION and name not in built_in:
        return f"torchvision:{name}"
    known = {_bare(one): f"torchvision:{one}" for one in TORCHVISION}
    known |= {_bare(one): one for one in built_in}
    near = get_close_matches(_bare(name.removeprefix("torchvision.models.")), known, n=1)
    return known[near[0]] if near else ""


def _bare(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.lower())


def channels_last(sizes: tuple[int, ...]) -> str:
    """Return the input that is meant where channels were written first, or nothing.

    >>> channels_last((3, 224, 320)), channels_last((224, 224, 3)), channels_last((3, 16, 112, 96))
    ('224x320x3', '', '16x112x96x3')
    """
    if len(sizes) in (3, 4) and sizes[0] in (1, 3, 4) and sizes[-1] > 4:
        return "x".join(map(str, (*sizes[1:], sizes[0])))
    return ""
