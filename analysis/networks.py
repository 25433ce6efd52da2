"""Every network by its name, and what a user writes on the command line made a derivation."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from inspect import signature

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
from analysis.lenet import cifar_note, lenet5, lenet5_norm, lenet5_unpadded, lenet_stride1
from analysis.notation import Dimension
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
        AnalysisError: for an unknown name; it lists the known ones.

    >>> find("vgg19")().network.name
    'vgg19'
    """
    if name in NETWORKS:
        return NETWORKS[name]
    near = get_close_matches(name.lower(), NETWORKS, n=1)
    hint = f"did you mean {near[0]}? Known" if near else "known"
    raise AnalysisError(f"unknown network {name!r}; {hint} networks: {', '.join(NETWORKS)}")


def parse_input(written: str) -> dict[str, int]:
    """Read `HEIGHTxWIDTHxCHANNELS`.

    Raises:
        AnalysisError: for anything but three whole numbers from 1 to 999,999.

    >>> parse_input("227x227x3")
    {'height': 227, 'width': 227, 'channels': 3}
    """
    sizes = re.fullmatch(r"([0-9]{1,6})[x×]([0-9]{1,6})[x×]([0-9]{1,6})", written.strip().lower())
    if sizes is None or "0" in (size.lstrip("0") or "0" for size in sizes.groups()):
        expected = "HEIGHTxWIDTHxCHANNELS, three whole numbers from 1 to 999,999 such as 224x224x3"
        raise AnalysisError(f"--input must be {expected}, not {written!r}")
    return dict(zip(("height", "width", "channels"), map(int, sizes.groups()), strict=True))


def parse_parameters(name: str, pairs: Iterable[tuple[str, str]]) -> dict[str, Dimension | str]:
    """Read a builder's own parameters, each converted to the type of its default.

    Raises:
        AnalysisError: for an unknown parameter or a value of another type; it says what is
            expected.

    >>> parse_parameters("inception-reduced", [("reduce_3x3", "32")])
    {'reduce_3x3': 32}
    """
    known = {
        parameter.name: parameter.default for parameter in signature(find(name)).parameters.values()
    }
    values: dict[str, Dimension | str] = {}
    for key, written in pairs:
        if key not in known:
            raise AnalysisError(f"{name} has no parameter {key!r}; it has {', '.join(known)}")
        values[key] = _converted(key, written, type(known[key]))
    return values


def _converted(key: str, written: str, to: type) -> Dimension | str:
    if to is bool:
        if written.lower() not in ("true", "false"):
            raise AnalysisError(f"{key} must be true or false, not {written!r}")
        return written.lower() == "true"
    if to is int:
        if not re.fullmatch(r"[0-9]{1,6}", written):
            raise AnalysisError(f"{key} must be a whole number up to 999,999, not {written!r}")
        return int(written)
    return written
