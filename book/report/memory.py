"""What a derived network needs in memory: as a table in closed form, and as numbers for the prose.

In single precision, 4 bytes a number. What is counted and what is left out, `analysis.footprint`
says. A MB is 10⁶ bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sympy import sympify

from analysis.derivation import built_in, derive
from analysis.footprint import Memory, Optimizer, inference_memory, training_memory
from analysis.notation import B, Calculation, Number, text
from analysis.rows import Derivation
from book.report.tables import show, unbroken

OPTIMIZERS: dict[Optimizer, str] = {"sgd": "plain SGD", "momentum": "momentum", "adam": "Adam"}
"""What an optimizer is called in a table; momentum is SGD's."""


@dataclass(frozen=True)
class Need:
    """Bytes that a batch needs: some once, whatever the batch, and some for each image."""

    once: int
    each: int

    def at(self, batch: int) -> int:
        """Return the bytes for a batch."""
        return self.once + self.each * batch

    @property
    def even(self) -> int:
        """The smallest batch whose images need more than is needed once.

        >>> Need(once=100, each=50).even
        3
        """
        return self.once // self.each + 1


def in_training(derivation: Derivation, optimizer: Optimizer) -> Need:
    """Return what a training step keeps.

    >>> from analysis import vgg19_torchvision
    >>> in_training(vgg19_torchvision(), "momentum").each  # as torch saves it
    78508032
    """
    return _need(training_memory(_batched(derivation), optimizer=optimizer))


def in_evaluation(derivation: Derivation) -> Need:
    """Return what evaluation needs: the parameters, and the most that is alive at once."""
    return _need(inference_memory(_batched(derivation)))


def numbers(
    prefix: str, derivation: Derivation, batch: int, optimizer: Optimizer
) -> dict[str, float]:
    """Return numbers to glue, named `prefix_…`: MB, and what most of them are needed for.

    Of a training step: what is kept `once` and of `each` image, all of it with the images' share,
    and from which batch on they need more (`even`). Of evaluation the same, but for the share.
    """
    step, evaluated = in_training(derivation, optimizer), in_evaluation(derivation)
    found = {
        "once_mb": step.once / 1e6,
        "each_mb": step.each / 1e6,
        "step_mb": step.at(batch) / 1e6,
        "step_share": step.each * batch / step.at(batch),
        "step_even": step.even,
        "evaluation_mb": evaluated.at(batch) / 1e6,
        "evaluation_each_mb": evaluated.each / 1e6,
        "evaluation_even": evaluated.even,
    }
    return {f"{prefix}_{name}": number for name, number in found.items()}


def table(
    derivation: Derivation,
    batch: int,
    *,
    name: str,
    caption: str,
    optimizers: Sequence[Optimizer] = ("momentum", "adam"),
) -> None:
    """Display what a network needs, part by part: bytes for B images, and MB for a batch."""
    headings = ["needed for", "bytes for a batch of B", f"MB for {batch:,}"]
    show(rows(derivation, batch, optimizers), headings, name=name, caption=caption)


def rows(derivation: Derivation, batch: int, optimizers: Sequence[Optimizer]) -> list[list[str]]:
    r"""Return the table's rows: what needs memory, how much in closed form, and for a batch.

    >>> from analysis import lenet5
    >>> rows(lenet5(), 128, ["adam"])[1]
    ['their gradients', '4·61,706\xa0=\xa0246,824', '0.25']
    """
    lines = tuple(_lines(derivation, optimizers))
    sizes = [_at(value, batch) for *_, value in lines]
    places = 1 if max(sizes) >= 100e6 else 2
    return [
        [label, unbroken(form), f"{size / 1e6:,.{places}f}"]
        for (label, form, _), size in zip(lines, sizes, strict=True)
    ]


def _lines(
    derivation: Derivation, optimizers: Sequence[Optimizer]
) -> Iterable[tuple[str, str, Number]]:
    """Yield labels, what stands beside them, and its value: training first, then evaluation."""
    batched = _batched(derivation)
    steps = {one: training_memory(batched, optimizer=one) for one in optimizers}
    first, evaluated = next(iter(steps.values())), inference_memory(batched)
    yield _part("parameters", first.weights)
    yield _part("their gradients", first.gradients)
    yield from (_part(f"state of {OPTIMIZERS[one]}", step.state) for one, step in steps.items())
    if first.buffers.value != 0:
        yield _part("moving statistics", first.buffers)
    yield _part("saved for backward", first.saved)
    for one, step in steps.items():
        yield _sum(f"training, {OPTIMIZERS[one]}", step)
    yield _part("alive at once", evaluated.saved)
    yield _sum("evaluation", evaluated)


def _part(label: str, part: Calculation) -> tuple[str, str, Number]:
    return label, part.text, part.value


def _sum(label: str, memory: Memory) -> tuple[str, str, Number]:
    value = sympify(memory.total.value).expand()
    return f"**{label}**", text(value), value


def _need(memory: Memory) -> Need:
    once, after = (_at(memory.total.value, batch) for batch in (0, 1))
    return Need(once, after - once)


def _at(value: Number, batch: int) -> int:
    return int(sympify(value).subs(B, batch))


def _batched(derivation: Derivation) -> Derivation:
    """Derive a network anew for a batch of B."""
    return derive(replace(built_in(derivation), batch=B))
