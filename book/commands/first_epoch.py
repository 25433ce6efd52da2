"""A program that trains the first epoch of one run, with whichever `models` it finds.

`python -P first_epoch.py` reads a request, `{"spec": …, "threads": …}`, and prints what came of it,
both as JSON; without a spec, only which code answers. `python -m book certify` runs it on two forms
of the training code. It uses nothing of this project but the fingerprint, `RunSpec`, `load` and
`Training`, so that older forms have it all.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch


def answer(spec: dict[str, Any] | None, threads: int) -> dict[str, Any]:
    """Return which code answers, and with a spec the first epoch and a digest of the state."""
    import models
    from models.data.loading import load
    from models.fingerprint import code_fingerprint
    from models.specs import RunSpec
    from models.training.loop import Training

    folder = Path(str(models.__file__)).resolve().parents[1]
    code = {"folder": str(folder), "fingerprint": code_fingerprint()}
    if spec is None:
        return code
    run = RunSpec(**spec)
    torch.set_num_threads(threads)
    training = Training(run, load(run.dataset), "cpu")
    started = time.perf_counter()
    epoch = next(iter(training.epochs()))
    return {
        **code,
        "seconds": time.perf_counter() - started,
        "key": run.key,
        "history": epoch.model_dump(mode="json", exclude_unset=True),
        "weights_sha256": state_digest(
            [training.network.state_dict(), training.optimizer.state_dict()]
        ),
    }


def state_digest(state: Any) -> str:
    """Return the sha256 (hexadecimal) of nested tensors and numbers: of every bit, name and type.

    >>> state_digest({"a": torch.zeros(2)}) == state_digest({"a": -torch.zeros(2)})
    False
    """
    digest = hashlib.sha256()
    for part in _parts(state):
        digest.update(part)
    return digest.hexdigest()


def _parts(state: Any) -> Iterator[bytes]:
    if isinstance(state, torch.Tensor):
        yield f"{state.dtype} {tuple(state.shape)} ".encode()
        yield state.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    elif isinstance(state, dict):
        for name in sorted(state, key=str):
            yield f"{name}: ".encode()
            yield from _parts(state[name])
    elif isinstance(state, list | tuple):
        yield f"{len(state)} ".encode()
        for item in state:
            yield from _parts(item)
    else:
        yield f"{state!r} ".encode()


if __name__ == "__main__":
    json.dump(answer(**json.load(sys.stdin)), sys.stdout, allow_nan=False)
