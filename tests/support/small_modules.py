"""Small torch modules that several tests read."""

from torch import Tensor, nn


class Twice(nn.Module):
    """A linear layer that is called twice: its parameters are there once."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(10, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.linear(x))
