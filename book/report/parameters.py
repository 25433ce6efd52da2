"""Chapter parameters: declared in a notebook's first code cell, checked before any work.

papermill injects whatever it is given, known or not, of any type. A chapter therefore begins its
second code cell with `check`, which compares what came with what the `parameters` cell declares.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from book.builder.declared import declared
from models.data.datasets import DATASETS


class ParameterError(ValueError):
    """A chapter parameter that is unknown or has an impossible value."""


@dataclass(frozen=True)
class Kind:
    """What a parameter accepts: the words for it, and the test."""

    expected: str
    accepts: Callable[[Any], bool]


def whole(minimum: int) -> Kind:
    """Accept whole numbers from `minimum` on."""

    def accepts(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= minimum

    return Kind(f"a whole number of at least {minimum}", accepts)


def number(minimum: float, below: float = math.inf, *, inclusive: bool = True) -> Kind:
    """Accept finite numbers from `minimum` (itself included or not) up to, without, `below`."""
    bounds = f"{'at least' if inclusive else 'above'} {minimum:g}"
    if below < math.inf:
        bounds += f" and below {below:g}"

    def accepts(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        enough = value >= minimum if inclusive else value > minimum
        return enough and value < below and math.isfinite(value)

    return Kind(f"a number {bounds}", accepts)


def one_of(names: Iterable[str]) -> Kind:
    """Accept one of some names."""
    known = tuple(names)
    return Kind(f"one of {', '.join(known)}", lambda value: value in known)


def some_of(names: Iterable[str]) -> Kind:
    """Accept some of several names, each at most once, with commas between them: see `listed`."""
    known = tuple(names)

    def accepts(value: Any) -> bool:
        chosen = listed(value) if isinstance(value, str) else [""]
        return len(set(chosen)) == len(chosen) and set(chosen) <= set(known)

    return Kind(f"some of {', '.join(known)}, with commas between them", accepts)


def wholes(minimum: int) -> Kind:
    """Accept whole numbers from `minimum` on, each once, with commas between them: see `listed`."""

    def accepts(value: Any) -> bool:
        chosen = listed(value) if isinstance(value, str) else []
        numbers = [int(one) for one in chosen if one.isdecimal()]
        each_once = len(set(numbers)) == len(chosen)
        return bool(numbers) and each_once and min(numbers) >= minimum

    return Kind(f"whole numbers of at least {minimum}, with commas between them", accepts)


def listed(text: str) -> list[str]:
    """Return the names of a list with commas.

    >>> listed("layer, group"), listed("")
    (['layer', 'group'], [])
    """
    return [name.strip() for name in text.split(",")] if text.strip() else []


def at_least_one(kind: Kind) -> Kind:
    """Accept the lists that `kind` accepts, but none that is empty."""
    expected = f"{kind.expected}, at least one"
    return Kind(expected, lambda value: kind.accepts(value) and value.strip() != "")


def or_none(kind: Kind) -> Kind:
    """Accept what `kind` accepts, or None."""
    return Kind(f"{kind.expected}, or None", lambda value: value is None or kind.accepts(value))


INJECTED = "# Parameters\n"  # what papermill's own cell begins with

SIZE = whole(1)
RATE = number(0, inclusive=False)
PROBABILITY = number(0, below=1)

#: One vocabulary for the whole book: a parameter of this name means the same in every chapter.
VOCABULARY: Mapping[str, Kind] = {
    "dataset": one_of(DATASETS),
    "epochs": SIZE,
    "seeds": SIZE,
    "train_size": or_none(whole(10)),
    "batch_size": SIZE,
    "lr": RATE,
    "dropout": PROBABILITY,
    "input_dropout": PROBABILITY,
    "tuning_epochs": SIZE,
    "tuning_seeds": SIZE,
    "source_lr": RATE,
    "source_seeds": SIZE,
    "long_epochs": SIZE,
    "long_seeds": SIZE,
    "small_seeds": SIZE,
    "sweep_epochs": SIZE,
    "sweep_seeds": SIZE,
    "batch": SIZE,
    "height": SIZE,
    "width": SIZE,
    "channels": SIZE,
    "classes": SIZE,
    "kernel": SIZE,
    "layers": SIZE,
    "filters": SIZE,
}


def validate(
    defaults: Mapping[str, Any], given: Mapping[str, Any], kinds: Mapping[str, Kind]
) -> None:
    """Compare the values `given` with the declared `defaults` and the `kinds` accepted.

    Raises:
        ParameterError: Names the parameter, what was expected and what came.
    """
    for name, value in given.items():
        if name not in defaults:
            close = difflib.get_close_matches(name, defaults, n=1)
            hint = f" did you mean {close[0]!r}?" if close else ""
            raise ParameterError(
                f"unknown parameter {name!r};{hint} this chapter accepts {', '.join(defaults)}"
            )
        kind = kinds.get(name) or VOCABULARY.get(name)
        if kind is None:
            raise TypeError(
                f"the chapter declares {name!r} without saying what it accepts: check({name}=…)"
            )
        if not kind.accepts(value):
            raise ParameterError(f"{name} must be {kind.expected}; got {value!r}")


def check(**kinds: Kind) -> None:
    """Check this chapter's parameters; call it in the first cell after the one tagged `parameters`.

    `kinds` says what the chapter's own parameters accept, beside the book's `VOCABULARY`.

    Raises:
        ParameterError: Names the parameter, what was expected and what came.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise RuntimeError(
            "check() belongs in a notebook: it compares its cells; outside one call validate()"
        )
    namespace = shell.user_ns
    declaration, *others = namespace["In"][1:-1]  # the first cell that ran is the one that declares
    injected = [source for source in others if source.startswith(INJECTED)]
    defaults = declared(declaration)
    given = [name for source in injected for name in declared(source)]
    validate(defaults, {name: namespace[name] for name in [*defaults, *given]}, kinds)
