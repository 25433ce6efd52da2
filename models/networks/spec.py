"""What a network depends on, written down and checked: the fields that a run's spec begins with.

No torch here, so that a spec stays light. The vocabularies are tested against what is built:
`ARCHITECTURES`, `DATASETS`, and in `models.networks.layers` `ACTIVATIONS`, `NORMS`,
`InputNorm.KINDS` and the numbers of the noise.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.data.datasets import DATASETS
from models.fields import Count, Listed, Number, Positive, Rate, Spec
from models.networks.architectures import (
    ARCHITECTURES,
    Block,
    Conv,
    Dense,
    Downsample,
    Inception,
    Pair,
    Stage,
    layers_to_drop,
    layers_to_normalize,
    parse_order,
)

NetworkName = Literal[
    "lenet5",
    "lenet-stride1",
    "lenet5-norm",
    "cifar-note",
    "minigooglenet",
    "minigooglenet-unpadded",
    "plain8",
    "plain14",
    "plain20",
    "resnet8",
    "resnet14",
    "resnet20",
]
DatasetName = Literal["mnist5k", "mnist", "fashion-mnist", "cifar10"]
ActivationName = Literal["tanh", "sigmoid", "relu"]
NormName = Literal[
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
InputNormName = Literal["none", "standard", "batch"]

ONE_BY_ONE: tuple[NormName, ...] = ("none", "layer", "group", "instance")  # look at one example
WITHOUT_MOMENTUM: tuple[NormName, ...] = (
    *ONE_BY_ONE,
    "batch-no-tracking",
    "batch-frozen-statistics",
)
MOST_WHITENED = 512  # channels together: the work grows with their cube
NOISE_MEAN, NOISE_SCALE, NOISE_WIDTH = 0.5, 1.25, 0.1  # of noisy batch norm: see `add_noise`


class NetworkSpec(Spec):
    """One network, complete but for its weights.

    >>> NetworkSpec(norm="batch", norm_layers=["fc2", "conv1"]).norm_layers
    ('conv1', 'fc2')
    """

    network: NetworkName = Field("lenet5", description="the architecture")
    dataset: DatasetName = Field("mnist5k", description="the data set; mnist5k needs no download")
    width: Count = Field(1, ge=1, le=64, description="multiplies the hidden layers' widths")
    activation: ActivationName | None = Field(
        None, description="activation function; the network's own when not given"
    )
    norm: NormName = Field("none", description="normalization of the hidden layers")
    norm_layers: Listed[str] | None = Field(
        None,
        min_length=1,
        description="hidden layers that are normalized, comma separated; every one when not given",
    )
    norm_momentum: Annotated[Number, Field(ge=0, le=1)] | None = Field(
        None,
        description="share of the new batch in a step of the hidden norms' moving statistics; "
        "0.1 when not given",
    )
    order: str | None = Field(
        None, description="permutation of norm-activation-dropout; the network's own by default"
    )
    input_norm: InputNormName = Field("standard", description="normalization of the input")
    dropout: Rate = Field(0.0, description="dropout rate of the hidden layers")
    dropout_layers: Listed[str] | None = Field(
        None,
        min_length=1,
        description="hidden layers that dropout follows, comma separated; every one when not given",
    )
    input_dropout: Rate = Field(0.0, description="dropout rate of the input")
    bias_before_norm: bool = Field(
        True, description="whether a layer that a norm follows keeps its bias"
    )
    initial_scale: Positive = Field(
        1.0, description="multiplies the hidden layers' initial weights"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_norm()
        layers_to_normalize(self.network, self.norm_layers)
        layers_to_drop(self.network, self.dropout_layers)
        if self.dropout_layers is not None and not self.dropout:
            raise ValueError(
                f"dropout_layers: expected nothing with dropout 0, "
                f"got {','.join(self.dropout_layers)}"
            )
        if self.order is not None:
            parse_order(self.order)
        if self.norm == "whitening":
            self._check_whitened()
        return self

    def _check_norm(self) -> None:
        """Refuse what a norm cannot have; without one, nothing of a norm may be chosen."""
        if self.norm == "none" and self.norm_layers is not None:
            raise ValueError(
                f"norm_layers: expected nothing with norm none, got {','.join(self.norm_layers)}"
            )
        if self.norm == "none" and not self.bias_before_norm:
            raise ValueError("bias_before_norm: expected true with norm none, got false")
        if self.norm in WITHOUT_MOMENTUM and self.norm_momentum is not None:
            raise ValueError(
                f"norm_momentum: expected nothing with norm {self.norm}, got {self.norm_momentum}"
            )

    def _check_whitened(self) -> None:
        """Refuse a layer too wide to whiten."""
        channels = normalized_channels(self)
        for layer in layers_to_normalize(self.network, self.norm_layers):
            if channels[layer] > MOST_WHITENED:
                raise ValueError(
                    f"norm: expected at most {MOST_WHITENED} channels to whiten together, "
                    f"got {channels[layer]} in {layer} (norm_layers chooses others)"
                )


def normalized_channels(spec: NetworkSpec) -> dict[str, int]:
    """Return how many channels a norm in each of a network's layers has, at most.

    >>> normalized_channels(NetworkSpec(network="lenet5", width=2))
    {'conv1': 12, 'conv2': 32, 'fc1': 240, 'fc2': 168}
    """
    architecture, found = ARCHITECTURES[spec.network], {}
    order = parse_order(spec.order) if spec.order else architecture.order
    flat_first = order.index("activation") < order.index("norm")  # it brings pool and flattening
    side, channels = architecture.side or DATASETS[spec.dataset].side, 0
    for block in architecture.blocks:
        channels = _channels(block) * spec.width or channels
        if isinstance(block, Stage):
            side = _side(block, side)
        flat = isinstance(block, Stage) and block.flatten and flat_first
        if "norm" in block.steps:
            found[block.name] = channels * side**2 if flat else channels
    return found


def _channels(block: Block) -> int:
    """Return the channels of a block's widest layer; 0 of one that has none."""
    match block:
        case Inception():
            return max(block.one, block.three)
        case Downsample() | Pair():
            return block.channels
    match block.layer:
        case Conv():
            return block.layer.channels
        case Dense():
            return block.layer.features
    return 0


def _side(stage: Stage, side: int) -> int:
    """Return the side of the images that come out of a stage, in pixels."""
    if isinstance(conv := stage.layer, Conv):
        side = (side + 2 * conv.padding - conv.kernel) // conv.stride + 1
    if stage.pool:
        side = (side - stage.pool.kernel) // stage.pool.stride + 1
    return side
