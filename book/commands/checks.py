"""What verifying found out: a check a run, and the table of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from book.commands.agreement import AGREES
from book.commands.retraining import Start
from models.progress import clock
from models.records import Record
from models.specs import RunSpec

IMPOSSIBLE = "NOT RETRAINED"  # the verdict on a run that today's code or data cannot give

#: The table's columns, and how each is aligned.
COLUMNS = {
    "run": "left",
    "what": "left",
    "epochs": "right",
    "recorded": "right",
    "retrained": "right",
    "difference": "right",
    "verdict": "left",
    "re-stamped": "left",
    "time then": "right",
    "now": "right",
}


@dataclass(frozen=True)
class Check:
    """A published run, what training it again gave, and what follows.

    `reason` says why it does not agree.
    """

    key: str
    record: Record | None
    retrained: Record | Start | None
    verdict: str
    reason: str = ""
    restamped: bool = False

    @property
    def epochs(self) -> int | None:
        """How many epochs were compared; None if none was."""
        return len(self.retrained.history) if self.retrained else None


def report(checks: Sequence[Check]) -> str:
    """Return a table with accuracies, then why some do not agree.

    They are on the test set; before the end of a run that has a validation set, on that.
    """
    found = [check.record.spec for check in checks if check.record]
    names = {spec.key: name for spec, name in zip(found, titles(found), strict=True)}
    rows = [_row(check, names.get(check.key, "?")) for check in checks]
    align = tuple(COLUMNS.values())
    table = tabulate(rows, tuple(COLUMNS), colalign=align, disable_numparse=True)
    reasons = [f"{check.key}: {check.reason}" for check in checks if check.reason]
    agree = sum(check.verdict in AGREES for check in checks)
    return "\n".join([table, "", *reasons, f"verified: {agree} of {len(checks)} agree"])


def titles(specs: Sequence[RunSpec]) -> list[str]:
    """Name each run by all that differs among those of its network and data set.

    What is the default is not named, so that names stay short; no two of them are alike.

    >>> titles([RunSpec(lr=0.1), RunSpec(lr=1, norm="batch")])
    ['lenet5 on mnist5k, seed 0', 'lenet5 on mnist5k, norm batch, lr 1.0, seed 0']
    """
    groups = defaultdict[tuple[str, str], list[RunSpec]](list)
    for spec in specs:
        groups[spec.network, spec.dataset].append(spec)
    varying = {group: _varying(members) for group, members in groups.items()}
    return [", ".join(_words(spec, varying[spec.network, spec.dataset])) for spec in specs]


def _varying(specs: Sequence[RunSpec]) -> list[str]:
    """Return the fields of which the specs have several values, and the norm."""
    values = {name: {getattr(spec, name) for spec in specs} for name in RunSpec.model_fields}
    return [name for name in values if name == "norm" or len(values[name]) > 1]


def _words(spec: RunSpec, names: Sequence[str]) -> Iterator[str]:
    yield f"{spec.network} on {spec.dataset}"
    for name in names:
        value = getattr(spec, name)
        if value != RunSpec.model_fields[name].default and name != "seed":
            shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            yield f"{name.replace('_', ' ')} {shown}"
    yield f"seed {spec.seed}"


def _row(check: Check, name: str) -> list[str]:
    begun = check.epochs if isinstance(check.retrained, Start) else None
    old, new = (_accuracy(run, begun) for run in (check.record, check.retrained))
    return [
        check.key,
        name,
        _epochs(check),
        "–" if old is None else f"{old:.4f}",
        "–" if new is None else f"{new:.4f}",
        "–" if old is None or new is None else f"{new - old:+.4f}",
        check.verdict,
        "yes" if check.restamped else "no",
        *(_seconds(run, check.epochs) for run in (check.record, check.retrained)),
    ]


def _epochs(check: Check) -> str:
    """Return how many epochs were compared of how many."""
    if check.record is None or check.epochs is None:
        return "–"
    whole = len(check.record.history)
    return str(whole) if check.epochs == whole else f"{check.epochs} of {whole}"


def _seconds(run: Record | Start | None, epochs: int | None) -> str:
    return clock(sum(run.provenance.epoch_seconds[:epochs])) if run else "–"


def _accuracy(run: Record | Start | None, epochs: int | None) -> float | None:
    """Return the accuracy that a run had after so many epochs; None: when it had ended."""
    if isinstance(run, Record) and epochs is None:
        return run.diagnostics.get("test_accuracy", run.final.test_accuracy)
    if run is None or epochs is None:
        return None
    epoch = run.history[min(epochs, len(run.history)) - 1]
    return epoch.test_accuracy if epoch.validation_accuracy is None else epoch.validation_accuracy
