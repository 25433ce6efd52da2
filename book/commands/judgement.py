"""Whether code that trained some published runs again is as good as the code that recorded them.

Every difference is new less published, of one run and seed, against its spread between seeds
(`book.commands.spread`). Two families of tests are judged, each with `ALPHA` as the chance that
code which is as good fails it, shared between its tests by Holm's step-down procedure (Holm 1979, A
simple sequentially rejective multiple test procedure).

Run by run: a measure differs by more than seeds do if Student's t says so. A run with such a
measure says against its network, normalization and schedule, and against no other.

Together, the runs that passed, a measure at a time: each difference becomes the standard normal
variable that is as improbable. Between seeds, their sum over the square root of their number is
standard normal (Stouffer et al. 1949, The American soldier, vol. 1): that tells a small bias that
all runs share. The sum of their squares is chi-squared with as many degrees of freedom: that tells
differences that are all a little too large. Differences smaller than those of seeds, as equal
weights and the same order of examples make them, speak against nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import chdtrc, ndtr

from book.commands.agreement import Gap
from book.commands.side_by_side import Task
from book.report.intervals import LEVEL
from models.evidence import MEASURES, Difference, JointTest, JudgedRun, Measure

ALPHA = round(1 - LEVEL, 9)


@dataclass(frozen=True)
class Judgement:
    """What was judged of each run, and of those that passed together."""

    runs: tuple[JudgedRun, ...]
    together: tuple[JointTest, ...]

    @property
    def joint_p(self) -> float:
        """The least chance of the joint tests; 1 without any."""
        return min((min(test.mean_p, test.spread_p) for test in self.together), default=1.0)

    @property
    def is_joint(self) -> bool:
        """Whether together they differ by no more than seeds do, by Holm's first step."""
        return bool(self.together) and self.joint_p > ALPHA / (2 * len(self.together))


def judge(found: Sequence[tuple[Task, Sequence[Gap]]]) -> Judgement:
    """Judge the differences of runs, one by one and together."""
    level = holm([gap.p for _, gaps in found for _, gap in _named(gaps)])
    runs = tuple(_judged(task, gaps, level) for task, gaps in found)
    pairs = zip(runs, found, strict=True)
    passed = [gap for run, (_, gaps) in pairs if run.is_within for gap in gaps]
    return Judgement(runs, tuple(_together(passed)))


def holm(chances: Sequence[float], alpha: float = ALPHA) -> float:
    """Return the level at which Holm's procedure stops: up to it, a chance is too small.

    >>> holm([0.01, 0.02, 0.5], alpha=0.05)
    0.05
    >>> holm([0.02, 0.02], alpha=0.05)
    0.05
    >>> holm([0.03, 0.5], alpha=0.05)
    0.025
    """
    count = len(chances)
    for rejected, chance in enumerate(sorted(chances)):
        if chance > alpha / (count - rejected):
            return alpha / (count - rejected)
    return alpha


def _judged(task: Task, gaps: Sequence[Gap], level: float) -> JudgedRun:
    differences = tuple(_difference(measure, gap, level) for measure, gap in _named(gaps))
    within = all(difference.is_within for difference in differences)
    spec = task.record.spec
    return JudgedRun(
        key=task.record.key,
        network=spec.network,
        dataset=spec.dataset,
        schedule=spec.schedule,
        norm=spec.norm,
        epochs=task.epochs,
        train_size=spec.train_size,
        seed=spec.seed,
        planned=spec.epochs,
        differences=differences,
        verdict="within seed noise" if within else "DIFFERS",
    )


def _named(gaps: Sequence[Gap]) -> list[tuple[Measure, Gap]]:
    return [(measure, gap) for gap in gaps for measure in MEASURES if gap.measure == measure]


def _difference(measure: Measure, gap: Gap, level: float) -> Difference:
    return Difference(
        measure=measure,
        old=gap.old,
        new=gap.new,
        tolerance=gap.spread.tolerance(level),
        p=gap.p,
    )


def _together(gaps: Sequence[Gap]) -> list[JointTest]:
    """Return the joint test of each measure; of a loss that is no number there is no difference."""
    scores = {
        measure: [
            gap.spread.score(gap.new - gap.old)
            for gap in gaps
            if gap.measure == measure and gap.old is not None and gap.new is not None
        ]
        for measure in MEASURES
    }
    return [joint_test(measure, found) for measure, found in scores.items() if found]


def joint_test(measure: Measure, scores: Sequence[float]) -> JointTest:
    """Return the test of differences in units of what two seeds differ by."""
    count, squares = len(scores), sum(score**2 for score in scores)
    mean = sum(scores) / count
    return JointTest(
        measure=measure,
        runs=count,
        mean=mean,
        mean_p=float(2 * ndtr(-abs(mean) * math.sqrt(count))),
        spread=math.sqrt(squares / count),
        spread_p=float(chdtrc(count, squares)),
    )
