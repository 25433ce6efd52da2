"""Batch norms folded into the layers before them, and what that saves in use.

`analysis.normalization` has the proof.
"""

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

import analysis
from models.data.datasets import DATASETS
from models.data.loading import load
from models.networks.build import build
from models.networks.spec import NetworkSpec
from models.specs import RunSpec
from models.training.loop import Training

BATCHES, BATCH = 20, 32  # that move the statistics of a network, and images of each
IMAGES = 64  # of noise, on which a network and the folded one are compared

COST_HEADERS = (
    "network",
    "form",
    "numbers stored",
    "MACs",
    "multiplications in norms",
    "numbers read and written",
)


def fold_norms(network: nn.Module) -> nn.Module:
    """Return a copy in eval mode without the batch norms that stand right behind a layer.

    The layers before them, convolutions and dense ones, have taken them in; other norms stay.
    """
    folded = copy.deepcopy(network).eval()
    for stage in [part for part in folded.modules() if isinstance(part, nn.Sequential)]:
        for (_, layer), (name, norm) in pairwise(list(stage.named_children())):
            if isinstance(layer, nn.Conv2d | nn.Linear) and _is_foldable(norm):
                _absorb(layer, norm)
                delattr(stage, name)
    return folded


def _is_foldable(norm: nn.Module) -> bool:
    return isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d) and norm.track_running_stats


@torch.no_grad()
def _absorb(layer: Any, norm: Any) -> None:
    """Turn w into s·w and b into s·(b − μ) + β, with s = γ/√(σ² + ε)."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()  # (K,)
    bias = torch.zeros_like(scale) if layer.bias is None else layer.bias
    each = (-1, *(1,) * (layer.weight.dim() - 1))  # one number a filter of (K, C, h, w), or (K, N)
    layer.weight = nn.Parameter(layer.weight * scale.view(each))
    layer.bias = nn.Parameter(scale * (bias - norm.running_mean) + norm.bias)


# Networks to fold


def trained(spec: RunSpec) -> tuple[nn.Module, Tensor, Tensor]:
    """Train a network now, and return it in eval mode with the test images and their classes.

    Images are (N, C, H, W), scaled as the network was trained. A record keeps no weights, so this
    is the way to a network that has them.
    """
    training = Training(spec, load(spec.dataset))
    for _ in training.epochs():
        pass
    test = training.test
    return training.network.eval(), training.scaled(test.images), test.labels


@torch.no_grad()
def fresh(spec: NetworkSpec) -> nn.Module:
    """Return a spec's network in eval mode, with fresh weights.

    The moving statistics, which have to fit the weights, are moved by `BATCHES` batches of noise.
    """
    torch.manual_seed(0)
    network = build(spec)
    for number in range(BATCHES):
        network(noise(spec, BATCH, seed=number))
    return network.eval()


def noise(spec: NetworkSpec, images: int, seed: int = 0) -> Tensor:
    """Return images (B, C, H, W) of a spec's size, each pixel drawn from 0..1."""
    info, generator = DATASETS[spec.dataset], torch.Generator().manual_seed(seed)
    return torch.rand((images, info.channels, info.side, info.side), generator=generator)


@torch.no_grad()
def logit_gap(network: nn.Module, folded: nn.Module, images: Tensor) -> float:
    """Return by how much two networks' logits differ at most, as a share of the largest logit.

    >>> logit_gap(nn.Identity(), nn.ReLU(), torch.tensor([[-1.0, 2.0]]))
    0.5
    """
    logits, others = network(images), folded(images)  # (B, classes)
    return float((logits - others).abs().max() / logits.abs().max())


def fold_gap(network: nn.Module, images: Tensor, dtype: torch.dtype) -> float:
    """Return how far folding moves a network's logits, computed in `dtype` (`logit_gap`)."""
    network = copy.deepcopy(network).to(dtype)
    return logit_gap(network, fold_norms(network), images.to(dtype))


@torch.no_grad()
def right_answers(network: nn.Module, images: Tensor, labels: Tensor) -> int:
    """Count the images (N, C, H, W) whose class (N,) a network gets right."""
    return int((network(images).argmax(1) == labels).sum())


# What it costs


@dataclass(frozen=True)
class Use:
    """What a network costs in use, for one image.

    It keeps numbers (parameters and moving statistics), multiplies and adds in layers (`macs`) and
    in norms (`normed`: one multiplication and one addition a number), and reads and writes numbers
    (`moved`: each layer's inputs, parameters and outputs).
    """

    kept: int
    macs: int
    normed: int
    moved: int

    @property
    def row(self) -> list[int]:
        """As a table shows it, by the last four of `COST_HEADERS`."""
        return [self.kept, self.macs, self.normed, self.moved]


def use(network: nn.Module, spec: NetworkSpec) -> Use:
    """Derive what a live network costs in use (`analysis.summary`)."""
    info = DATASETS[spec.dataset]
    read = analysis.summary(network, (info.channels, info.side, info.side))
    norms = [row for row in read.rows if row.kind == "norm"]
    return Use(
        kept=int(read.total.keras_parameters),
        macs=int(read.total.macs),
        normed=sum(int(row.activations) for row in norms),
        moved=sum(int(row.traffic) for row in read.rows),
    )
