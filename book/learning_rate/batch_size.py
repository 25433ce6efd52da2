"""What growing the batch did beside lowering the rate: noise scales, updates, and their curves."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from book.learning_rate.iterations import updates
from book.report import figures
from book.report.experiments import Results, histories, training_images
from book.report.methods import GROWING_BATCH, SHRINKING_RATE, named
from models.records import Record
from models.specs import RunSpec


def noise_scales(record: Record) -> list[float]:
    """Return the noise scale ε N / (B (1 − m)) in each epoch, that of its last step.

    ε is the learning rate, N the training images, B the batch and m the momentum (Smith et al.
    2018, section 3, for B ≪ N).
    """
    per_image = record.diagnostics["train_examples"] / (1 - record.spec.momentum)
    return [epoch.lr * per_image / epoch.batch_size for epoch in record.history]


def rows(results: Results) -> list[list[object]]:
    """Return a row an epoch, as far as both runs got.

    The growing batch and its updates, the shrinking rate and its updates, both noise scales.
    """
    growing, shrinking = results[GROWING_BATCH][0], results[SHRINKING_RATE][0]
    noises = zip(noise_scales(growing), noise_scales(shrinking), strict=False)
    return [
        [
            *(one.epoch, one.batch_size, one.iterations),
            *(f"{other.lr:.2g}", other.iterations),
            *(f"{noise:.3g}" for noise in pair),
        ]
        for one, other, pair in zip(growing.history, shrinking.history, noises, strict=False)
    ]


def total(records: Sequence[Record]) -> int:
    """Return the updates of a whole run; the seeds that did not diverge all have as many."""
    return max(updates(record)[-1] for record in records)


def reach_text(spec: RunSpec, wanted: int) -> str:
    """Tell how far the batch really grows, as a sentence without its full stop."""
    largest, images = spec.max_batch_size or wanted, training_images(spec)
    reach = f"The batch grows up to {largest:,} images"
    if largest == wanted:
        return reach
    limit = f"the {images:,} training images" if images < wanted else f"{wanted:,}"
    return f"{reach} and the rate falls as often, for twice as many exceed {limit}"


def ghosts_text(spec: RunSpec) -> str:
    """Tell what the accumulation of gradients means here, as a sentence without its full stop."""
    micro, largest = spec.micro_batch or spec.batch_size, spec.max_batch_size or spec.batch_size
    if largest <= micro:
        return f"here no batch is larger than {micro:,}, so that nothing is accumulated"
    parts = -(-largest // micro)
    return (
        f"here batches of more than {micro:,} images are accumulated, up to {parts} parts a batch"
    )


def draw_by_epochs_and_updates(results: Results, name: str, label: str) -> Figure:
    """Draw a column of the histories against epochs, and against updates; there a line a seed.

    The axis of the updates is logarithmic.
    """
    figure, axes = figures.new(2, size=(6.4, 3.0), sharey=True)
    by_epochs, by_updates = axes[0]
    columns = histories(results, name)
    ends = figures.curves(by_epochs, columns)
    for method, records in results.items():
        look = {"color": named(method).colour, "lw": 1, "ms": 4}
        for record, values in zip(records, columns[method], strict=True):
            by_updates.plot(updates(record), values[: len(record.history)], ".-", **look)
    by_epochs.set(xlabel="epoch", ylabel=label)
    by_updates.set_xscale("log", base=2)
    by_updates.xaxis.set_major_formatter(ScalarFormatter())
    by_updates.set_xlabel("updates")
    figures.label_ends(by_updates, ends)
    return figure
