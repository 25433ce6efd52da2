"""What is counted, by us and by other tools: eight networks of a decade, and small cases."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Published:
    """A network of torchvision, with random weights: nothing is downloaded.

    `name` is torchvision's, `title` its paper's; `year` is that of the first preprint, or of the
    conference where there was none.
    """

    name: str
    title: str
    year: int
    options: dict[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """Build it in evaluation mode, on torch's present default device."""
        module: nn.Module = models.get_model(self.name, weights=None, **self.options)
        return module.eval()


NETWORKS: tuple[Published, ...] = (
    Published("alexnet", "AlexNet", 2012),
    Published("vgg19", "VGG19", 2014),
    Published("googlenet", "GoogLeNet", 2014, {"aux_logits": False, "init_weights": False}),
    Published("resnet50", "ResNet-50", 2015),
    Published("mobilenet_v3_large", "MobileNetV3-L", 2019),
    Published("efficientnet_b0", "EfficientNet-B0", 2019),
    Published("vit_b_16", "ViT-B/16", 2020),
    Published("convnext_tiny", "ConvNeXt-T", 2022),
)
"""In the order of their years. AlexNet is the single tower, GoogLeNet has no auxiliary heads."""

SHAPE: Shape = (3, 224, 224)
"""The input that all of them were published for, without the batch."""


@dataclass(frozen=True)
class Case:
    """A small module on which tools are known to disagree, and its input without the batch."""

    title: str
    build: Callable[[], nn.Module]
    shape: Shape


class Twice(nn.Module):
    """One linear layer, used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(10, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 10) to (B, 10)."""
        y: Tensor = self.linear(self.linear(x))
        return y


class Gram(nn.Module):
    """The products of all rows with one another."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 5, 7) to (B, 5, 5)."""
        y: Tensor = x @ x.mT
        return y


class Listed(nn.Module):
    """A product with a matrix that lies in a `ParameterList`, not in a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.matrices = nn.ParameterList([torch.empty(100, 100)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 4, 100) to (B, 4, 100)."""
        y: Tensor = x @ self.matrices[0]
        return y


class SelfAttention(nn.Module):
    """Multi-head attention of tokens to one another."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(512, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 580, 512) to (B, 580, 512)."""
        y: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return y


CASES: tuple[Case, ...] = (
    Case("conv 3→8, 3×3, bias", lambda: nn.Conv2d(3, 8, 3, padding=1), (3, 16, 16)),
    Case("transposed 3→1, 2×2", lambda: nn.ConvTranspose2d(3, 1, 2, 2), (3, 2, 2)),
    Case("transposed 32→1, 3×3", lambda: nn.ConvTranspose2d(32, 1, 3), (32, 1, 1)),
    Case("linear 10→11", lambda: nn.Linear(10, 11), (10,)),
    Case("linear 10→10, twice", Twice, (10,)),
    Case("x·W, W in a list", Listed, (4, 100)),
    Case("attention, 580 × 512", SelfAttention, (580, 512)),
    Case("x·xᵀ, 5 × 7", Gram, (5, 7)),
)
"""The one without parameters comes last: calflops fails on it, and leaves torch patched."""
