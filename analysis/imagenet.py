"""AlexNet (both forms) and VGG, as data. The defaults are the published sizes."""

from analysis.derivation import derive
from analysis.layers import AdaptivePool, Conv, Layer, Linear, Network, Pool
from analysis.notation import Dimension
from analysis.rows import Derivation

VGG16 = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]
VGG19 = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)]
"""Filters and number of 3x3 convolutions per block.

Source: Simonyan & Zisserman 2014, table 1, columns D and E.
"""


def alexnet(
    *,
    height: Dimension = 227,
    width: Dimension = 227,
    channels: Dimension = 3,
    batch: Dimension = 1,
    padding: Dimension = 0,
    groups: Dimension = 2,
    classes: Dimension = 1000,
) -> Derivation:
    """Derive AlexNet as published, split over two GPUs.

    Convolutions 2, 4 and 5 see only their own GPU's channels.

    Source: Krizhevsky, Sutskever & Hinton 2012, sections 3.4 (overlapping 3x3 pools of stride 2)
    and 3.5, figure 2. An input of 224 gives 54 x 54 maps, not the paper's 55 x 55: take 227, or 224
    with `padding=2`. Local response normalization (3.3) changes no shape, learns nothing and has no
    row. `groups=1` joins the two halves. The weights of fc6 follow the size of the input.

    The paper's figure 2 counts 253,440 neurons in the first layer; the derivation gives 55·55·96 =
    290,400. 253,440 = 55·48·96, as if one side of the map were 48, the depth of one GPU's half.
    With it the caption's numbers add up to 622,312 neurons, with 290,400 to 659,272
    (`Derivation.neurons`); the text says 650,000.

    >>> alexnet().total.parameters, alexnet().neurons
    (60965224, 659272)
    """
    layers = (
        Conv("conv1", 96, kernel=11, stride=4, padding=padding),
        Pool("pool1", kernel=3, stride=2),
        Conv("conv2", 256, kernel=5, padding=2, groups=groups),
        Pool("pool2", kernel=3, stride=2),
        Conv("conv3", 384, kernel=3, padding=1),
        Conv("conv4", 384, kernel=3, padding=1, groups=groups),
        Conv("conv5", 256, kernel=3, padding=1, groups=groups),
        Pool("pool5", kernel=3, stride=2),
        *_classifier(classes),
    )
    return derive(Network("alexnet", layers, height, width, channels, batch))


def alexnet_torchvision(
    *,
    height: Dimension = 224,
    width: Dimension = 224,
    channels: Dimension = 3,
    batch: Dimension = 1,
    classes: Dimension = 1000,
) -> Derivation:
    """Derive the single-tower AlexNet that torchvision ships.

    Source: Krizhevsky 2014, *One weird trick*, section 5.

    The paper's footnote gives conv4 384 filters; torchvision's 256 come from its author's code,
    cuda-convnet2. Its adaptive pool makes any last map 6 x 6 (at 224 it is that already), so fc6
    does not follow the input.

    >>> alexnet_torchvision().total.parameters, alexnet_torchvision(height=512).total.parameters
    (61100840, 61100840)
    """
    layers = (
        Conv("conv1", 64, kernel=11, stride=4, padding=2),
        Pool("pool1", kernel=3, stride=2),
        Conv("conv2", 192, kernel=5, padding=2),
        Pool("pool2", kernel=3, stride=2),
        Conv("conv3", 384, kernel=3, padding=1),
        Conv("conv4", 256, kernel=3, padding=1),
        Conv("conv5", 256, kernel=3, padding=1),
        Pool("pool5", kernel=3, stride=2),
        AdaptivePool("avgpool", 6, 6),
        *_classifier(classes),
    )
    return derive(Network("alexnet-torchvision", layers, height, width, channels, batch))


def vgg16(
    *,
    height: Dimension = 224,
    width: Dimension = 224,
    channels: Dimension = 3,
    batch: Dimension = 1,
    classes: Dimension = 1000,
) -> Derivation:
    """Derive VGG16: 13 convolutions, 3 fully connected layers.

    Source: Simonyan & Zisserman 2014, table 1, column D. The weights of fc6 follow the size of the
    input; for torchvision's, whose do not, see `vgg16_torchvision`.

    >>> vgg16().total.parameters
    138357544
    """
    layers = (*_vgg(VGG16), *_classifier(classes))
    return derive(Network("vgg16", layers, height, width, channels, batch))


def vgg16_torchvision(
    *,
    height: Dimension = 224,
    width: Dimension = 224,
    channels: Dimension = 3,
    batch: Dimension = 1,
    classes: Dimension = 1000,
) -> Derivation:
    """Return VGG16 as torchvision ships it: an adaptive pool makes any last map 7 x 7.

    So fc6 does not follow the input, which in the paper's network it does.

    >>> [net(height=256, width=320).total.parameters for net in (vgg16_torchvision, vgg16)]
    [138357544, 203369256]
    """
    layers = (*_vgg(VGG16), AdaptivePool("avgpool", 7, 7), *_classifier(classes))
    return derive(Network("vgg16-torchvision", layers, height, width, channels, batch))


def vgg19(
    *,
    height: Dimension = 224,
    width: Dimension = 224,
    channels: Dimension = 3,
    batch: Dimension = 1,
    classes: Dimension = 1000,
) -> Derivation:
    """Derive VGG19: 16 convolutions, 3 fully connected layers.

    Source: Simonyan & Zisserman 2014, table 1, column E. The weights of fc6 follow the size of the
    input; for torchvision's, whose do not, see `vgg19_torchvision`.

    >>> vgg19().total.parameters
    143667240
    """
    layers = (*_vgg(VGG19), *_classifier(classes))
    return derive(Network("vgg19", layers, height, width, channels, batch))


def vgg19_torchvision(
    *,
    height: Dimension = 224,
    width: Dimension = 224,
    channels: Dimension = 3,
    batch: Dimension = 1,
    classes: Dimension = 1000,
) -> Derivation:
    """Return VGG19 as torchvision ships it: an adaptive pool makes any last map 7 x 7.

    So fc6 does not follow the input, which in the paper's network it does.

    >>> [net(height=256, width=320).total.parameters for net in (vgg19_torchvision, vgg19)]
    [143667240, 208678952]
    """
    layers = (*_vgg(VGG19), AdaptivePool("avgpool", 7, 7), *_classifier(classes))
    return derive(Network("vgg19-torchvision", layers, height, width, channels, batch))


def _vgg(blocks: list[tuple[int, int]]) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for block, (filters, depth) in enumerate(blocks, start=1):
        layers += [
            Conv(f"conv{block}_{i}", filters, kernel=3, padding=1) for i in range(1, depth + 1)
        ]
        layers += [Pool(f"pool{block}", kernel=2)]
    return tuple(layers)


def _classifier(classes: Dimension) -> tuple[Layer, ...]:
    return Linear("fc6", 4096), Linear("fc7", 4096), Linear("fc8", classes)
