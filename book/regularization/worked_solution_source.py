"""What the author of the lab's worked solution printed, and at which settings.

The source is a notebook in Keras that trains four models. Its numbers are kept here, apart from all
others, to be shown beside ours and marked as the source's: nothing of ours is computed from them
but differences.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from book.report.intervals import NBSP
from book.report.methods import BATCH_NORM, BATCH_NORM_INPUT, BOTH, DROPOUT
from models.specs import RunSpec


@dataclass(frozen=True)
class Printed:
    """One of the source's models: parameters as a Keras summary counts them, and how it ended.

    Accuracy and loss (nats) are those on the test set at epoch 20.
    """

    number: int
    parameters: int
    trainable: int
    accuracy: float
    loss: float


SOURCE: Mapping[str, Printed] = {  # source
    BATCH_NORM: Printed(1, 546_538, 546_042, 0.9919, 0.0268),
    BATCH_NORM_INPUT: Printed(2, 546_542, 546_044, 0.9920, 0.0266),
    DROPOUT: Printed(3, 545_546, 545_546, 0.9641, 0.1151),
    BOTH: Printed(4, 546_542, 546_044, 0.9853, 0.0462),
}
BOTH_IN_ITS_TEXT = 0.9850  # source: the accuracy of model 4, where its table has 0.9853
BOTH_LATER = (50, 0.9883, 0.0367)  # source: epoch, test accuracy and test loss of model 4
FIRST_LOSS = 0.147  # source: the training loss of the first epoch that it printed of model 4
SOURCE_EPOCHS = 20
SETTINGS: Mapping[str, object] = {  # source
    "dataset": "mnist",
    "train_size": None,
    "epochs": SOURCE_EPOCHS,
    "batch_size": 128,
    "lr": 0.01,
    "dropout": 0.5,
    "input_dropout": 0.2,
}
# source: learned scales by layer, in its digits; of pool2's 16 the least and the greatest
GAMMA: Mapping[str, str] = {
    "input": "1.174",
    "conv1": "1.0000…",
    "pool1": f"up to{NBSP}1.10",
    "conv2": "1.0000…",
    "pool2": f"0.9987{NBSP}…{NBSP}1.0471",
    "conv3": f"0.996{NBSP}…{NBSP}1.02",
    "fc1": f"1.015{NBSP}…{NBSP}1.075",
}
INPUT_BETA = 0.225  # source: the learned shift of the input


def departures(spec: RunSpec) -> dict[str, tuple[object, object]]:
    """Return the settings of a run of model 4 that are not the source's: its own and the source's.

    >>> departures(RunSpec(dataset="mnist", epochs=20, lr=0.01, dropout=0.4, input_dropout=0.2))
    {'dropout': (0.4, 0.5)}
    """
    return {
        name: (getattr(spec, name), value)
        for name, value in SETTINGS.items()
        if getattr(spec, name) != value
    }


def settings_words(spec: RunSpec) -> str:
    """Return whether a run of model 4 has the source's settings, as the rest of a sentence."""
    changes = departures(spec)
    if not changes:
        return "are the source's"
    words = "; ".join(
        f"{name} is {_setting(ours)} where it has {_setting(its)}"
        for name, (ours, its) in changes.items()
    )
    return f"are not the source's, whose results stand beside ours for orientation only ({words})"


def _setting(value: object) -> str:
    return "all" if value is None else f"{value}"
