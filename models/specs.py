"""What a training is, written down: a validated, immutable `RunSpec`, its canonical JSON and key.

The key names the run for ever, so one rule holds here: **never change a default**. A key hashes
only the fields that differ from their defaults, and a later field, whose default means "as before",
leaves every old key alone.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from models.data.datasets import DATASETS, DIGESTS
from models.fields import Count, Factor, Listed, Number, Positive, Rate, SpecError
from models.networks.spec import ONE_BY_ONE, NetworkSpec

__all__ = ["SCHEDULE_FIELDS", "RunSpec", "SpecError", "grid"]

KEY_DIGITS = 20
MOST_EXAMPLES = 10_000_000  # an epoch: their order alone takes 80 MB
MOST_RUNS = 10_000  # of one grid
ALWAYS_IN_KEY = ("network", "dataset", "dataset_digest", "seed")

AugmentationName = Literal["none", "shift", "shift-flip"]
OptimizerName = Literal["sgd", "adam", "adamw"]
ScheduleName = Literal[
    "constant",
    "cosine",
    "step",
    "triangular",
    "triangular2",
    "exp_range",
    "one-cycle",
    "growing-batch",
    "range-test",
    "shrinking-rate",
]
PrecisionName = Literal["fp32", "bf16"]
ProbeName = Literal["inputs", "gradients", "units", "variances"]

#: The fields that only some schedules have: (needed, optional). Elsewhere they must stay None.
SCHEDULE_FIELDS: dict[ScheduleName, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "constant": ((), ()),
    "cosine": ((), ()),
    "step": (("milestones", "gamma"), ()),
    "triangular": (("max_lr", "step_size_up"), ()),
    "triangular2": (("max_lr", "step_size_up"), ()),
    "exp_range": (("max_lr", "step_size_up", "gamma"), ()),
    "one-cycle": (("max_lr",), ()),
    "growing-batch": ((), ("growth_step", "max_batch_size")),
    "range-test": (("max_lr",), ("candidates",)),
    "shrinking-rate": ((), ("growth_step", "max_batch_size")),
}
SCHEDULE_ONLY = tuple(
    sorted({name for parts in SCHEDULE_FIELDS.values() for part in parts for name in part})
)


class RunSpec(NetworkSpec):
    """One training, complete: two equal specs are the same run.

    Raises:
        SpecError: A field is unknown or impossible; the message names it, what was expected and
            what came.

    >>> RunSpec(lr=1) == RunSpec(lr=1.0, epochs=10)
    True
    >>> RunSpec(epochs=0)
    Traceback (most recent call last):
    models.fields.SpecError: epochs: expected at least 1, got 0
    """

    dataset_digest: str = Field(
        "", description="sha256 of the data set's content; filled in from the data set's name"
    )
    train_size: Count | None = Field(
        None, ge=1, description="training examples, stratified; all when not given"
    )
    validation_size: Count = Field(
        0, ge=0, description="examples held out of the training set; judged instead of test"
    )
    augmentation: AugmentationName = Field(
        "none", description="random change of the training images"
    )

    optimizer: OptimizerName = Field("sgd", description="the optimizer")
    lr: Positive = Field(0.1, description="learning rate; the lowest one of a cyclical schedule")
    momentum: Rate = Field(0.0, description="momentum, of sgd only")
    weight_decay: Factor = Field(
        0.0, ge=0, description="weight decay (L2 penalty; decoupled for adamw)"
    )
    schedule: ScheduleName = Field(
        "constant", description="how the learning rate or the batch size changes"
    )
    max_lr: Positive | None = Field(
        None,
        description="highest learning rate of a cyclical or one-cycle schedule, or of a range test",
    )
    step_size_up: Count | None = Field(None, ge=1, description="iterations of half a cycle")
    gamma: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        None,
        description="decay: a milestone's factor for step, the factor an iteration for exp_range",
    )
    milestones: Listed[Annotated[Count, Field(ge=1)]] | None = Field(
        None, min_length=1, description="finished epochs after which step decays, comma separated"
    )
    growth_step: Count | None = Field(
        None,
        ge=1,
        description="iterations after which growing-batch doubles the batch; "
        "one epoch when not given",
    )
    max_batch_size: Count | None = Field(
        None, ge=1, description="where growing-batch stops; 16384 when not given"
    )
    candidates: Count | None = Field(
        None,
        ge=2,
        description="learning rates of a range test, in stairs; "
        "another one each iteration when not given",
    )

    epochs: Count = Field(
        10, ge=1, le=100_000, description="epochs, each a pass over the training set"
    )
    passes: Count = Field(
        1, ge=1, description="passes over the training set in an epoch: more, for a small set"
    )
    batch_size: Count = Field(
        128, ge=1, description="examples a step; growing-batch starts from it"
    )
    micro_batch: Count | None = Field(
        None,
        ge=1,
        description="examples in memory at once: gradients accumulate over a batch; "
        "all when not given",
    )
    precision: PrecisionName = Field(
        "fp32",
        description="fp32, or bf16 autocast: faster for wide networks where the processor "
        "multiplies faster in it (amx_bf16, or AMD's avx512_bf16), else no faster",
    )
    seed: Count = Field(
        0, ge=0, lt=2**31, description="seed of the initial weights and of every random choice"
    )
    loss_every: Count | None = Field(
        None,
        ge=1,
        description="iterations whose mean training loss and accuracy are kept; "
        "the training is the same",
    )
    probes: Listed[ProbeName] | None = Field(
        None,
        min_length=1,
        description="what the run measures of itself, comma separated; the training is the same",
    )

    def __init__(self, **fields: Any) -> None:  # Any: a value may come as text, from a command line
        super().__init__(**fields)

    @model_validator(mode="before")
    @classmethod
    def _fill_digest(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or fields.get("dataset_digest"):
            return fields
        dataset = fields.get("dataset", cls.model_fields["dataset"].default)
        digest = DIGESTS.get(dataset, "") if isinstance(dataset, str) else ""
        return {**fields, "dataset_digest": digest}

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        self._check_schedule()
        self._check_sizes()
        self._check_batches()
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(
                f"momentum: expected 0 with optimizer {self.optimizer}, got {self.momentum}"
            )
        return self

    def _check_schedule(self) -> None:
        needed, optional = SCHEDULE_FIELDS[self.schedule]
        for name in SCHEDULE_ONLY:
            value = getattr(self, name)
            if value is None and name in needed:
                raise ValueError(
                    f"{name}: expected a value with schedule {self.schedule}, got none"
                )
            if value is not None and name not in needed + optional:
                raise ValueError(
                    f"{name}: expected nothing with schedule {self.schedule}, got {value}"
                )
        if self.max_lr is not None and self.max_lr <= self.lr:
            raise ValueError(f"max_lr: expected more than lr ({self.lr}), got {self.max_lr}")

    def _check_sizes(self) -> None:
        examples, classes = DATASETS[self.dataset].train_size, len(DATASETS[self.dataset].classes)
        if self.train_size is not None and not classes <= self.train_size <= examples:
            raise ValueError(
                f"train_size: expected {classes} to {examples} for {self.dataset}, "
                f"got {self.train_size}"
            )
        most = (self.train_size or examples) - classes
        if self.validation_size and not classes <= self.validation_size <= most:
            raise ValueError(
                f"validation_size: expected 0 or {classes} to {most}, got {self.validation_size}"
            )

        used = (self.train_size or examples) - self.validation_size
        if self.passes * used > MOST_EXAMPLES:
            raise ValueError(
                f"passes: expected at most {MOST_EXAMPLES // used:,} (an epoch has up to "
                f"{MOST_EXAMPLES:,} examples), got {self.passes:,} of {used:,} examples"
            )

    def _check_batches(self) -> None:
        if self.max_batch_size is not None and self.max_batch_size < self.batch_size:
            raise ValueError(
                f"max_batch_size: expected at least {self.batch_size}, got {self.max_batch_size}"
            )
        for name in ("batch_size", "micro_batch"):
            if self.norm not in ONE_BY_ONE and getattr(self, name) == 1:
                needed = f"expected at least 2 with norm {self.norm} (one example has no variance)"
                raise ValueError(f"{name}: {needed}, got 1")

    def canonical_json(self) -> str:
        """Return what the key hashes: the fields that differ from their defaults, as sorted JSON.

        Those of `ALWAYS_IN_KEY` are there in any case.

        >>> "epochs" in RunSpec(epochs=10).canonical_json()
        False
        """
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        hashed = {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if name in ALWAYS_IN_KEY or getattr(self, name) != defaults[name]
        }
        return json.dumps(hashed, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def key(self) -> str:
        """The run's name: the first 20 hexadecimal digits of the canonical JSON's sha256."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()[:KEY_DIGITS]

    def with_(self, **changes: Any) -> RunSpec:
        """Return this spec with some fields changed, validated again.

        Another data set brings its own digest.

        >>> RunSpec(seed=1).with_(norm="batch").seed
        1
        """
        kept = {
            name: getattr(self, name) for name in self.model_fields_set if name != "dataset_digest"
        }
        if "dataset" not in changes:
            kept["dataset_digest"] = self.dataset_digest
        return RunSpec(**{**kept, **changes})


def grid(base: RunSpec, **axes: Iterable[Any]) -> list[RunSpec]:
    """Return every combination of the axes' values on top of `base`; the last axis varies fastest.

    >>> [spec.lr for spec in grid(RunSpec(), lr=(0.1, 1.0), seed=range(2))]
    [0.1, 0.1, 1.0, 1.0]

    Raises:
        SpecError: A combination cannot be, or there are more than `MOST_RUNS`.
    """
    return [base.with_(**combination) for combination in combinations(axes)]


def combinations(axes: Mapping[str, Iterable[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the axes' values; the last axis varies fastest.

    Raises:
        SpecError: There are more than `MOST_RUNS`.
    """
    values = [axis if isinstance(axis, Sequence) else tuple(axis) for axis in axes.values()]
    count = math.prod(map(len, values))
    if count > MOST_RUNS:
        sizes = " × ".join(f"{len(one):,} {name}" for name, one in zip(axes, values, strict=True))
        raise SpecError(f"expected at most {MOST_RUNS:,} runs, got {sizes} = {count:,}")
    return (dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*values))
