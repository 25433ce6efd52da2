"""What the forum thread behind the exercises reports (source), beside ours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from book.report.experiments import or_nan
from book.report.intervals import Interval, mean_interval
from models.records import Record

# source: the textbook's own printed result for LeNet with batch norm on Fashion-MNIST
PRINTED: Mapping[str, float] = {
    "train_loss": 0.246,
    "train_accuracy": 0.909,
    "test_accuracy": 0.878,
    "examples_per_second": 3313.6,
}

MINUTES = 5  # source: the textbook's training takes less

# source: accuracies that the thread's answers report without saying which
QUOTED: Mapping[str, float] = {
    "batch norm, rate 1.0": 0.962,
    "no batch norm, rate 0.1": 0.931,
    "batch norm in fewer layers": 0.946,
}

#: What each printed number is called, as a factor of, with so many digits.
ROWS: Sequence[tuple[str, str, float, int]] = (
    ("train_loss", "training loss, nats", 1, 3),
    ("train_accuracy", "training accuracy, %", 100, 1),
    ("test_accuracy", "test accuracy, %", 100, 1),
    ("examples_per_second", "training images a second", 1, 1),
)


def printed_rows(records: Sequence[Record]) -> list[list[str]]:
    """Return a row a number: the textbook's (source), and ours as mean over seeds.

    Loss and accuracy of the training set are the running ones of the last epoch, as the textbook
    prints them.
    """
    return [
        [called, f"{PRINTED[name] * scale:.{digits}f}", _ours(records, name).text(digits, scale)]
        for name, called, scale, digits in ROWS
    ]


def minutes(records: Sequence[Record]) -> Interval:
    """Return how long a training took, without judging."""
    return mean_interval([record.provenance.seconds / 60 for record in records])


def _ours(records: Sequence[Record], name: str) -> Interval:
    ends = [
        record.provenance if name == "examples_per_second" else record.final for record in records
    ]
    return mean_interval([or_nan(getattr(end, name)) for end in ends])


@dataclass(frozen=True)
class Highest:
    """The highest accuracies that any run reached after any of its epochs.

    `train` is a running one, on training images.
    """

    train: float
    test: float

    def reading(self, accuracy: float) -> str:
        """Return which accuracy a number can be, if these runs are like the thread's.

        >>> Highest(train=0.97, test=0.91).reading(0.95)
        'a training accuracy: beyond every test accuracy here'
        """
        if accuracy <= self.test:
            return "either: runs here reach it on the test set, too"
        if accuracy <= self.train:
            return "a training accuracy: beyond every test accuracy here"
        return "beyond every accuracy here, so it can hardly be one of the test set"


def highest(records: Iterable[Record]) -> Highest:
    """Return the highest accuracies of some runs.

    Raises:
        ValueError: there are no runs.
    """
    epochs = [epoch for record in records for epoch in record.history]
    if not epochs:
        raise ValueError("the highest accuracy needs at least one run; got none")
    return Highest(
        max(one.train_accuracy for one in epochs), max(one.test_accuracy or 0.0 for one in epochs)
    )
