"""Where the source's model 4 really started, and what a head start is worth, by one run of ours."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from book.regularization.worked_solution_source import (
    BOTH_LATER,
    FIRST_LOSS,
    SOURCE,
    SOURCE_EPOCHS,
    departures,
)
from book.report.colours import BLACK
from book.report.experiments import epochs_until
from book.report.intervals import Interval, accuracy_limit
from book.report.methods import BOTH
from models.data.datasets import DATASETS
from models.records import Record


def first_epoch(record: Record) -> int | None:
    """Return the first epoch whose training loss is as low as the source's first, or None."""
    return epochs_until(record.curve("train_loss"), FIRST_LOSS, falling=True)


def rows(record: Record) -> Iterator[list[object]]:
    """Return test accuracy (per cent) and loss (nats) of the source's model 4 and one run of ours.

    Epochs are counted from nothing, and from where the source's count seems to begin: the epoch
    whose training loss is `FIRST_LOSS`.
    """
    first = first_epoch(record)
    later, accuracy, loss = BOTH_LATER
    known = {SOURCE_EPOCHS: (SOURCE[BOTH].accuracy, SOURCE[BOTH].loss), later: (accuracy, loss)}
    for epochs, (its_accuracy, its_loss) in known.items():
        start = f"a training loss of {FIRST_LOSS}"
        shifted = None if first is None else first - 1 + epochs
        yield ["source", epochs, start, f"{100 * its_accuracy:.2f}", f"{its_loss:.4f}"]
        yield ["ours", epochs, "nothing", *_after(record, epochs)]
        yield ["ours", epochs, start, *_after(record, shifted)]


def _after(record: Record, epoch: int | None) -> list[str | None]:
    """Return test accuracy (per cent) and loss after an epoch.

    They are None where the run was shorter, or had diverged.
    """
    if epoch is None or epoch > len(record.history):
        return [None, None]
    ended = record.history[epoch - 1]
    return [
        None if ended.test_accuracy is None else f"{100 * ended.test_accuracy:.2f}",
        None if ended.test_loss is None else f"{ended.test_loss:.4f}",
    ]


def words(record: Record) -> str:
    """Return when a run of ours first had the source's first loss, as the rest of a sentence."""
    first = first_epoch(record)
    if first is None:
        return f"in none of its {len(record.history)} epochs"
    return f"in epoch {first}"


def worth(record: Record) -> str:
    """Return what the source's head start is worth in one run of ours, as a sentence's end."""
    first = first_epoch(record)
    end = len(record.history) + 1 if first is None else first - 1 + SOURCE_EPOCHS
    if end > len(record.history):
        return "our run is too short to say what the head start is worth"
    early, late = (record.history[epoch - 1].test_accuracy or 0.0 for epoch in (SOURCE_EPOCHS, end))
    limit = accuracy_limit((early + late) / 2, DATASETS[record.spec.dataset].test_size)
    noise = ", no more than a repetition may differ by" if abs(late - early) <= limit else ""
    gain = Interval(late - early, None, 1).text(2, 100, sign=True)
    return f"the head start changes the accuracy by {gain} points{noise}"


def mark(figure: Figure, record: Record) -> None:
    """Draw the source's model 4 into a run's panels: training loss, test accuracy (per cent).

    A dotted line is its first loss; its accuracies are open circles at the epochs it prints, and
    crosses counted from the epoch where ours has that loss. Nothing is drawn where the run has
    other settings than the source's.
    """
    if departures(record.spec.with_(epochs=SOURCE_EPOCHS)):
        return
    losses, accuracies = figure.axes
    losses.axhline(FIRST_LOSS, color=BLACK, lw=0.8, ls=":")
    first = first_epoch(record)
    for epoch, accuracy in ((SOURCE_EPOCHS, SOURCE[BOTH].accuracy), BOTH_LATER[:2]):
        accuracies.plot(epoch, 100 * accuracy, "o", mfc="none", mec=BLACK)
        if first is not None and first - 1 + epoch <= len(record.history):
            accuracies.plot(first - 1 + epoch, 100 * accuracy, "x", color=BLACK)
