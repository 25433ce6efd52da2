"""What a training is, written down: a validated, immutable `RunSpec`, its canonical JSON and its
key.

The key names the run for ever, so one rule holds here: **never change a default**. A key hashes
only the fields that differ from their defaults, and a later field, whose default means "as before",
leaves every old key alone.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from models.data.datasets import DATASETS, DIGESTS
from models.networks.architectures import layer_names

KEY_DIGITS = 20
ALWAYS_IN_KEY = ("network", "dataset", "dataset_digest", "seed")
ORDER_PARTS = ("norm", "activation", "dropout")
ONE_BY_ONE = ("none", "layer", "group", "instance")  # norms that look at one example at a time
WITHOUT_MOMENTUM = (*ONE_BY_ONE, "batch-no-tracking", "batch-frozen-statistics")

Network = Literal[
    "lenet5",
    "lenet-stride1",
    "lenet5-norm",
    "cifar-note",
    "minigooglenet",
    "minigooglenet-unpadded",
]
Dataset = Literal["mnist5k", "mnist", "fashion-mnist", "cifar10"]
Activation = Literal["tanh", "sigmoid", "relu"]
Norm = Literal[
    "none",
    "batch",
    "layer",
    "group",
    "instance",
    "batch-unlearned",
    "batch-no-tracking",
    "batch-frozen-statistics",
    "formula-batch",
    "pit",
    "whitening",
    "noisy-batch",
]
InputNorm = Literal["none", "standard", "batch"]
Augmentation = Literal["none", "shift", "shift-flip"]
Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal[
    "constant",
    "step",
    "triangular",
    "triangular2",
    "exp_range",
    "one-cycle",
    "growing-batch",
    "range-test",
    "shrinking-rate",
]
Precision = Literal["fp32", "bf16"]
Probe = Literal["inputs", "gradients", "units", "variances"]

# The fields that only some schedules have: (needed, optional). Elsewhere they must stay None.
SCHEDULE_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "constant": ((), ()),
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


class SpecError(ValueError):
    """A run that cannot be: the message is one line for the user."""


def _split(value: object) -> object:
    """A comma-separated string, as a command line gives it, becomes a list."""
    return (
        [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str)
        else value
    )


def _no_bool(value: object) -> object:
    """`True` is not the number 1: a parameter given in the wrong place should not pass."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {value}")
    return value


Number = Annotated[float, BeforeValidator(_no_bool)]
Count = Annotated[int, BeforeValidator(_no_bool)]
Positive = Annotated[Number, Field(gt=0)]
Rate = Annotated[Number, Field(ge=0, lt=1)]


class RunSpec(BaseModel):
    """One training, complete: two equal specs are the same run.

    Raises:
        SpecError: a field is unknown or impossible; the message names it, what was expected and
            what came.

    >>> RunSpec(lr=1) == RunSpec(lr=1.0, epochs=10)
    True
    >>> RunSpec(epochs=0)
    Traceback (most recent call last):
    models.specs.SpecError: epochs: expected at least 1, got 0
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    network: Network = Field("lenet5", description="the architecture")
    dataset: Dataset = Field("mnist5k", description="the data set; mnist5k needs no download")
    dataset_digest: str = Field(
        "", description="sha256 of the data set's content; filled in from the data set's name"
    )
    train_size: Count | None = Field(
        None, ge=1, description="training examples, stratified; all when not given"
    )
    validation_size: Count = Field(
        0, ge=0, description="examples held out of the training set; judged instead of test"
    )

    width: Count = Field(1, ge=1, le=64, description="multiplies the hidden layers' widths")
    activation: Activation | None = Field(
        None, description="activation function; the network's own when not given"
    )
    norm: Norm = Field("none", description="normalization of the hidden layers")
    norm_layers: Annotated[tuple[str, ...], BeforeValidator(_split)] | None = Field(
        None,
        min_length=1,
        description="hidden layers that are normalized, comma separated; every one when not given",
    )
    norm_momentum: Annotated[Number, Field(ge=0, le=1)] | None = Field(
        None,
        description="share of the new batch in a step of the hidden norms' moving statistics; 0.1 when not given",
    )
    order: str | None = Field(
        None, description="permutation of norm-activation-dropout; the network's own by default"
    )
    input_norm: InputNorm = Field("standard", description="normalization of the input")
    dropout: Rate = Field(0.0, description="dropout rate of the hidden layers")
    input_dropout: Rate = Field(0.0, description="dropout rate of the input")
    bias_before_norm: bool = Field(
        True, description="whether a layer that a norm follows keeps its bias"
    )
    initial_scale: Positive = Field(
        1.0, description="multiplies the hidden layers' initial weights"
    )
    augmentation: Augmentation = Field("none", description="random change of the training images")

    optimizer: Optimizer = Field("sgd", description="the optimizer")
    lr: Positive = Field(0.1, description="learning rate; the lowest one of a cyclical schedule")
    momentum: Rate = Field(0.0, description="momentum, of sgd only")
    weight_decay: Number = Field(
        0.0, ge=0, description="weight decay (L2 penalty; decoupled for adamw)"
    )
    schedule: Schedule = Field(
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
    milestones: (
        Annotated[tuple[Annotated[Count, Field(ge=1)], ...], BeforeValidator(_split)] | None
    ) = Field(
        None, min_length=1, description="finished epochs after which step decays, comma separated"
    )
    growth_step: Count | None = Field(
        None,
        ge=1,
        description="iterations after which growing-batch doubles the batch; one epoch when not given",
    )
    max_batch_size: Count | None = Field(
        None, ge=1, description="where growing-batch stops; 16384 when not given"
    )
    candidates: Count | None = Field(
        None,
        ge=2,
        description="learning rates of a range test, in stairs; another one each iteration when not given",
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
        description="examples in memory at once: gradients accumulate over a batch; all when not given",
    )
    precision: Precision = Field("fp32", description="fp32, or bf16 autocast")
    seed: Count = Field(
        0, ge=0, lt=2**31, description="seed of the initial weights and of every random choice"
    )
    loss_every: Count | None = Field(
        None,
        ge=1,
        description="iterations whose mean training loss and accuracy are kept; the training is the same",
    )
    probes: Annotated[tuple[Probe, ...], BeforeValidator(_split)] | None = Field(
        None,
        min_length=1,
        description="what the run measures of itself, comma separated; the training is the same",
    )

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise SpecError(explain(error)) from None

    @model_validator(mode="before")
    @classmethod
    def _fill_digest(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and not fields.get("dataset_digest"):
            dataset = fields.get("dataset", cls.model_fields["dataset"].default)
            digest = DIGESTS.get(dataset, "") if isinstance(dataset, str) else ""
            return {**fields, "dataset_digest": digest}
        return fields

    @field_validator("norm_layers", "milestones", "probes")
    @classmethod
    def _canonical(cls, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        return values if values is None else tuple(sorted(set(values)))

    @field_validator("order")
    @classmethod
    def _permutation(cls, order: str | None) -> str | None:
        if order is not None and sorted(order.split("-")) != sorted(ORDER_PARTS):
            raise ValueError(f"expected a permutation of {'-'.join(ORDER_PARTS)}, got {order!r}")
        return order

    @model_validator(mode="after")
    def _consistent(self) -> RunSpec:
        self._check_schedule()
        self._check_normalization()
        self._check_sizes()
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
        if self.max_batch_size is not None and self.max_batch_size < self.batch_size:
            raise ValueError(
                f"max_batch_size: expected at least {self.batch_size}, got {self.max_batch_size}"
            )

    def _check_sizes(self) -> None:
        examples, classes = DATASETS[self.dataset].train_size, len(DATASETS[self.dataset].classes)
        if self.train_size is not None and not classes <= self.train_size <= examples:
            raise ValueError(
                f"train_size: expected {classes} to {examples} for {self.dataset}, got {self.train_size}"
            )
        most = (self.train_size or examples) - classes
        if self.validation_size and not classes <= self.validation_size <= most:
            raise ValueError(
                f"validation_size: expected 0 or {classes} to {most}, got {self.validation_size}"
            )

    def _check_normalization(self) -> None:
        if self.norm == "none" and self.norm_layers is not None:
            raise ValueError(
                f"norm_layers: expected nothing with norm none, got {','.join(self.norm_layers)}"
            )
        unknown = sorted(set(self.norm_layers or ()) - set(layer_names(self.network)))
        if unknown:
            known = ", ".join(layer_names(self.network))
            raise ValueError(
                f"norm_layers: expected some of {self.network}'s {known}, got {', '.join(unknown)}"
            )
        if self.norm == "none" and not self.bias_before_norm:
            raise ValueError("bias_before_norm: expected true with norm none, got false")
        if self.norm in WITHOUT_MOMENTUM and self.norm_momentum is not None:
            raise ValueError(
                f"norm_momentum: expected nothing with norm {self.norm}, got {self.norm_momentum}"
            )
        for name in ("batch_size", "micro_batch"):
            if self.norm not in ONE_BY_ONE and getattr(self, name) == 1:
                needed = f"expected at least 2 with norm {self.norm} (one example has no variance)"
                raise ValueError(f"{name}: {needed}, got 1")

    def canonical_json(self) -> str:
        """What the key hashes: sorted JSON of the fields that differ from their defaults and of
        `ALWAYS_IN_KEY`.

        >>> "epochs" in RunSpec(epochs=10).canonical_json()
        False
        """
        fields = self.model_dump(mode="json")
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        told = {
            n: value
            for n, value in fields.items()
            if n in ALWAYS_IN_KEY or getattr(self, n) != defaults[n]
        }
        return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def key(self) -> str:
        """The run's name: the first 20 hexadecimal digits of the canonical JSON's sha256."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()[:KEY_DIGITS]

    def with_(self, **changes: Any) -> RunSpec:
        """This spec with some fields changed, validated again; another data set brings its own
        digest.

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
    """Every combination of the axes' values on top of `base`; the last axis varies fastest.

    >>> [spec.lr for spec in grid(RunSpec(), lr=(0.1, 1.0), seed=range(2))]
    [0.1, 0.1, 1.0, 1.0]
    """
    values = itertools.product(*(tuple(axis) for axis in axes.values()))
    return [base.with_(**dict(zip(axes, combination, strict=True))) for combination in values]


def explain(error: ValidationError) -> str:
    """A validation error in one line: each field, what was expected and what came."""
    return "; ".join(_explain_one(dict(item)) for item in error.errors())


def _explain_one(item: dict[str, Any]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    field = str(item["loc"][0]) if item["loc"] else ""
    if kind == "value_error":
        return f"{field}: {context['error']}" if field else str(context["error"])
    if kind == "extra_forbidden":
        near = get_close_matches(field, RunSpec.model_fields, n=1)
        return f"{field}: unknown field" + (f"; did you mean {near[0]}?" if near else "")
    return f"{field}: expected {_expected(kind, context, field)}, got {_shown(item['input'])}"


def _expected(kind: str, context: dict[str, Any], field: str) -> str:
    if kind == "literal_error":
        return "one of " + ", ".join(_choices(field))
    for bound, words in (
        ("ge", "at least"),
        ("gt", "more than"),
        ("le", "at most"),
        ("lt", "less than"),
    ):
        if bound in context:
            limit = context[bound]
            return f"{words} {int(limit) if limit == int(limit) else limit}"
    names = {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "finite": "a finite number",
    }
    names |= {"string": "text", "tuple": "a list", "too": "at least one value"}
    return names.get(kind.split("_")[0], kind.replace("_", " "))


def _choices(field: str) -> list[str]:
    return [
        leaf for leaf in leaves(RunSpec.model_fields[field].annotation) if isinstance(leaf, str)
    ]


def leaves(annotation: Any) -> list[Any]:
    """The plain types and the literal values that a type is made of.

    >>> leaves(Literal["a", "b"] | None), leaves(tuple[int, ...])
    (['a', 'b', <class 'NoneType'>], [<class 'int'>, Ellipsis])
    """
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return leaves(arguments[0])
    return (
        [leaf for argument in arguments for leaf in leaves(argument)] if arguments else [annotation]
    )


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)
