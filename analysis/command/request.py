"""What is asked on the command line, checked: no flag is empty, and none contradicts another."""

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from analysis.command import written
from analysis.command.factories import Factory, channels_first, from_file, torchvision_model
from analysis.command.sources import BuiltIn, Module, Source
from analysis.errors import AnalysisError
from analysis.hints import channels_last
from analysis.networks import find


@dataclass(frozen=True)
class Request:
    """The flags of one call, and the networks that they ask about."""

    flags: Namespace
    sources: tuple[Source, ...]

    @property
    def depth(self) -> int | None:
        """How many names of a layer's path stay apart; None for all."""
        asked = self.flags.depth
        return None if asked is None else written.count("depth", asked)


def request(flags: Namespace) -> Request:
    """Check the flags and find the networks.

    Raises:
        AnalysisError: For flags that contradict one another, or a network that nobody knows.
    """
    for problem in _problems(flags):
        raise AnalysisError(problem)
    names = flags.diff or [flags.network]
    return Request(flags, tuple(source(name, flags) for name in names))


def meant(flags: Namespace) -> str:
    """Return what an input with its channels first was meant to be, or nothing."""
    turned = filter(None, (channels_last(written.sizes(one)) for one in flags.input or ()))
    told = "--input has its channels last: did you mean {}?"
    return next(map(told.format, turned), "")


def _problems(flags: Namespace) -> Iterable[str]:
    """Yield what is wrong with the flags as they stand together."""
    if flags.diff and flags.network is not None:
        yield f"--diff takes two networks and compares them; leave out {flags.network}"
    if not flags.diff and flags.network is None:
        yield "which NETWORK? Name one, vgg19 for example (see python -m analysis --help)"
    if flags.format == "javascript" and not (flags.closed_form or flags.diff):
        yield "--format javascript writes closed forms; add --closed-form"
    yield from _without_memory(flags)
    yield from _out_of_place(flags)
    yield from _twice(flags)


def _without_memory(flags: Namespace) -> Iterable[str]:
    if flags.memory != "training" and flags.optimizer is not None:
        yield "--optimizer belongs to --memory training; add it, or leave --optimizer out"
    if flags.memory is None and flags.precision is not None:
        yield "--precision belongs to --memory; add it, or leave --precision out"


def _out_of_place(flags: Namespace) -> Iterable[str]:
    """Yield flags that have no place in what is printed."""
    if flags.diff and flags.format == "javascript":
        yield "--diff has no closed form; take another format than javascript"
    asked = [name for name in _PRINTED if getattr(flags, name) not in (None, False)]
    for name in asked:
        flag = f"--{name.replace('_', '-')}"
        if flags.diff:
            yield f"--diff compares rows and totals; leave out {flag}"
        if flags.format in ("csv", "javascript") and name != "depth":
            yield f"--format {flags.format} has no place for {flag}; take another, json for one"


def _twice(flags: Namespace) -> Iterable[str]:
    given = {"batch": flags.batch, "height": flags.input}
    given |= {"width": flags.input, "channels": flags.input}
    for key, _ in flags.parameter:
        if given.get(key) is not None:
            yield f"{key} is given twice; give it once"


Given = TypeVar("Given")

_AFTER_THE_COLON = "write torchvision:MODEL or path/to/file.py:FACTORY"
_PRINTED = ("memory", "convention", "show_calculation", "depth")


def source(name: str, flags: Namespace) -> Source:
    """Find a network by what a user calls it.

    Raises:
        AnalysisError: For a name that nobody knows; it says what may be meant.
    """
    place, colon, rest = name.rpartition(":")
    if not colon:
        return _built_in(name, flags)
    if flags.parameter:
        raise AnalysisError(f"--parameter belongs to built-in networks; {name} makes its own")
    if not rest:
        raise AnalysisError(f"{name} names nothing after the colon; {_AFTER_THE_COLON}")
    factory, shapes = _made(name, place, rest, tuple(map(written.sizes, flags.input or ())))
    batch = None if flags.batch is None else written.count("batch", flags.batch, 1)
    return Module(rest, factory, shapes, batch, flags.closed_form, _dtypes(flags, len(shapes)))


def _made(
    name: str, place: str, rest: str, inputs: tuple[tuple[int, ...], ...]
) -> tuple[Factory, tuple[tuple[int, ...], ...]]:
    """Return what makes a module, and the shapes of its inputs, channels first."""
    if place == "torchvision":
        factory, shape = torchvision_model(rest, _only(name, inputs))
        return factory, (shape,)
    if not place.endswith(".py"):
        raise AnalysisError(
            f"unknown network {name!r}; write torchvision:MODEL, path/to/file.py:FACTORY or the "
            "name of a built-in network"
        )
    if not inputs:
        raise AnalysisError(f"{name} needs --input HEIGHTxWIDTHxCHANNELS, the size to read at")
    return from_file(Path(place), rest), tuple(map(channels_first, inputs))


def _only(name: str, inputs: Sequence[Given]) -> Given | None:
    """Return the one input that is given, if any is."""
    if len(inputs) > 1:
        raise AnalysisError(f"{name} has one input, not {len(inputs)}; give --input once")
    return next(iter(inputs), None)


def _dtypes(flags: Namespace, inputs: int) -> tuple[str, ...]:
    given = tuple(flags.dtype or ())
    if len(given) > 1 and len(given) != inputs:
        raise AnalysisError(
            f"--dtype is given {len(given)} times for {inputs} of --input; give one for all, or "
            "one for each in the same order"
        )
    return given


def _built_in(name: str, flags: Namespace) -> BuiltIn:
    find(name)
    if flags.dtype is not None:
        raise AnalysisError(f"--dtype belongs to modules that are read; {name} is built in")
    pairs = [*flags.parameter, *([] if flags.batch is None else [("batch", flags.batch)])]
    given: dict[str, Any] = written.settings(name, pairs)
    if flags.input is not None:
        _only(name, flags.input)
        given |= written.image(written.sizes(flags.input[0]), flags.input[0])
    return BuiltIn(name, given, flags.closed_form)
