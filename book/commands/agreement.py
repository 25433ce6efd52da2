"""Whether a run trained again agrees with its record.

There are four verdicts.

identical: history, learned parameters and diagnostics agree to the last bit. That is what the same
    processor, threads, versions and training code must give in fp32: there, anything else counts as
    different.
within tolerance: elsewhere, sums are rounded in another order, and over thousands of steps that
    grows until the run is as good as another draw. Then the final accuracies may differ by 4
    binomial standard errors of a difference, sqrt(2 p (1 - p) / n) with n judged examples (a chance
    of 1 in 16,000), and the final training losses by 25 % of the recorded one or by 0.02 nats,
    whichever is more (near zero, a quarter of a loss is nothing).
identical so far: of a run that was trained again for its first epochs only, these have the same
    bits, loss for loss. Thousands of steps lie in an epoch, each built on the one before, so other
    arithmetic would show.
DIFFERS: anything else.

A range test (schedule `range-test`) ends in chaos by design; elsewhere its bounds may differ by a
factor of 2 instead.

Comparing looks at both places of a record that say how a run ended: its last epoch, and its
diagnostics.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from book.learning_rate import range_test
from book.report.intervals import STANDARD_ERRORS, accuracy_limit
from models import records
from models.data.datasets import DATASETS
from models.records import Epoch, Record

LOSS_SHARE = 0.25  # of the recorded training loss
LOSS_FLOOR = 0.02  # nats
TOLERANCE = (
    "identical: same bits, a must with the same processor, threads, versions and code in fp32; "
    "elsewhere within tolerance: final accuracies differ by at most "
    f"{STANDARD_ERRORS} binomial standard errors, "
    f"final training losses by {LOSS_SHARE:.0%} or {LOSS_FLOOR}"
)

IDENTICAL = "identical"
SO_FAR = "identical so far"
WITHIN = "within tolerance"
DIFFERS = "DIFFERS"
AGREES = (IDENTICAL, SO_FAR, WITHIN)


def judge(recorded: Record, retrained: Record) -> tuple[str, str]:
    """Return the verdict on a run trained again, and why, if it does not agree."""
    if _outcome(recorded, recorded) == _outcome(retrained, recorded):
        return IDENTICAL, ""
    if must_be_identical(recorded, retrained):
        return DIFFERS, "same processor, threads, versions and code, but not the same bits"
    found = differences(recorded, retrained)
    return (DIFFERS, "; ".join(found)) if found else (WITHIN, "")


def judge_start(recorded: Record, epochs: Sequence[Epoch]) -> tuple[str, str]:
    """Return the verdict on the first epochs of a run trained again, and why, if they differ."""
    for old, new in zip(recorded.history, epochs, strict=False):
        if old != new:
            return DIFFERS, f"not the same bits in epoch {old.epoch}"
    return SO_FAR, ""


def _outcome(record: Record, like: Record) -> dict[str, Any]:
    """Return what a record says of its run, in strict JSON.

    Of its diagnostics, only those that `like` has too.
    """
    content = json.loads(records.dumps(record))
    content["diagnostics"] = {
        name: value for name, value in content["diagnostics"].items() if name in like.diagnostics
    }
    return {part: content[part] for part in ("diverged", "history", "parameters", "diagnostics")}


def must_be_identical(recorded: Record, retrained: Record) -> bool:
    """Return whether one setting made both: processor, threads, versions and code, in fp32.

    A record that was stamped anew because it was within tolerance bears the name of a code that did
    not make it.
    """
    stamp = (recorded.provenance.model_extra or {}).get("verified") or {"verdict": IDENTICAL}
    made_so = recorded.spec.precision == "fp32" and stamp["verdict"] == IDENTICAL
    return made_so and _setting(recorded) == _setting(retrained)


def _setting(record: Record) -> tuple[Any, ...]:
    made = record.provenance
    versions = {name: version for name, version in made.versions.items() if name != "convbook"}
    return (
        made.code_fingerprint,
        made.device,
        made.device_name,
        made.threads,
        made.platform,
        versions,
    )


def differences(recorded: Record, retrained: Record) -> list[str]:
    """Return how the ends of two trainings differ by more than the tolerance, in words.

    Two that diverged end alike. Of a range test, its bounds are compared.
    """
    if recorded.spec.schedule == "range-test" and recorded.spec.loss_every:
        return range_test.differences(recorded, retrained)
    if recorded.diverged or retrained.diverged:
        return [] if recorded.diverged and retrained.diverged else ["only one of the two diverged"]
    ends = [(_end(recorded)[name], _end(retrained)[name], name) for name in _end(recorded)]
    return [text for old, new, name in ends if (text := _difference(recorded, name, old, new))]


def _end(record: Record) -> dict[str, Any]:
    """Return final accuracies and training losses by name.

    Those of the last epoch, and those of the finished network.
    """
    names = ("test_accuracy", "validation_accuracy", "train_loss")
    epoch = {f"last epoch's {name}": getattr(record.final, name) for name in names}
    return epoch | {f"final {name}": record.diagnostics.get(name) for name in names}


def _difference(record: Record, name: str, old: float | None, new: float | None) -> str:
    """Return one difference in words; nothing when it is within tolerance."""
    if old is None or new is None:
        return "" if old == new else f"{name}: recorded {old}, retrained {new}"
    if name.endswith("loss"):
        limit = max(LOSS_SHARE * old, LOSS_FLOOR)
    else:
        judged = (
            record.spec.validation_size
            if "validation" in name
            else DATASETS[record.spec.dataset].test_size
        )
        limit = accuracy_limit((old + new) / 2, judged)
    return (
        ""
        if abs(new - old) <= limit
        else f"{name}: recorded {old:.4f}, retrained {new:.4f}, tolerance {limit:.4f}"
    )
