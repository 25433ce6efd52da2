"""How a judgement is shown: a row a run, a row a joint test, and what follows."""

from __future__ import annotations

from collections.abc import Mapping

from tabulate import tabulate

from book.commands.judgement import ALPHA, Judgement
from models.evidence import MEASURES, Difference, JointTest, JudgedRun

RUNS = {
    "run": "left",
    "what": "left",
    "epochs": "right",
    **{
        column: "right"
        for number, name in enumerate(MEASURES)
        for column in (name, "±" + number * " ")
    },
    "least p": "right",
    "verdict": "left",
}
TOGETHER = ("together", "runs", "mean", "p", "root mean square", "p ")


def report(judged: Judgement, titles: Mapping[str, str]) -> str:
    """Return two tables, of the runs and of the tests of all that passed, and a line on each."""
    rows = [_row(run, titles[run.key]) for run in judged.runs]
    runs = tabulate(rows, tuple(RUNS), colalign=tuple(RUNS.values()), disable_numparse=True)
    joint = tabulate(map(_joint, judged.together), TOGETHER, disable_numparse=True)
    within = sum(run.is_within for run in judged.runs)
    flagged = sorted({_kind(run) for run in judged.runs if not run.is_within})
    failed = [f"these stay flagged: {'; '.join(flagged)}"] if flagged else []
    return "\n".join(
        [
            runs,
            "\npublished and by how much the run differs now, with its tolerance (±): Holm's level "
            f"at {ALPHA:.0%} in all\n",
            joint,
            "\nmean and root mean square of the differences, in units of what two seeds differ by; "
            f"Holm's level at {ALPHA:.0%} in all",
            f"judged: {within} of {len(judged.runs)} runs are within seed noise",
            *failed,
            f"together, those differ {'no' if judged.is_joint else 'by'} more than seeds do",
        ]
    )


def _kind(run: JudgedRun) -> str:
    return f"{run.network} with norm {run.norm} and schedule {run.schedule}"


def _row(run: JudgedRun, title: str) -> list[str]:
    by_name = {difference.measure: difference for difference in run.differences}
    cells = [cell for name in MEASURES for cell in _cells(by_name.get(name))]
    least = min(difference.p for difference in run.differences)
    epochs = f"{run.epochs} of {run.planned}"
    return [run.key, title, epochs, *cells, f"{least:.2g}", run.verdict]


def _cells(found: Difference | None) -> tuple[str, str]:
    """Return a measure as published with its difference now, and the tolerance."""
    if found is None:
        return "–", "–"
    if found.old is None or found.new is None:
        return f"{_number(found.old)} → {_number(found.new)}", "–"
    return f"{found.old:.4f} {found.new - found.old:+.4f}", f"{found.tolerance:.4f}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _joint(test: JointTest) -> tuple[str, int, str, str, str, str]:
    return (
        test.measure,
        test.runs,
        f"{test.mean:+.3f}",
        f"{test.mean_p:.2g}",
        f"{test.spread:.3f}",
        f"{test.spread_p:.2g}",
    )
