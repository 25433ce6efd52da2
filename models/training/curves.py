"""An epoch's running sums, and from them the loss while the epoch goes on."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from models.records import short

LOSS_DIGITS = 6  # significant ones that a record keeps
NO_TOTALS = torch.zeros(2, dtype=torch.float64)
NO_MARKS = torch.zeros(0, 3, dtype=torch.float64)


class RunningSums:
    """What an epoch's batches have added up to, on their device; no step depends on it.

    `totals` (2,) are the sums of losses and of right answers, of the `examples` seen so far. Every
    `every` iterations (None: never) all three are marked, and once more where the epoch ends;
    `marks` (n, 3) are the marks so far.
    """

    def __init__(
        self, every: int | None, totals: Tensor, examples: int, iterations: int, marks: Tensor
    ) -> None:
        self.every, self.totals, self.examples = every, totals, examples
        self.iterations, self._marks = iterations, [marks]

    def add(self, totals: Tensor, examples: int) -> None:
        """Add a batch's sums (2,)."""
        self.totals = self.totals + totals
        self.examples += examples
        self.iterations += 1
        if self.every and self.iterations % self.every == 0:
            self._mark()

    def close(self) -> None:
        """Mark what has come since the last mark: no batch follows."""
        if self.every and self.iterations % self.every:
            self._mark()

    def _mark(self) -> None:
        sums = torch.cat((self.totals, self.totals.new_tensor([self.examples])))
        self._marks.append(sums[None])  # (1, 3)

    @property
    def are_finite(self) -> bool:
        """Whether the loss is still a number; on a GPU, to ask waits for it."""
        return math.isfinite(self.totals[0].item())

    @property
    def marks(self) -> Tensor:
        """All marks (n, 3), on the CPU."""
        return torch.cat(self._marks).cpu()

    def means(self) -> tuple[float, float]:
        """Return the mean loss (nats) and the accuracy so far."""
        loss, accuracy = (self.totals / self.examples).tolist()
        return loss, accuracy

    def curves(self) -> dict[str, list[Any]]:
        """Return the history's `losses` (nats) and `accuracies` between marks; empty without marks.

        None stands for a loss that is no number.
        """
        if not self.every:
            return {}
        start = torch.zeros(1, 3, dtype=torch.float64)
        sums = self.marks.diff(dim=0, prepend=start)  # (n, 3) of each stretch
        losses, accuracies = (sums[:, :2] / sums[:, 2:]).T.tolist()
        return {"losses": short(losses, LOSS_DIGITS), "accuracies": short(accuracies, LOSS_DIGITS)}
