"""What a run measures of itself: the `probes` of its spec.

Copies are measured, so that the training never notices. **While it trains**, `inputs`
(`models.training.activations`) and `gradients` (`models.training.gradients`) go into
`Epoch.probes`; each list has one entry a point, in the order of `iteration` (the steps taken before
it). An epoch without a point of some kind lacks that kind; `Record.probed` joins the epochs. **Of
the finished network**, `variances` (`models.training.activations`) and `units`
(`models.training.ablation`) go into `diagnostics["probes"]`; there is nothing of one that diverged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from models.training.ablation import measure_units
from models.training.activations import measure_inputs, measure_variances
from models.training.batches import slices
from models.training.gradients import measure_gradients
from models.training.loop import Training
from models.training.measuring import Entry
from models.training.randomness import reproducible

#: The probes of a training, with the ratio from one point of it to the next.
RATIOS = {"inputs": 1.3, "gradients": 1.45}
#: The probes of a finished network.
FINAL: Mapping[str, Callable[[Training], Entry]] = {
    "variances": measure_variances,
    "units": measure_units,
}
FINAL_SEED = 0  # of the masks while the finished network is measured


def attach(training: Training) -> bool:
    """Make a training measure what its spec asks for meanwhile; return whether that is anything."""
    kinds = [kind for kind in training.spec.probes or () if kind in RATIOS]
    training.probe = PointProbe(training, kinds) if kinds else None
    return bool(kinds)


def finished(training: Training) -> dict[str, Any]:
    """Return what the spec asks for of the finished network, as the diagnostics hold it."""
    if training.spec.probes is None or training.diverged:
        return {}
    with reproducible(FINAL_SEED, training.device):
        measured = {kind: FINAL[kind](training) for kind in training.spec.probes if kind in FINAL}
    return {"probes": measured}


class PointProbe:
    """Measures at its points while a training goes on: its `models.training.loop.Probe`."""

    def __init__(self, training: Training, kinds: Iterable[str]) -> None:
        self.training, self.kinds = training, tuple(kinds)
        self.entries: dict[str, list[Entry]] = {}

    def before_step(self, X: Tensor, y: Tensor) -> None:
        """Measure where a point of the series lies.

        An epoch's first step is none: it is the state after the epoch before.
        """
        iteration = self.training.iteration
        if iteration and iteration == sum(epoch.iterations for epoch in self.training.history):
            return
        if "inputs" in self.kinds and is_point(iteration, RATIOS["inputs"]):
            self._keep("inputs", measure_inputs(self.training))
        if "gradients" in self.kinds and is_point(iteration, RATIOS["gradients"]):
            part = next(slices(len(y), self.training.spec.micro_batch or len(y)))
            self._keep("gradients", measure_gradients(self.training, X[part], y[part]))

    def after_epoch(self) -> Entry:
        """Return what was measured since the epoch began, and the inputs as they are now."""
        if "inputs" in self.kinds:
            self._keep("inputs", measure_inputs(self.training))
        entries, self.entries = self.entries, {}
        return {kind: _columns(points) for kind, points in entries.items()}

    def _keep(self, kind: str, entry: Entry) -> None:
        self.entries.setdefault(kind, []).append({"iteration": self.training.iteration, **entry})


def is_point(iteration: int, ratio: float) -> bool:
    """Return whether an iteration is 0 or a power of `ratio`, rounded.

    >>> [iteration for iteration in range(12) if is_point(iteration, 1.45)]
    [0, 1, 2, 3, 4, 6, 9]
    """
    powers = range(int(math.log(iteration, ratio)) + 2) if iteration else ()
    return iteration == 0 or any(round(ratio**power) == iteration for power in powers)


def _columns(points: Sequence[Any]) -> Any:
    """Return equal entries, one a point, as one entry of lists."""
    if isinstance(points[0], dict):
        return {name: _columns([point[name] for point in points]) for name in points[0]}
    return list(points)
