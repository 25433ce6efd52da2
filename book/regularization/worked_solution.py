"""The worked solution of the lab's first problem: what its author printed, and what our runs say to
it.

The source is a notebook in Keras that trains four models (`SOURCE`). Its numbers are kept here,
apart from all others, to be shown beside ours and marked as the source's: nothing of ours is
computed from them but differences.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

import analysis
from book.regularization.claims import Difference, difference, gaps, judge, judge_alike, race
from book.report.experiments import Results, final, learned, mean
from book.report.figures import METHOD_COLOURS
from book.report.intervals import NBSP, accuracy_limit, mean_interval, paired_difference
from models.data.datasets import DATASETS
from models.records import Record
from models.specs import RunSpec

# What the source printed


@dataclass(frozen=True)
class Printed:
    """One of the source's models: parameters as a Keras summary counts them, test set results at
    epoch 20 (nats).
    """

    number: int
    parameters: int
    trainable: int
    accuracy: float
    loss: float


SOURCE: Mapping[str, Printed] = {  # source
    "batch norm": Printed(1, 546_538, 546_042, 0.9919, 0.0268),
    "batch norm, input too": Printed(2, 546_542, 546_044, 0.9920, 0.0266),
    "dropout": Printed(3, 545_546, 545_546, 0.9641, 0.1151),
    "both": Printed(4, 546_542, 546_044, 0.9853, 0.0462),
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
GAMMA: Mapping[
    str, str | None
] = {  # source: learned scales by layer, in its digits; of pool2 nothing is kept
    "input": "1.174",
    "conv1": "1.0000…",
    "pool1": f"up to{NBSP}1.10",
    "conv2": "1.0000…",
    "pool2": None,
    "conv3": f"0.996{NBSP}…{NBSP}1.02",
    "fc1": f"1.015{NBSP}…{NBSP}1.075",
}
INPUT_BETA = 0.225  # source: the learned shift of the input


def departures(spec: RunSpec) -> dict[str, tuple[object, object]]:
    """Settings of a run of model 4 that are not the source's: the run's and the source's.

    >>> departures(RunSpec(dataset="mnist", epochs=20, lr=0.01, dropout=0.4, input_dropout=0.2))
    {'dropout': (0.4, 0.5)}
    """
    return {
        name: (getattr(spec, name), value)
        for name, value in SETTINGS.items()
        if getattr(spec, name) != value
    }


def settings_words(spec: RunSpec) -> str:
    """Whether a run of model 4 has the source's settings, as the rest of a sentence about them."""
    found = departures(spec)
    if not found:
        return "are the source's"
    listed = "; ".join(
        f"{name} is {_plain(ours)} where it has {_plain(its)}"
        for name, (ours, its) in found.items()
    )
    return f"are not the source's, whose results stand beside ours for orientation only ({listed})"


def _plain(value: object) -> str:
    return "all" if value is None else f"{value}"


# Sizes, by two witnesses


def derive(spec: RunSpec) -> analysis.Derivation:
    """The derivation of a run's network, one of the two LeNets, on its data set's images, for a
    batch of one.
    """
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
    """A row a model: its number; total parameters of the source, derived, of the trained network;
    so the trainable.
    """
    for name, records in results.items():
        source, derived, counted = (
            SOURCE.get(name),
            derive(records[0].spec).total,
            records[0].diagnostics,
        )
        total = (source and source.parameters, derived.keras_parameters, counted["parameter_count"])
        trainable = (
            source and source.trainable,
            derived.parameters,
            counted["trainable_parameter_count"],
        )
        yield [name, source and source.number, *total, *trainable]


def all_agree(rows: Sequence[Sequence[object]]) -> bool:
    """Whether source (where it has the model), derivation and network give the same in each of
    `count_rows`.
    """
    threes = [triple for row in rows for triple in (row[2:5], row[5:8])]
    return all(len({value for value in triple if value is not None}) == 1 for triple in threes)


def layer_rows(first: analysis.Derivation, second: analysis.Derivation) -> Iterator[list[object]]:
    """Two networks of as many layers side by side, without norms: a row a layer, with both names,
    and the total.
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


def off_source(records: Sequence[Record], printed: Printed) -> Difference:
    """Our test accuracy minus the source's."""
    ours = mean(records, "test_accuracy")
    limit = accuracy_limit(
        (ours.mean + printed.accuracy) / 2, DATASETS[records[0].spec.dataset].test_size
    )
    return Difference(ours.affine(offset=-printed.accuracy), limit)


def agreeing(results: Results) -> list[str]:
    """The models whose accuracy differs from the source's by no more than a run's repetition may
    (`accuracy_limit`).
    """
    offs = {name: off_source(results[name], printed) for name, printed in SOURCE.items()}
    return [name for name, off in offs.items() if abs(off.interval.mean) <= off.limit]


def apart(results: Results) -> str:
    """The models whose 95 % interval over seeds leaves out the source's accuracy, in words."""
    offs = {name: off_source(results[name], printed) for name, printed in SOURCE.items()}
    found = [
        f"{name} ({off.points})" for name, off in offs.items() if not off.interval.could_be_noise
    ]
    return "; ".join(found) or "none"


def result_rows(results: Results) -> Iterator[list[object]]:
    """A row a model: number; test accuracy (per cent) of source, ours, ours − source; test loss
    (nats) of both.
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
    """Draw the source's test accuracies (per cent) as open circles, if a run of model 4 has the
    source's settings.
    """
    if not departures(spec):
        for name, printed in SOURCE.items():
            look: dict[str, Any] = {
                "mfc": "none",
                "mec": METHOD_COLOURS[name],
                "ms": 7,
                "clip_on": False,
            }
            ax.plot(spec.epochs, 100 * printed.accuracy, "o", **look)


# What was learned


def gamma_rows(results: Results) -> Iterator[list[object]]:
    """A row a layer: the source's γ, then the range of ours, a column a variant (None where it has
    no such norm).
    """
    ours = {name: learned(records, "gamma") for name, records in results.items()}
    for layer, printed in GAMMA.items():
        yield [layer, printed, *(_range(gammas.get(layer)) for gammas in ours.values())]


def _range(values: Sequence[float] | None) -> str | None:
    if not values:
        return None
    return f"{min(values):.3f}{NBSP}…{NBSP}{max(values):.3f}"


# Its conclusions


@dataclass(frozen=True)
class Conclusion:
    """One of the source's conclusions, what our runs have to say, and whether it stands."""

    claim: str
    evidence: str
    verdict: str

    @property
    def row(self) -> list[str]:
        """As a table shows it."""
        return [self.claim, self.evidence, self.verdict]


def conclusions(
    results: Results, after: Sequence[Record], before: Sequence[Record]
) -> dict[str, Conclusion]:
    """The source's conclusions by a short name; `after` and `before` are runs with batch norm after
    and before tanh.
    """
    return {
        **accuracy_conclusions(results),
        "placement": _more(
            "batch norm after the activation works better than before", difference(after, before)
        ),
        **training_conclusions(results),
    }


def accuracy_conclusions(results: Results) -> dict[str, Conclusion]:
    """Those that compare test accuracies."""
    neither, hidden, norm, dropout, both = (
        results[name]
        for name in ("neither", "batch norm", "batch norm, input too", "dropout", "both")
    )
    inputs, with_bn, with_dropout = (
        difference(norm, hidden),
        difference(norm, neither),
        difference(dropout, neither),
    )
    gains = f"over neither: batch norm {with_bn.points}, dropout {with_dropout.points}"
    norms = difference(norm, dropout)
    return {
        "input": Conclusion(
            "batch norm on the input and standardising it perform alike",
            inputs.points,
            judge_alike(inputs.interval, inputs.limit),
        ),
        "dropout": _more(
            "dropout alone drops the accuracy significantly", difference(hidden, dropout), flip=True
        ),
        "both-dropout": _more("both are better than dropout alone", difference(both, dropout)),
        "both-norm": _more(
            "both are worse than batch norm alone", difference(norm, both), flip=True
        ),
        "norm-dropout": Conclusion("batch norm matters more than dropout", gains, norms.positive),
    }


def _more(claim: str, found: Difference, *, flip: bool = False) -> Conclusion:
    """A claim that the first side of `found` is more accurate; `flip` shows it as what the second
    side loses.
    """
    return Conclusion(claim, (found.flipped if flip else found).points, found.positive)


def training_conclusions(results: Results) -> dict[str, Conclusion]:
    """Those that say what happens in training."""
    neither, norm, both = (results[name] for name in ("neither", "batch norm, input too", "both"))
    epochs = race(both, norm)
    narrower = paired_difference(gaps(norm), gaps(both))
    with_dropout, without = mean_interval(gaps(both)), mean_interval(gaps(norm))
    train, gap = mean(neither, "train_loss"), mean_interval(gaps(neither))
    excess = paired_difference(final(neither, "train_loss"), gaps(neither))
    return {
        "longer": Conclusion(
            "dropout lengthens training",
            f"epochs to the same accuracy: {epochs.first.text(1)} with it, {epochs.second.text(1)} without",
            judge(epochs.difference),
        ),
        "overfitting": Conclusion(
            "dropout avoids overfitting",
            f"test loss − training loss: {with_dropout.text(4, sign=True)} with it, "
            f"{without.text(4, sign=True)} without",
            judge(narrower),
        ),
        "optimization": Conclusion(
            "optimization matters more than regularization",
            f"neither: a training loss of {train.text(4)}, and {gap.text(4, sign=True)} more on the test set",
            judge(excess),
        ),
    }


def listed(found: Mapping[str, Conclusion], verdict: str) -> str:
    """The claims with a verdict that begins so, in one line; `none` where there are none."""
    return (
        "; ".join(one.claim for one in found.values() if one.verdict.startswith(verdict)) or "none"
    )
