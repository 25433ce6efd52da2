"""A finished run on disk: one strict-JSON file, `<key>.json`, for git to hold and people to read.

`history`, `parameters` and `diagnostics` follow from the spec; everything that depends on the
machine and the day (versions, durations, date) stands in `provenance`. So two trainings of one spec
compare equal where they should. `sha256` in the file is the digest of all the rest of it (see
`models.files.json_digest`): a record in which a number was edited is not believed.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.files import json_digest, read_json, validated, write_atomically
from models.specs import RunSpec

SEAL = "sha256"  # a file's field with the digest of all the others


class CorruptRecord(Exception):  # noqa: N818 - what it is, rather than that it is one
    """A record file that cannot be believed.

    It is torn, not strict JSON, incomplete, under another run's name, or not what was written.
    """


class UnsealedRecord(CorruptRecord):
    """A record, whole, of before records held a digest of themselves: nothing vouches for it."""

    def __init__(self, path: Path, record: Record) -> None:
        super().__init__(f"{path}: expected a sha256 of itself, got none")
        self.record = record


class Epoch(BaseModel):
    """What one pass over the training set gave. A loss that is no finite number is None.

    Training loss and accuracy are running ones (train mode, weights changing); the held-out ones
    are taken at the epoch's end in eval mode: on the validation set where the spec has one, else on
    the test set. `lr` and `batch_size` are those of the epoch's last step. `losses` and
    `accuracies` are running means over every `loss_every` iterations, the epoch's last ones over as
    many as are left; without `loss_every` they are not set. `probes` holds what the spec's probes
    measured meanwhile (`models.training.probes`); without probes it is not set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epoch: int = Field(ge=1)
    train_loss: float | None
    train_accuracy: float
    test_loss: float | None = None
    test_accuracy: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    lr: float
    batch_size: int
    iterations: int
    losses: list[float | None] | None = None
    accuracies: list[float | None] | None = None
    probes: dict[str, Any] | None = None


class Provenance(BaseModel):
    """Where, when and with what a run was trained.

    `seconds` and `examples_per_second` count training only. What is not declared may be there:
    `processor_features`, which older records do not state, and `verified`, a note of `book verify`.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    code_fingerprint: str
    date: str
    device: str
    device_name: str
    threads: int
    platform: str
    versions: dict[str, str | None]
    data_source: str
    seconds: float
    epoch_seconds: tuple[float, ...]
    examples_per_second: float
    resumed_from_epoch: int | None = None

    @property
    def processor_features(self) -> str | None:
        """By what torch chose its kernels (`models.runs.making`); None where it was not noted."""
        return (self.model_extra or {}).get("processor_features")


class Record(BaseModel):
    """A run and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str
    spec: RunSpec
    diverged: bool = False
    history: tuple[Epoch, ...] = Field(min_length=1)
    parameters: dict[str, Any]
    diagnostics: dict[str, Any]
    provenance: Provenance

    @model_validator(mode="after")
    def _complete(self) -> Record:
        if self.key != self.spec.key:
            raise ValueError(
                f"key {self.key} does not belong to its spec, whose key is {self.spec.key}"
            )
        if [epoch.epoch for epoch in self.history] != list(range(1, len(self.history) + 1)):
            raise ValueError("the history's epochs are not 1, 2, 3 …")
        if len(self.history) != self.spec.epochs and not self.diverged:
            raise ValueError(f"the history has {len(self.history)} of {self.spec.epochs} epochs")
        return self

    def curve(self, name: str) -> list[Any]:
        """Return one column of the history, epoch by epoch, such as `test_accuracy`."""
        return [getattr(epoch, name) for epoch in self.history]

    def probed(self, kind: str) -> dict[str, Any]:
        """Return what the run measured of one kind while it trained.

        The epochs' `probes` are joined: each list is over all points.

        Raises:
            ValueError: The run did not measure that.
        """
        parts = [
            epoch.probes[kind] for epoch in self.history if epoch.probes and kind in epoch.probes
        ]
        if not parts:
            raise ValueError(f"probes: expected a run that measures {kind}, got {self.spec.probes}")
        return dict(_joined(parts))

    @property
    def final(self) -> Epoch:
        """The last epoch."""
        return self.history[-1]


def _joined(parts: list[Any]) -> Any:
    """Join dictionaries of one form, the lists in them one after the other."""
    if isinstance(parts[0], dict):
        return {name: _joined([part[name] for part in parts]) for name in parts[0]}
    return [point for part in parts for point in part]


def is_current(record: Record) -> bool:
    """Return whether today's training code, or code shown equal to it, made the record."""
    from models.equivalence import vouches  # whoever only reads a record needs none of it
    from models.evidence import RunKind

    return vouches(record.provenance.code_fingerprint, RunKind.of(record.spec))


def strict(value: Any) -> Any:
    """Return the value with None for every number that strict JSON cannot write.

    >>> strict({"loss": float("nan"), "shape": (1, 2)})
    {'loss': None, 'shape': [1, 2]}
    """
    if isinstance(value, dict):
        return {str(name): strict(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def short(value: Any, digits: int = 9) -> Any:
    """Round numbers to so many significant digits; nine tell one float32 from another.

    Those that are no finite numbers become None.

    >>> short({"gamma": [1.100000023841858, float("nan")]}), short(2 / 3, digits=3)
    ({'gamma': [1.10000002, None]}, 0.667)
    """
    if isinstance(value, dict):
        return {name: short(item, digits) for name, item in value.items()}
    if isinstance(value, list):
        return [short(item, digits) for item in value]
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{digits}g}")
    return strict(value)


def dumps(record: Record) -> str:
    """Return the record's text: keys sorted, a field, an epoch or a list of numbers a line."""
    content = record.model_dump(mode="json", exclude={"spec", "history"})
    content["spec"] = record.spec.model_dump(mode="json")
    content["history"] = [
        epoch.model_dump(mode="json", exclude_unset=True) for epoch in record.history
    ]
    content = strict(content)
    return _lines(content | {SEAL: json_digest(content)}) + "\n"


def _lines(value: Any, indent: str = "") -> str:
    """Return JSON in which a list of plain values, and each item of another list, is one line."""
    deeper = indent + " "
    if isinstance(value, dict) and value:
        fields = [f"{json.dumps(name)}: {_lines(value[name], deeper)}" for name in sorted(value)]
        return "{\n" + ",\n".join(deeper + field for field in fields) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        items = [json.dumps(item, sort_keys=True, allow_nan=False) for item in value]
        return "[\n" + ",\n".join(deeper + item for item in items) + f"\n{indent}]"
    return json.dumps(value, sort_keys=True, allow_nan=False)


def write(record: Record, folder: Path) -> Path:
    """Write `<key>.json` whole or not at all; return its path."""
    path = folder / f"{record.key}.json"
    write_atomically(path, dumps(record).encode())
    return path


def read(path: Path) -> Record:
    """Return the record of a file called `<key>.json`.

    Raises:
        CorruptRecord: The file is torn, not strict JSON, incomplete, not of that key, or not what
            was written.
        UnsealedRecord: It does not hold its digest, but all else is as it should be.
        FileNotFoundError: There is none.
    """
    try:
        content = read_json(path)
        sha256 = content.pop(SEAL, None) if isinstance(content, dict) else None
        record, today = validated(content, Record), json_digest(content)
    except ValueError as error:
        raise CorruptRecord(f"{path}: {error}") from None
    if record.key != path.stem:
        raise CorruptRecord(f"{path}: holds the record {record.key}")
    if sha256 is None:
        raise UnsealedRecord(path, record)
    if sha256 != today:
        raise CorruptRecord(f"{path}: its sha256 does not fit its content, which was changed")
    return record
