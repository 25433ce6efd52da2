"""The learned γ and β and the moving statistics, layer by layer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from book.report.experiments import learned
from book.report.intervals import NBSP, Interval, mean_interval
from models.data.datasets import DATASETS
from models.records import Record


def learned_rows(records: Sequence[Record]) -> Iterator[list[object]]:
    """Return a row a layer: channels, then mean and range of γ and of β over channels and seeds."""
    gammas, betas = learned(records, "gamma"), learned(records, "beta")
    for layer, values in gammas.items():
        yield [layer, len(values) // len(records), *_summary(values), *_summary(betas[layer])]


def _summary(values: Sequence[float]) -> tuple[str, str]:
    texts = [
        f"{value:.3f}".replace("-", "−") for value in (np.mean(values), min(values), max(values))
    ]
    return texts[0], f"{texts[1]}{NBSP}…{NBSP}{texts[2]}"


def moving_rows(records: Sequence[Record]) -> Iterator[list[object]]:
    """Return a row a layer: mean and range of its moving mean and moving standard deviation.

    They are over all channels and seeds.
    """
    means, variances = learned(records, "running_mean"), learned(records, "running_var")
    for layer, values in means.items():
        yield [layer, *_summary(values), *_summary(np.sqrt(variances[layer]).tolist())]


@dataclass(frozen=True)
class InputLayer:
    """What a batch norm on the input learned, beside the training set's own statistics.

    All are means over channels and seeds. Means and standard deviations are those of pixels on the
    scale 0..1; the squared length is γ² + β².
    """

    gamma: Interval
    beta: Interval
    moving_mean: Interval
    moving_std: Interval
    set_mean: float
    set_std: float
    squared_length: Interval


def input_layer(records: Sequence[Record]) -> InputLayer:
    """Summarize the input's batch norm of runs that have one; an interval is over seeds."""

    def over_seeds(name: str, power: float = 1.0) -> Interval:
        layers: list[Mapping[str, Sequence[float]]] = [
            record.parameters["input"] for record in records
        ]
        return mean_interval([float(np.mean(np.power(layer[name], power))) for layer in layers])

    info = DATASETS[records[0].spec.dataset]
    return InputLayer(
        over_seeds("gamma"),
        over_seeds("beta"),
        over_seeds("running_mean"),
        over_seeds("running_var", 0.5),
        float(np.mean(info.mean)),
        float(np.mean(info.std)),
        mean_interval([_squared_length(record.parameters["input"]) for record in records]),
    )


def _squared_length(layer: Mapping[str, Sequence[float]]) -> float:
    """Return γ² + β², mean over channels: 1 at first; where a batch norm follows it only grows.

    Its gradient is then at a right angle to (γ, β), so each step adds its own squared length.
    """
    return float(np.mean(np.square(layer["gamma"]) + np.square(layer["beta"])))
