"""Inception's module with its filters and reductions to slide, and where a reduction pays."""

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Max, Symbol, cancel, sympify

from analysis import C, Derivation, H, W, inception_naive, inception_reduced
from book.report.calculator_parts import Calculator, Cell, Input, Line, Panel, Words
from book.report.colours import BLUE, GREY
from book.report.tables import unbroken

FREE = {"height": H, "width": W, "channels": C}
WINDOWS = {"3x3": "3 × 3", "5x5": "5 × 5"}
ROWS = {
    "1x1": "1 × 1",
    "reduce_3x3": "1 × 1 before 3 × 3",
    "3x3": "3 × 3",
    "reduce_5x5": "1 × 1 before 5 × 5",
    "5x5": "5 × 5",
    "project_pool": "1 × 1 behind pool",
}
HEADERS = ("convolution", "MACs, naive", "MACs, reduced", "weights, naive", "weights, reduced")
SAID = Words(
    "The naive module takes {:,} MACs and puts out {:,} channels, the reduced one {:,} and {:,}: "
    "the naive one takes {:,.2f} times as many. A reduction saves below {:,.1f} channels before "
    "the 3 × 3, and below {:,.1f} before the 5 × 5."
)
MOST = 512  # filters
WORDS = {
    "filters": "filters of the",
    "reduce": "reduction before the",
    "project": "projection behind the",
}


def calculator(
    size: dict[str, int], filters: dict[str, int], reductions: dict[str, int]
) -> Calculator:
    """Return the calculator of the module; the arguments' names are those of `analysis`'s."""
    sliders = _sliders(filters | reductions)
    symbols = {one.symbol.name: one.symbol for one in sliders}
    naive = inception_naive(**FREE, **{name: symbols[name] for name in filters})
    reduced = inception_reduced(**FREE, **symbols)
    branches = [_Branch(naive, reduced, window, symbols[f"reduce_{window}"]) for window in WINDOWS]
    return Calculator(
        "calc-inception",
        "Inception's module, with and without reductions",
        "Slide the filters and reductions; a dot marks the reduction that is set.",
        (*_sizes(size), *sliders),
        Words(SAID.template, (*_results(naive, reduced), *(one.limit for one in branches))),
        HEADERS,
        (*(_row(layer, naive, reduced) for layer in ROWS), _total(naive, reduced)),
        tuple(one.panel() for one in branches),
    )


def _sizes(size: dict[str, int]) -> Iterator[Input]:
    """Yield the inputs of height, width and channels."""
    for what, symbol in FREE.items():
        yield Input(symbol, f"{what} of the input", size[what], 1, 4096)


def _sliders(numbers: dict[str, int]) -> tuple[Input, ...]:
    """Return the sliders of filters and reductions, by the arguments' names."""
    inputs = []
    for name, number in numbers.items():
        kind, _, window = name.partition("_")
        label = f"{WORDS[kind]} {unbroken(window.replace('x', ' × '))}"
        symbol = Symbol(name, integer=True, positive=True)
        inputs.append(Input(symbol, label, number, 1, MOST, slider=True))
    return tuple(inputs)


def _results(naive: Derivation, reduced: Derivation) -> Iterator[Expr]:
    """Yield MACs and channels of each module, and the ratio of their MACs."""
    for one in (naive, reduced):
        yield sympify(one.total.macs)
        yield sympify(one.row("concat").output[-1])
    yield sympify(naive.total.macs) / reduced.total.macs


def _row(layer: str, naive: Derivation, reduced: Derivation) -> tuple[Cell, ...]:
    """Return a convolution's costs in both modules; the naive one may lack it."""
    there = {row.layer: row for row in naive.rows}.get(layer)
    behind = reduced.row(layer)
    macs, weights = (there.macs, there.weights) if there else ("–", "–")
    return ROWS[layer], macs, behind.macs, weights, behind.weights


def _total(*modules: Derivation) -> tuple[Cell, ...]:
    totals = [one.total for one in modules]
    return "total", *(one.macs for one in totals), *(one.weights for one in totals)


@dataclass(frozen=True)
class _Branch:
    """One large window, alone and behind its reduction."""

    naive: Derivation
    reduced: Derivation
    window: str
    reduction: Symbol

    @property
    def alone(self) -> Expr:
        """MACs without a reduction."""
        return sympify(self.naive.row(self.window).macs)

    @property
    def behind(self) -> Expr:
        """MACs with it, its own included: in proportion to its channels."""
        rows = (self.reduced.row(one) for one in (f"reduce_{self.window}", self.window))
        return sympify(sum(row.macs for row in rows))

    @property
    def limit(self) -> Expr:
        """The channels at which both cost the same."""
        return cancel(self.reduction * self.alone / self.behind)

    def panel(self) -> Panel:
        """Return both costs over the reduction's channels, in millions, with the chosen one."""
        place = Symbol("r", integer=True, nonnegative=True)
        million = 10**6
        end = Max(C, self.reduction)
        rising, level = (cost / million for cost in (self.behind, self.alone))
        window = WINDOWS[self.window]
        return Panel(
            f"million MACs over the channels of the reduction before the {window}",
            place,
            end,
            rising.subs(self.reduction, end),
            (
                Line(f"{window} behind a reduction", rising.subs(self.reduction, place), BLUE),
                Line("alone", level, GREY, dashed=True),
            ),
            (self.reduction, rising),
        )
