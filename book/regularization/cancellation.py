"""A batch norm that another one cancels, and what the ε of a batch norm changes.

Between the two stands nothing but an average pooling, which is linear and keeps channels apart:
what the first scales and shifts, the second takes out again, but for ε.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from book.report.experiments import learned
from models.records import Record

#: The batch norms of the network `lenet-stride1` that are cancelled, and by which one each is.
CANCELLED: Mapping[str, str] = {"conv1": "pool1", "conv2": "pool2"}

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

# The defaults of the two: what is added to a batch norm's variance, and what a step leaves of a
# moving average (torch writes 1 − 0.9).
KERAS_EPSILON, TORCH_EPSILON = 1e-3, 1e-5
KERAS_MOMENTUM, TORCH_MOMENTUM = 0.99, 0.9


def cancelled_rows(records: Sequence[Record]) -> Iterator[list[str]]:
    """Return a row a batch norm that the next one cancels: how far its γ and β got.

    Of all channels of all seeds: its name and the next one's; how many γ are 1 to the last bit; the
    largest |γ − 1|, and what torch's and Keras' ε let us expect of it (`gamma_drift`); the largest
    |β|.
    """
    gammas, betas = learned(records, "gamma"), learned(records, "beta")
    for layer, following in CANCELLED.items():
        expected = (
            max(gamma_drift(record, following, epsilon) for record in records)
            for epsilon in (TORCH_EPSILON, KERAS_EPSILON)
        )
        largest = (_farthest(gammas[layer], 1.0), *expected, _farthest(betas[layer], 0.0))
        yield [f"{layer}, {following}", _still_one(gammas[layer]), *map(scientific, largest)]


def stuck_words(records: Sequence[Record]) -> str:
    """Return how many cancelled γ are still 1 to the last bit, as the rest of a sentence."""
    gammas = learned(records, "gamma")
    values = [value for layer in CANCELLED for value in gammas[layer]]
    return f"{_still_one(values)} cancelled γ are still 1 to the last bit"


def _still_one(values: Sequence[float]) -> str:
    return f"{sum(value == 1.0 for value in values)} of {len(values)}"


def gamma_drift(record: Record, following: str, epsilon: float) -> float:
    """Return the largest |γ − 1| that small exact steps give a cancelled batch norm.

    Its γ has the gradient of the following one's γ′, times γ′ ε/(σ² + ε): together they keep to γ −
    1 = ε/(σ² + ε) · (γ′² − 1)/2, channel by channel, with σ² the variance that the following one
    finds.
    """
    layer = record.parameters[following]
    gamma, variance = (np.array(layer[name], dtype=float) for name in ("gamma", "running_var"))
    return float(np.max(np.abs(epsilon / (variance + epsilon) * (gamma**2 - 1) / 2)))


def _farthest(values: Sequence[float], origin: float) -> float:
    return float(np.max(np.abs(np.subtract(values, origin))))


def scientific(value: float) -> str:
    """Return a small number in two digits.

    >>> scientific(0.00000123), scientific(0.0)
    ('1.2·10⁻⁶', '0')
    """
    if value == 0:
        return "0"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits}·10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def epsilon_rows(records: Sequence[Record]) -> Iterator[list[str]]:
    """Return a row a batch norm: its channels' smallest variance, and what either ε takes there.

    The first ε is torch's, the second Keras'. What a batch norm gives has a standard deviation of
    σ/√(σ² + ε) instead of 1; the loss is in per cent.
    """
    for layer, variances in learned(records, "running_var").items():
        least = min(variances)
        lost = (
            1 - (least / (least + epsilon)) ** 0.5 for epsilon in (TORCH_EPSILON, KERAS_EPSILON)
        )
        yield [layer, f"{least:.3f}", *(f"{100 * one:.1g}" for one in lost)]
