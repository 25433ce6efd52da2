"""What verifying found out: a check a run, and the table of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from book.commands.agreement import AGREES
from models.progress import clock, title
from models.records import Record

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
    retrained: Record | None
    verdict: str
    reason: str = ""
    restamped: bool = False


def report(checks: Sequence[Check]) -> str:
    """Return a table with the final test accuracies, then a line for each that does not agree."""
    rows = [_row(check) for check in checks]
    align = tuple(COLUMNS.values())
    table = tabulate(rows, tuple(COLUMNS), colalign=align, disable_numparse=True)
    reasons = [f"{check.key}: {check.reason}" for check in checks if check.reason]
    agree = sum(check.verdict in AGREES for check in checks)
    return "\n".join([table, "", *reasons, f"verified: {agree} of {len(checks)} agree"])


def _row(check: Check) -> list[str]:
    old, new = (_accuracy(record) for record in (check.record, check.retrained))
    return [
        check.key,
        title(check.record.spec) if check.record else "?",
        str(check.record.spec.epochs) if check.record else "?",
        "–" if old is None else f"{old:.4f}",
        "–" if new is None else f"{new:.4f}",
        "–" if old is None or new is None else f"{new - old:+.4f}",
        check.verdict,
        "yes" if check.restamped else "no",
        *(_seconds(record) for record in (check.record, check.retrained)),
    ]


def _seconds(record: Record | None) -> str:
    return clock(record.provenance.seconds) if record else "–"


def _accuracy(record: Record | None) -> float | None:
    return record.diagnostics.get("test_accuracy", record.final.test_accuracy) if record else None
