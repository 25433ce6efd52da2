"""Every network by its name, and what a user writes on the command line made a derivation."""

from collections.abc import Callable

from analysis.errors import AnalysisError
from analysis.hints import meant
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
from analysis.lenet import cifar_note, lenet5, lenet5_norm, lenet5_unpadded, lenet_stride1
from analysis.rows import Derivation

Builder = Callable[..., Derivation]

NETWORKS: dict[str, Builder] = {
    "alexnet": alexnet,
    "alexnet-torchvision": alexnet_torchvision,
    "vgg16": vgg16,
    "vgg16-torchvision": vgg16_torchvision,
    "vgg19": vgg19,
    "vgg19-torchvision": vgg19_torchvision,
    "inception-naive": inception_naive,
    "inception-reduced": inception_reduced,
    "minigooglenet": minigooglenet,
    "minigooglenet-unpadded": minigooglenet_unpadded,
    "lenet5": lenet5,
    "lenet5-unpadded": lenet5_unpadded,
    "lenet-stride1": lenet_stride1,
    "lenet5-norm": lenet5_norm,
    "cifar-note": cifar_note,
}


def find(name: str) -> Builder:
    """Return the builder of a network.

    Raises:
        AnalysisError: For an unknown name; it lists the known ones.

    >>> find("vgg19")().network.name
    'vgg19'
    """
    if name in NETWORKS:
        return NETWORKS[name]
    near = meant(name, NETWORKS)
    hint = f"did you mean {near}? Known" if near else "known"
    raise AnalysisError(f"unknown network {name!r}; {hint} networks: {', '.join(NETWORKS)}")
