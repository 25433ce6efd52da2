"""The worked solution of the lab's first problem: its models' sizes and results beside ours."""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes

import analysis
from book.regularization.worked_solution_source import GAMMA, SOURCE, Printed, departures
from book.report.claims import AccuracyDifference
from book.report.experiments import Results, learned, mean
from book.report.intervals import NBSP, accuracy_limit
from book.report.methods import named
from models.data.datasets import DATASETS
from models.records import Record
from models.specs import RunSpec

# Sizes, by two witnesses


def derive(spec: RunSpec) -> analysis.Derivation:
    """Derive a run's network, one of the two LeNets, for one image of its data set."""
    info = DATASETS[spec.dataset]
    hidden = "input_and_hidden" if spec.input_norm == "batch" else "hidden"
    return analysis.NETWORKS[spec.network](
        height=info.side,
        width=info.side,
        channels=info.channels,
        classes=len(info.classes),
        normalization="none" if spec.norm == "none" else hidden,
    )


def count_rows(results: Results) -> Iterator[list[object]]:
    """Return a row a model: its number, then all its parameters and those learned.

    Of both stands the source's count, the derived one, and that of the trained network.
    """
    for name, records in results.items():
        source, derived = SOURCE.get(name), derive(records[0].spec).total
        counted = records[0].diagnostics
        total = (source and source.parameters, derived.keras_parameters, counted["parameter_count"])
        trainable = (source and source.trainable, derived.parameters)
        counts = (*total, *trainable, counted["trainable_parameter_count"])
        yield [name, source and source.number, *counts]


def all_agree(rows: Sequence[Sequence[object]]) -> bool:
    """Return whether in each of `count_rows` source, derivation and network give the same.

    A model that the source does not have needs only the other two.
    """
    threes = [triple for row in rows for triple in (row[2:5], row[5:8])]
    return all(len({value for value in triple if value is not None}) == 1 for triple in threes)


def layer_rows(first: analysis.Derivation, second: analysis.Derivation) -> Iterator[list[object]]:
    """Return two networks of as many layers side by side: a row a layer, and the total.

    Norms are left out; a layer whose names differ has both.
    """
    columns = ("output", "parameters", "macs")
    for one, other in zip(_layers(first), _layers(second), strict=True):
        name = one.layer if one.layer == other.layer else f"{one.layer}, {other.layer}"
        yield [name, *(getattr(row, column) for row in (one, other) for column in columns)]
    totals = [[None, sum(r.parameters for r in _layers(d)), d.total.macs] for d in (first, second)]
    yield ["total", *totals[0], *totals[1]]


def _layers(derivation: analysis.Derivation) -> list[analysis.Row]:
    return [row for row in derivation.rows if row.kind not in ("input", "norm")]


# Results beside the source's


def off_source(records: Sequence[Record], printed: Printed) -> AccuracyDifference:
    """Return our test accuracy minus the source's."""
    ours = mean(records, "test_accuracy")
    examples = DATASETS[records[0].spec.dataset].test_size
    limit = accuracy_limit((ours.mean + printed.accuracy) / 2, examples)
    return AccuracyDifference(ours.affine(offset=-printed.accuracy), limit)


def agreeing(results: Results) -> list[str]:
    """Return the models whose accuracy differs from the source's no more than a repetition may.

    See `accuracy_limit`.
    """
    offs = {name: off_source(results[name], printed) for name, printed in SOURCE.items()}
    return [name for name, off in offs.items() if abs(off.interval.mean) <= off.limit]


def apart(results: Results) -> str:
    """Return the models whose 95 % interval leaves out the source's accuracy, in words."""
    offs = {name: off_source(results[name], printed) for name, printed in SOURCE.items()}
    clear = [
        f"{name} ({off.points})" for name, off in offs.items() if not off.interval.could_be_noise
    ]
    return "; ".join(clear) or "none"


def result_rows(results: Results) -> Iterator[list[object]]:
    """Return a row a model: its number, test accuracies (per cent) and test losses (nats).

    The accuracies are the source's, ours, and ours − source; the losses the source's and ours.
    """
    for name, records in results.items():
        ours = [mean(records, "test_accuracy").text(2, 100), mean(records, "test_loss").text(4)]
        if printed := SOURCE.get(name):
            off = off_source(records, printed).interval.text(2, 100, sign=True)
            accuracies = [f"{100 * printed.accuracy:.2f}", ours[0], off]
            yield [name, printed.number, *accuracies, f"{printed.loss:.4f}", ours[1]]
        else:
            yield [name, None, None, ours[0], None, None, ours[1]]


def mark_source(ax: Axes, spec: RunSpec) -> None:
    """Draw the source's test accuracies (per cent) as open circles.

    Nothing is drawn if a run of model 4 has other settings than the source's.
    """
    if departures(spec):
        return
    for name, printed in SOURCE.items():
        accuracy, colour = 100 * printed.accuracy, named(name).colour
        ax.plot(spec.epochs, accuracy, "o", mfc="none", mec=colour, ms=7, clip_on=False)


# What was learned


def gamma_rows(results: Results) -> Iterator[list[object]]:
    """Return a row a layer: the source's γ, then the range of ours, a column a variant.

    It is None where a variant has no such norm.
    """
    ours = {name: learned(records, "gamma") for name, records in results.items()}
    for layer, printed in GAMMA.items():
        yield [layer, printed, *(_extent(gammas.get(layer)) for gammas in ours.values())]


def _extent(values: Sequence[float] | None) -> str | None:
    if not values:
        return None
    return f"{min(values):.3f}{NBSP}…{NBSP}{max(values):.3f}"
