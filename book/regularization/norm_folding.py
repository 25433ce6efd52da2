"""Batch norms folded into the layers before them, and what that saves in use.

`analysis.normalization` has the proof.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

import analysis
from models.data.datasets import DATASETS
from models.networks.build import build
from models.networks.spec import NetworkSpec

BATCHES, BATCH = 20, 32  # that move the statistics of a network, and images of each
IMAGES = 64  # on which two networks are compared

#: Of each normalized layer its `gamma` and `beta`, as records keep them.
Learned = Mapping[str, Mapping[str, Any]]

COST_HEADERS = ("network", "form", "numbers kept", "MACs", "the norms' steps", "numbers moved")


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


# A network to fold


@torch.no_grad()
def in_use(spec: NetworkSpec, learned: Learned) -> nn.Module:
    """Return a spec's network in eval mode: fresh weights, and the norms' γ and β as `learned`.

    A record keeps no weights. The moving statistics, which have to fit the weights, are moved by
    `BATCHES` batches of noise. Norms that nothing is said of have γ = 1 and β = 0.
    """
    torch.manual_seed(0)
    network = build(spec)
    for layer, values in learned.items():
        norm: Any = network.get_submodule(f"{layer}.norm")
        norm.weight.copy_(torch.tensor(values["gamma"]))
        norm.bias.copy_(torch.tensor(values["beta"]))
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


def fold_gap(spec: NetworkSpec, learned: Learned, dtype: torch.dtype) -> float:
    """Return how far folding moves the logits of a network `in_use` (`logit_gap`)."""
    network = in_use(spec, learned).to(dtype)
    images = noise(spec, IMAGES, seed=BATCHES).to(dtype)
    return logit_gap(network, fold_norms(network), images)


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
