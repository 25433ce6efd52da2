"""Random changes of training images, a whole batch at once, on the integer pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.fields import expect_one_of

AUGMENTATIONS = ("none", "shift", "shift-flip")


def augment(images: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Return each image moved by a random whole number of pixels, each its own.

    `shift-flip` also mirrors them with probability 1/2. `images` (B, C, H, W) and the result have
    one shape, dtype and device; the generator is the CPU's. They move by up to 2 pixels at sides up
    to 28, by 4 above (He et al. 2016, section 4.2, pad CIFAR's so); what moves in is black.

    Raises:
        ValueError: The kind is unknown.
    """
    expect_one_of(AUGMENTATIONS, "augmentation", kind)
    if kind == "none":
        return images
    batch, _, height, width = images.shape
    reach = 2 if height <= 28 else 4
    offsets = torch.randint(0, 2 * reach + 1, (2, batch, 1), generator=generator)  # (2, B, 1)
    rows = offsets[0] + torch.arange(height)  # (B, H)
    columns = offsets[1] + torch.arange(width)  # (B, W)
    if kind == "shift-flip":
        mirrored = torch.rand(batch, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(images, (reach, reach, reach, reach))  # (B, C, H + 2 reach, W + 2 reach)
    example = torch.arange(batch)[:, None, None]
    rows, columns = rows[:, :, None], columns[:, None, :]
    device = images.device
    moved = padded[example.to(device), :, rows.to(device), columns.to(device)]  # (B, H, W, C)
    return moved.permute(0, 3, 1, 2)  # (B, C, H, W)
