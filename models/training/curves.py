"""The loss while an epoch goes on: its mean over every so many iterations, taken from the epoch's
running sums.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models.records import short

DIGITS = 6  # significant ones that a record keeps
NO_MARKS = torch.zeros(0, 3, dtype=torch.float64)


class Curve:
    """Marks where an epoch's running sums stand, on their device; nothing of the training depends
    on it.

    `every` is in iterations (None: nothing is marked). A mark is the sum of losses, right answers
    and examples; `marks` (n, 3) are those of the epoch's part before a snapshot.
    """

    def __init__(self, every: int | None, marks: Tensor) -> None:
        self.every, self.marks = every, [marks]

    def mark(self, iterations: int, totals: Tensor, examples: int, *, last: bool) -> None:
        """Called after each of the epoch's iterations with its sums so far; `last`: no other one
        follows.
        """
        if self.every and (last or iterations % self.every == 0):
            self.marks.append(torch.cat((totals, totals.new_tensor([examples])))[None])  # (1, 3)

    def tensor(self) -> Tensor:
        """All marks (n, 3), for a snapshot."""
        return torch.cat(self.marks).cpu()

    def columns(self) -> dict[str, list[Any]]:
        """The history's `losses` (nats; None where a loss is no number) and `accuracies`; empty
        without marks.
        """
        if not self.every:
            return {}
        sums = self.tensor().diff(
            dim=0, prepend=torch.zeros(1, 3, dtype=torch.float64)
        )  # (n, 3) of each stretch
        losses, accuracies = (sums[:, :2] / sums[:, 2:]).T.tolist()
        return {"losses": short(losses, DIGITS), "accuracies": short(accuracies, DIGITS)}
