"""The same networks and training as a PyTorch tutorial would write them.

With torchvision, a DataLoader and eager fp32. They are what `book.benchmark` measures ours against,
so nothing here is made faster than such a tutorial is; compiled, it has the one line more that
its users add.
"""

import os
from collections.abc import Iterable

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms

from book.benchmark.contest import TORCHVISION, Trainer, timed
from models.data.datasets import DATASETS
from models.networks.build import count_parameters

Loader = DataLoader[tuple[Tensor, Tensor]]


def lenet5(channels: int = 1, classes: int = 10) -> nn.Module:
    """Build LeNet-5 with batch norm before each tanh: (B, C, 28, 28) → (B, classes)."""
    return nn.Sequential(
        *(nn.Conv2d(channels, 6, 5, padding=2), nn.BatchNorm2d(6), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.Tanh(), nn.AvgPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(400, 120), nn.BatchNorm1d(120), nn.Tanh()),
        *(nn.Linear(120, 84), nn.BatchNorm1d(84), nn.Tanh()),
        nn.Linear(84, classes),
    )


def conv_block(channels: int, filters: int, kernel: int, stride: int = 1) -> nn.Module:
    """Build convolution, batch norm, ReLU."""
    conv = nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), nn.ReLU())


class SideBySide(nn.Module):
    """Two branches on the same input, their channels concatenated."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        """Concatenate both outputs: (B, C, H, W) → (B, C₁ + C₂, H', W')."""
        return torch.cat([self.first(x), self.second(x)], dim=1)


def minigooglenet(channels: int = 1, classes: int = 10) -> nn.Module:
    """Build MiniGoogLeNet (Zhang et al. 2017, fig. 3): (B, C, 28, 28) → (B, classes)."""
    plan: list[tuple[int, int] | int] = [
        (32, 32),
        (32, 48),
        80,
        (112, 48),
        (96, 64),
        (80, 80),
        (48, 96),
    ]
    plan += [96, (176, 160), (176, 160)]
    layers, width = [conv_block(channels, 96, 3)], 96
    for filters in plan:
        if isinstance(filters, tuple):
            layers.append(
                SideBySide(conv_block(width, filters[0], 1), conv_block(width, filters[1], 3))
            )
            width = sum(filters)
        else:
            layers.append(
                SideBySide(conv_block(width, filters, 3, stride=2), nn.MaxPool2d(3, 2, padding=1))
            )
            width += filters
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(width, classes))
    return nn.Sequential(*layers, *head)


NETWORKS = {"lenet5": lenet5, "minigooglenet": minigooglenet}


def loader(dataset: str, batch_size: int) -> Loader:
    """Return shuffled batches of the training images in the folder of `CONVBOOK_DATA`."""
    info = DATASETS[dataset]
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(info.mean, info.std)]
    )
    kind = getattr(torchvision.datasets, TORCHVISION[dataset])
    images = kind(os.environ["CONVBOOK_DATA"], train=True, transform=transform)
    return DataLoader(images, batch_size=batch_size, shuffle=True)


def train(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
) -> tuple[float, float, int]:
    """Train on batches; return the running loss (nats), the accuracy, and how many were seen."""
    network.train()
    loss_sum, right, seen = 0.0, 0, 0
    for X, y in batches:  # (B, C, H, W), (B,)
        optimizer.zero_grad()
        logits = network(X)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(y)
        right += int((logits.argmax(1) == y).sum().item())
        seen += len(y)
    return loss_sum / seen, right / seen, seen


def trainer(
    name: str, dataset: str, batch_size: int, lr: float, *, compiled: bool = False
) -> Trainer:
    """Return the tutorial's training, warmed up: where it is compiled, that is over."""
    info = DATASETS[dataset]
    network = NETWORKS[name](info.channels, len(info.classes))
    if compiled:
        network.compile()
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    return Trainer(
        timed(lambda batches: train(network, batches, optimizer)[2], loader(dataset, batch_size)),
        count_parameters(network).total,
    )
