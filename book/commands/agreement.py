"""Whether a run trained again agrees with its record.

There are five verdicts.

identical: history, learned parameters and diagnostics agree to the last bit. That is what the same
    processor, threads, versions and training code must give in fp32: there, anything else counts as
    different. A processor is the same by its name and the features by which torch chooses its
    kernels; a record that does not state them is not held to its bits.
within tolerance: elsewhere, sums are rounded in another order, and over thousands of steps that
    grows until the run is as good as another draw. Then it may differ by as much as two seeds of
    its variant do (see `book.commands.spread`), in each of its measures
    (`book.commands.outcomes`).
identical so far, within tolerance so far: the same of a run that was trained again for its first
    epochs only. Thousands of steps lie in an epoch, each built on the one before, so that other
    arithmetic would show in its bits; without these, the first epochs say too little of the last
    ones for a record to be stamped anew.
DIFFERS: anything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from book.commands.outcomes import compared, measured
from book.commands.retraining import Place, Start, threads_here
from book.commands.spread import Spread, Spreads
from book.report.intervals import LEVEL
from models import records
from models.records import Provenance, Record

IDENTICAL = "identical"
SO_FAR = "identical so far"
WITHIN = "within tolerance"
WITHIN_SO_FAR = "within tolerance so far"
DIFFERS = "DIFFERS"
AGREES = (IDENTICAL, SO_FAR, WITHIN, WITHIN_SO_FAR)
EARNS = (IDENTICAL, SO_FAR, WITHIN)  # a stamp of today's code

TOLERANCE = (
    "identical: same bits, a must with the same processor, threads, versions and code in fp32; "
    "elsewhere within tolerance: a run may differ by as much as two seeds of it do, with a chance "
    f"of {1 - LEVEL:.0%} that one of all these measures exceeds it"
)


@dataclass(frozen=True)
class Gap:
    """A measure of a run as recorded and as trained again, and its spread between seeds."""

    measure: str
    old: float | None
    new: float | None
    spread: Spread

    @property
    def p(self) -> float:
        """The chance that two seeds differ as much; a loss that is a number only once has none."""
        if self.old is None or self.new is None:
            return 1.0 if self.old is self.new else 0.0
        return self.spread.p(self.new - self.old)


def gaps(recorded: Record, retrained: Record | Start, epoch: int, spreads: Spreads) -> list[Gap]:
    """Return by how much two trainings of a run differ after so many epochs.

    Measures whose spread nobody knows are left out, and those that only one of the two has.
    """
    old, new = (measured(recorded.spec, run, epoch) for run in (recorded, retrained))
    known = {
        name: spreads.of(recorded, name, epoch, old[name] or new[name] or 0.0)
        for name in compared(old, new)
    }
    return [Gap(name, old[name], new[name], one) for name, one in known.items() if one]


@dataclass(frozen=True)
class Judge:
    """What differences between seeds are, and with which chance one may exceed its tolerance."""

    spreads: Spreads
    level: float

    @classmethod
    def of(cls, published: Spreads, runs: int) -> Judge:
        """Return who judges so many runs: the chance is shared between them (Bonferroni)."""
        return cls(published, (1 - LEVEL) / max(1, runs))

    def verdict(self, recorded: Record, retrained: Record | Start) -> tuple[str, str]:
        """Return the verdict on a run trained again, and why, if it does not agree."""
        whole = isinstance(retrained, Record)
        if _same_bits(recorded, retrained):
            return (IDENTICAL if whole else SO_FAR), ""
        if must_be_identical(recorded, retrained.provenance):
            return DIFFERS, "same processor, threads, versions and code, but not the same bits"
        found = "; ".join(self.differences(recorded, retrained))
        return (DIFFERS, found) if found else ((WITHIN if whole else WITHIN_SO_FAR), "")

    def differences(self, recorded: Record, retrained: Record | Start) -> Iterator[str]:
        """Yield how two trainings differ by more than the tolerance, in words.

        Two that diverged end alike. Where no spread is known, nothing says that they agree.
        """
        epochs = len(retrained.history)
        diverged = [recorded.diverged and len(recorded.history) <= epochs, retrained.diverged]
        if any(diverged):
            yield from [] if all(diverged) else ["only one of the two diverged"]
            return
        found = gaps(recorded, retrained, epochs, self.spreads)
        if not found:
            yield "nothing to judge it by: expected another published seed of such a run, got none"
        for gap in found:
            tolerance = gap.spread.tolerance(self.level / len(found))
            if gap.p <= self.level / len(found):
                yield f"{gap.measure}: recorded {_text(gap.old)}, retrained {_text(gap.new)}, " + (
                    f"tolerance {tolerance:.4f}"
                )


def _text(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _same_bits(recorded: Record, retrained: Record | Start) -> bool:
    if isinstance(retrained, Record):
        return _outcome(recorded, recorded) == _outcome(retrained, recorded)
    return recorded.history[: len(retrained.history)] == retrained.history


def _outcome(record: Record, like: Record) -> dict[str, Any]:
    """Return what a record says of its run, in strict JSON.

    Of its diagnostics, only those that `like` has too.
    """
    content = json.loads(records.dumps(record))
    content["diagnostics"] = {
        name: value for name, value in content["diagnostics"].items() if name in like.diagnostics
    }
    return {part: content[part] for part in ("diverged", "history", "parameters", "diagnostics")}


def must_be_identical(recorded: Record, retrained: Provenance) -> bool:
    """Return whether one setting made both: processor, threads, versions and code, in fp32.

    A record that was stamped anew because it was within tolerance bears the name of a code that did
    not make it.
    """
    made = recorded.provenance
    stamp = (made.model_extra or {}).get("verified") or {"verdict": IDENTICAL}
    made_so = recorded.spec.precision == "fp32" and stamp["verdict"] == IDENTICAL
    return made_so and _setting(made) == _setting(retrained) and bool(made.processor_features)


def _setting(made: Provenance) -> tuple[object, ...]:
    versions = {name: version for name, version in made.versions.items() if name != "convbook"}
    return (
        made.code_fingerprint,
        made.device,
        made.device_name,
        made.processor_features,
        made.threads,
        made.platform,
        versions,
    )


def elsewhere(record: Record, here: Place) -> list[str]:
    """Return in what this place differs from a record's, so that bits cannot be compared."""
    made = record.provenance
    processor = (made.device, made.device_name, made.processor_features or here.processor_features)
    own = (here.device, here.device_name, here.processor_features)
    versions = {name: version for name, version in made.versions.items() if name != "convbook"}
    found = {
        f"on another processor ({made.device_name}, not {here.device_name})": processor != own,
        f"with {made.threads} threads, not {threads_here(record)}": (
            made.threads != threads_here(record)
        ),
        "with other versions of Python or its packages": versions != here.versions,
        f"on another platform ({made.platform})": made.platform != here.platform,
    }
    return [words for words, so in found.items() if so]
