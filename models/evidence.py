"""What a certificate says: two forms of the training code, and the evidence that they are as good.

Checked whenever one is read: that its verdicts follow from its numbers, and that these show what it
claims.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

Measure = Literal["training loss", "held-out loss", "held-out accuracy"]
TRAINING_LOSS: Measure = "training loss"
HELD_OUT_LOSS: Measure = "held-out loss"
HELD_OUT_ACCURACY: Measure = "held-out accuracy"
MEASURES = (TRAINING_LOSS, HELD_OUT_LOSS, HELD_OUT_ACCURACY)

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
BitKind = Literal["identical bits in the first epoch"]
NoiseKind = Literal["equal within seed noise"]


class RunKind(NamedTuple):
    """What of a run's spec decides which certificates say something of it."""

    network: str
    schedule: str
    norm: str
    precision: str

    @classmethod
    def of(cls, spec: Any) -> RunKind:
        """Return a spec's."""
        return cls(spec.network, spec.schedule, spec.norm, spec.precision)


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Run(_Fact):
    """A run that was trained: its key, and what of its spec a certificate is about."""

    key: str
    network: str
    dataset: str
    schedule: str
    norm: str
    epochs: int = Field(ge=1)
    train_size: int | None


class ComparedRun(_Run):
    """One run whose first epoch both forms of the code trained, and what both gave.

    `history_sha256` is of the epoch's history in strict JSON, `weights_sha256` of the network's
    weights and buffers and the optimizer's state after it.
    """

    precision: str | None = None  # older certificates do not say, and hold runs of both
    history_sha256: Sha256
    weights_sha256: Sha256


class Difference(_Fact):
    """One measure of a run after its epochs, as published and as trained again.

    They may differ by `tolerance`, and `p` is the chance that two seeds differ as much. A value is
    None where the loss was no number.
    """

    measure: Measure
    old: float | None
    new: float | None
    tolerance: float | None = Field(ge=0)
    p: Share

    @property
    def size(self) -> float:
        """By how much the two differ; 0 where both losses were no number."""
        return 0.0 if self.old is None or self.new is None else abs(self.new - self.old)

    @property
    def is_within(self) -> bool:
        """Whether they differ by no more than the tolerance."""
        if self.old is None or self.new is None:
            return self.old is self.new
        return self.tolerance is not None and self.size <= self.tolerance


class JudgedRun(_Run):
    """A published run that was trained again for `epochs` of its `planned` epochs."""

    seed: int
    planned: int = Field(ge=1)
    differences: tuple[Difference, ...] = Field(min_length=1)
    verdict: Literal["within seed noise", "DIFFERS"]

    @model_validator(mode="after")
    def _follows(self) -> JudgedRun:
        if self.is_within != all(difference.is_within for difference in self.differences):
            raise ValueError(f"the verdict on {self.key} does not follow from its differences")
        return self

    @property
    def is_within(self) -> bool:
        """Whether no measure differs by more than its tolerance."""
        return self.verdict == "within seed noise"


class JointTest(_Fact):
    """All runs' differences in one measure, each in units of what two seeds differ by.

    `mean` is their mean and `mean_p` the chance that it is as far from zero between seeds;
    `spread` is their root mean square, about 1 between seeds, and `spread_p` the chance that it is
    as large.
    """

    measure: Measure
    runs: int = Field(ge=1)
    mean: float
    mean_p: Share
    spread: float = Field(ge=0)
    spread_p: Share


class TwoForms(_Fact):
    """Two code fingerprints. `machine` is where it was shown: processor, threads, versions."""

    old: Sha256
    new: Sha256
    date: str
    machine: dict[str, str | int | None]

    @model_validator(mode="after")
    def _two_forms(self) -> TwoForms:
        if self.old == self.new:
            raise ValueError(f"expected two fingerprints, got {self.old} twice")
        return self


class BitCertificate(TwoForms):
    """Two code fingerprints whose code gave the same bits on every one of `runs`."""

    kind: BitKind = "identical bits in the first epoch"
    runs: tuple[ComparedRun, ...] = Field(min_length=1)

    def covers(self, kind: RunKind) -> bool:
        """Return whether it compared a run of that network, schedule and precision, of any norm."""
        return any(
            (run.network, run.schedule) == (kind.network, kind.schedule)
            and run.precision in (None, kind.precision)
            for run in self.runs
        )


class NoiseCertificate(TwoForms):
    """Two code fingerprints whose runs differ by no more than seeds do, one by one and together.

    `alpha` is the chance with which equal code fails each of the two. `runs` holds those that
    failed too: for their network, normalization and schedule it says nothing.
    """

    kind: NoiseKind = "equal within seed noise"
    alpha: float = Field(gt=0, lt=1)
    runs: tuple[JudgedRun, ...] = Field(min_length=1)
    together: tuple[JointTest, ...] = Field(min_length=1)
    sha256: str = ""  # of all the rest; filled in when it is written

    @model_validator(mode="after")
    def _shows_something(self) -> NoiseCertificate:
        if not any(run.is_within for run in self.runs):
            raise ValueError("expected a run within seed noise, got none")
        if self.joint_p <= self.alpha / (2 * len(self.together)):
            raise ValueError(f"together, the runs differ by more than seeds do (p {self.joint_p})")
        return self

    @property
    def joint_p(self) -> float:
        """The least chance of the joint tests, two a measure."""
        return min(min(test.mean_p, test.spread_p) for test in self.together)

    def covers(self, kind: RunKind) -> bool:
        """Return whether all that it judged of that network, schedule and norm is within noise.

        In whatever precision: it does not say which it judged.
        """
        wanted = (kind.network, kind.schedule, kind.norm)
        found = [run for run in self.runs if (run.network, run.schedule, run.norm) == wanted]
        return bool(found) and all(run.is_within for run in found)

    def digest(self) -> str:
        """Return the sha256 (hexadecimal) of all fields but `sha256`."""
        return hashlib.sha256(self.model_dump_json(exclude={"sha256"}).encode()).hexdigest()


Certificate = BitCertificate | NoiseCertificate
