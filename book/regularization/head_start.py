"""Where the source's model 4 really started, and what a head start is worth: told by one longer run
of ours.
"""

from collections.abc import Iterator

from matplotlib.figure import Figure

from book.regularization.worked_solution import (
    BOTH_LATER,
    FIRST_LOSS,
    SOURCE,
    SOURCE_EPOCHS,
    departures,
)
from book.report.figures import BLACK
from book.report.intervals import Interval, accuracy_limit
from models.data.datasets import DATASETS
from models.records import Record


def first_epoch_below(record: Record, loss: float) -> int | None:
    """The first epoch whose running training loss was at most `loss`; None if there is none."""
    return next(
        (e.epoch for e in record.history if e.train_loss is not None and e.train_loss <= loss), None
    )


def rows(record: Record) -> Iterator[list[object]]:
    """The source's model 4 and one run of ours: epochs, counted from what, test accuracy (per cent)
    and loss (nats).

    The source's count begins somewhere after nothing: at the epoch, it seems, whose training loss
    is `FIRST_LOSS`.
    """
    first = first_epoch_below(record, FIRST_LOSS)
    later, accuracy, loss = BOTH_LATER
    known = {SOURCE_EPOCHS: (SOURCE["both"].accuracy, SOURCE["both"].loss), later: (accuracy, loss)}
    for epochs, (its_accuracy, its_loss) in known.items():
        loss_words = f"a training loss of {FIRST_LOSS}"
        yield ["source", epochs, loss_words, f"{100 * its_accuracy:.2f}", f"{its_loss:.4f}"]
        yield ["ours", epochs, "nothing", *_after(record, epochs)]
        yield [
            "ours",
            epochs,
            loss_words,
            *_after(record, None if first is None else first - 1 + epochs),
        ]


def _after(record: Record, epoch: int | None) -> list[str | None]:
    """Test accuracy (per cent) and loss after an epoch; None where the run was shorter, or had lost
    its way.
    """
    if epoch is None or epoch > len(record.history):
        return [None, None]
    ended = record.history[epoch - 1]
    return [
        None if ended.test_accuracy is None else f"{100 * ended.test_accuracy:.2f}",
        None if ended.test_loss is None else f"{ended.test_loss:.4f}",
    ]


def words(record: Record) -> str:
    """When one run of ours first had the source's first printed training loss, as the rest of a
    sentence.
    """
    first = first_epoch_below(record, FIRST_LOSS)
    return (
        f"in epoch {first}" if first is not None else f"in none of its {len(record.history)} epochs"
    )


def worth(record: Record) -> str:
    """What as many epochs more as the source seems to have had are worth in one run of ours, as a
    sentence's end.
    """
    first = first_epoch_below(record, FIRST_LOSS)
    end = len(record.history) + 1 if first is None else first - 1 + SOURCE_EPOCHS
    if end > len(record.history):
        return "our run is too short to say what the head start is worth"
    early, late = (record.history[epoch - 1].test_accuracy or 0.0 for epoch in (SOURCE_EPOCHS, end))
    limit = accuracy_limit((early + late) / 2, DATASETS[record.spec.dataset].test_size)
    noise = ", no more than a repetition may differ by" if abs(late - early) <= limit else ""
    gain = Interval(late - early, None, 1).text(2, 100, sign=True)
    return f"the head start changes the accuracy by {gain} points{noise}"


def mark(figure: Figure, record: Record) -> None:
    """Draw the source's model 4 into two panels, training loss and test accuracy (per cent) of a
    run of ours.

    A dotted line for its first loss; its accuracies as open circles at the epochs it prints, and as
    crosses counted from the epoch where ours has that loss. Nothing where the run has other
    settings than the source's.
    """
    if departures(record.spec.with_(epochs=SOURCE_EPOCHS)):
        return
    losses, accuracies = figure.axes
    losses.axhline(FIRST_LOSS, color=BLACK, lw=0.8, ls=":")
    first = first_epoch_below(record, FIRST_LOSS)
    for epoch, accuracy in ((SOURCE_EPOCHS, SOURCE["both"].accuracy), BOTH_LATER[:2]):
        accuracies.plot(epoch, 100 * accuracy, "o", mfc="none", mec=BLACK)
        if first is not None and first - 1 + epoch <= len(record.history):
            accuracies.plot(first - 1 + epoch, 100 * accuracy, "x", color=BLACK)
