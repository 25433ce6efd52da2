"""Random numbers that a seed decides, whatever was drawn before, and the states they are in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


def random_seed(seed: int, epoch: int) -> int:
    """Return the seed of one epoch's random numbers, different for every pair.

    Epoch 0 is that of the initial weights.
    """
    return seed * 1_000_003 + epoch


@contextmanager
def reproducible(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """Draw random numbers from `seed`, by deterministic algorithms; outside, all is as it was.

    fp32 means fp32: convolutions on CUDA do not round to TF32.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by deterministic cuBLAS
    forked = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    exact = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with forked, exact, _deterministic():
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


@contextmanager
def _deterministic() -> Iterator[None]:
    # The debug mode is the same setting as `use_deterministic_algorithms`, which would import
    # torch's compiler to tell it so.
    mode = torch.get_deterministic_debug_mode()
    settings: Any = torch.utils.deterministic
    fill = settings.fill_uninitialized_memory
    torch.set_deterministic_debug_mode("error")
    settings.fill_uninitialized_memory = False  # a guard against reading it, which costs time
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        settings.fill_uninitialized_memory = fill


def random_states(generator: torch.Generator, device: torch.device) -> dict[str, Tensor]:
    """Return the uint8 states of a generator and of torch's own, by name."""
    states = {"own": generator.get_state(), "cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(
    states: Mapping[str, Tensor], generator: torch.Generator, device: torch.device
) -> None:
    """Go on with the random numbers where `random_states` were taken; without any, from here."""
    if states:
        generator.set_state(states["own"])
        torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
