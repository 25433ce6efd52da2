"""A training's state, written down so that a killed run goes on from it.

It is written after each epoch, and every minute inside longer ones. A checkpoint is one safetensors
file: the tensors, and in its header the rest as strict JSON with a checksum over both. Nothing is
pickled. Random states are in it only inside an epoch: each epoch draws its own (see
`models.training.loop`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from models.equivalence import equal_fingerprints
from models.evidence import RunKind
from models.files import parse_json, set_aside, validated, write_atomically
from models.fingerprint import code_fingerprint
from models.progress import Progress
from models.records import Epoch
from models.runs.store import Store
from models.training.loop import Midway, Training

SNAPSHOT_SECONDS = 60.0  # between two checkpoints inside an epoch
MIDWAY = {"midway.totals", "midway.marks", "random.own", "random.cpu"}  # of an open epoch
KEEP = 2  # checkpoints: the last one, and one to fall back on


class CorruptCheckpoint(Exception):  # noqa: N818 - what it is, rather than that it is one
    """A checkpoint that cannot be believed: torn, not what was written, or of another run."""


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OpenEpoch(_Facts):
    """The numbers of an epoch that goes on (see `models.training.loop.Midway`)."""

    done: int
    first: int
    seconds: float


class State(_Facts):
    """What a checkpoint holds beside its tensors; `key` is its run's."""

    key: str
    code_fingerprint: str
    history: list[Epoch]
    epoch_seconds: list[float]
    iteration: int
    lr: list[float]
    midway: OpenEpoch | None


def write(training: Training, store: Store) -> Path:
    """Write the state as it is now, whole or not at all; drop the checkpoints before the last two.

    Return the new checkpoint's file.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(training).items()
    }
    known = _state(training).model_dump(mode="json", exclude_unset=True)
    state = json.dumps(known, sort_keys=True, allow_nan=False)
    content = save(tensors, metadata={"state": state, "sha256": _checksum(state, tensors)})
    inside = f"-{training.midway.done:09}" if training.midway else ""
    path = (
        store.checkpoint_folder(training.spec.key)
        / f"epoch-{len(training.history):06}{inside}.safetensors"
    )
    write_atomically(path, content)
    for old in store.checkpoint_files(training.spec.key)[KEEP:]:
        old.unlink(missing_ok=True)
    return path


def resume(training: Training, store: Store, progress: Progress) -> int | None:
    """Put a new training where its run's newest good checkpoint left off.

    Return the last finished epoch; None when there is nothing to go on from. Corrupt checkpoints
    are named, set aside and passed over; those of other training code are passed over.
    """
    for path in store.checkpoint_files(training.spec.key):
        try:
            tensors, state = _read(path)
            if state.code_fingerprint not in equal_fingerprints(RunKind.of(training.spec)):
                progress.note(f"passed over {path.name}: it was made by other training code")
                continue
            if problem := _misfit(training, tensors, state):
                raise CorruptCheckpoint(f"{path}: {problem}")
        except CorruptCheckpoint as error:
            aside = f"now {set_aside(path).name}, until the run has ended"
            progress.note(f"set aside a corrupt checkpoint: {error} ({aside})")
            continue
        _restore(training, tensors, state)
        return len(training.history)
    return None


def drop(key: str, store: Store) -> None:
    """Remove a run's checkpoints."""
    shutil.rmtree(store.checkpoint_folder(key), ignore_errors=True)


def _tensors(training: Training) -> dict[str, Tensor]:
    """Return weights and buffers, the optimizer's tensors, and those of an epoch that is open.

    The optimizer's are named by the number of their parameter.
    """
    tensors = {f"network.{name}": tensor for name, tensor in training.network.state_dict().items()}
    for number, slots in training.optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{number}.{name}": slot
            for name, slot in slots.items()
            if isinstance(slot, Tensor)
        }
    if training.midway:
        tensors |= {f"random.{name}": state for name, state in training.midway.random.items()}
        tensors |= {
            f"midway.{name}": getattr(training.midway, name) for name in ("totals", "marks")
        }
    return tensors


def _state(training: Training) -> State:
    midway = training.midway
    return State(
        key=training.spec.key,
        code_fingerprint=code_fingerprint(),
        history=training.history,
        epoch_seconds=training.epoch_seconds,
        iteration=training.iteration,
        lr=[group["lr"] for group in training.optimizer.param_groups],
        midway=OpenEpoch(done=midway.done, first=midway.first, seconds=midway.seconds)
        if midway
        else None,
    )


def _read(path: Path) -> tuple[dict[str, Tensor], State]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise CorruptCheckpoint(f"{path}: {error}") from None
    if metadata.get("sha256") != _checksum(metadata.get("state", ""), tensors):
        raise CorruptCheckpoint(f"{path}: its checksum does not fit its content")
    try:
        return tensors, validated(parse_json(metadata["state"]), State)
    except ValueError as error:
        raise CorruptCheckpoint(f"{path}: {error}") from None


def _checksum(state: str, tensors: dict[str, Tensor]) -> str:
    """Return the sha256 (hexadecimal) of the state and each tensor's name, type, shape, bytes."""
    whole = hashlib.sha256(state.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        whole.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()


def _misfit(training: Training, tensors: dict[str, Tensor], state: State) -> str:
    """Return why a checkpoint is none of this training, in words; nothing when it is."""
    network, history = training.network.state_dict(), [epoch.epoch for epoch in state.history]
    wrong = {
        f"it is of the run {state.key}": state.key != training.spec.key,
        "its network is another": _shapes(_below("network", tensors)) != _shapes(network),
        "its optimizer is another": not _fits_optimizer(training, tensors, state),
        "its epochs are not 1, 2, 3 …": history != list(range(1, len(state.epoch_seconds) + 1)),
        "its open epoch lacks tensors": bool(state.midway) and not tensors.keys() >= MIDWAY,
    }
    return next((words for words, so in wrong.items() if so), "")


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}


def _fits_optimizer(training: Training, tensors: dict[str, Tensor], state: State) -> bool:
    """Return whether each of the optimizer's tensors is of one of its parameters, or a number.

    Plain SGD has none; momentum and Adam have.
    """
    shapes = {str(number): like.shape for number, like in enumerate(_parameters(training))}
    slots = [(name.partition(".")[0], slot) for name, slot in _below("optimizer", tensors).items()]
    has_state = training.spec.optimizer != "sgd" or training.spec.momentum > 0
    return (
        len(state.lr) == len(training.optimizer.param_groups)
        and bool(slots) == has_state
        and all(number in shapes and slot.shape in ((), shapes[number]) for number, slot in slots)
    )


def _restore(training: Training, tensors: dict[str, Tensor], state: State) -> None:
    training.network.load_state_dict(_below("network", tensors))
    training.optimizer.load_state_dict(_optimizer_state(training, tensors))
    for group, lr in zip(training.optimizer.param_groups, state.lr, strict=True):
        group["lr"] = lr
    training.schedule.last_epoch = state.iteration  # torch's name for the number of steps taken
    training.iteration = state.iteration
    training.history = state.history
    training.epoch_seconds = state.epoch_seconds
    if state.midway:
        random = _below("random", tensors)
        totals, marks = tensors["midway.totals"], tensors["midway.marks"]
        training.midway = Midway(**dict(state.midway), totals=totals, random=random, marks=marks)


def _below(kind: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors called `kind.NAME`, by their NAME."""
    prefix = f"{kind}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _optimizer_state(training: Training, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return what the optimizer's `load_state_dict` takes.

    Each tensor is laid out in memory as its parameter.
    """
    parameters = _parameters(training)
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _below("optimizer", tensors).items():
        number, slot = name.split(".", 1)
        like = parameters[int(number)]
        if tensor.shape == like.shape:
            tensor = torch.empty_like(like, requires_grad=False).copy_(tensor)
        slots.setdefault(int(number), {})[slot] = tensor
    return {**training.optimizer.state_dict(), "state": slots}


def _parameters(training: Training) -> list[Tensor]:
    """Return what the optimizer changes, as it numbers it."""
    return [parameter for group in training.optimizer.param_groups for parameter in group["params"]]
