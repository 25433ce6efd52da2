"""What a user writes on the command line, read as numbers."""

import re
from collections.abc import Iterable
from inspect import signature
from typing import Any

from analysis.errors import AnalysisError
from analysis.hints import channels_last
from analysis.networks import find

EXPECTED = "HEIGHTxWIDTHxCHANNELS, three whole numbers from 1 to 999,999 such as 224x224x3"


def sizes(written: str) -> tuple[int, ...]:
    """Read `HEIGHTxWIDTHxCHANNELS`, for a module also one number, two, or four with the frames.

    Raises:
        AnalysisError: For anything but whole numbers from 1 to 999,999, and for a square image
            with its channels first.

    >>> sizes("227x227x3")
    (227, 227, 3)
    """
    parts = re.split("[x×]", written.strip().lower())
    if not all(re.fullmatch(r"0*[1-9][0-9]{0,5}", part) for part in parts) or len(parts) > 4:
        raise AnalysisError(f"--input must be {EXPECTED}, not {_short(written)!r}")
    read = tuple(int(part) for part in parts)
    if channels_last(read) and read[-1] == read[-2]:
        frames = "FRAMESx" if len(read) == 4 else ""
        raise AnalysisError(
            f"--input is {frames}HEIGHTxWIDTHxCHANNELS, channels last; for {written} write "
            f"{channels_last(read)}"
        )
    return read


def image(read: tuple[int, ...], written: str) -> dict[str, int]:
    """Name the three sizes of an image.

    Raises:
        AnalysisError: If there are not three.

    >>> image((227, 227, 3), "227x227x3")
    {'height': 227, 'width': 227, 'channels': 3}
    """
    if len(read) != 3:
        raise AnalysisError(f"--input must be {EXPECTED}, not {written!r}")
    return dict(zip(("height", "width", "channels"), read, strict=True))


def count(name: str, written: str, least: int = 0) -> int:
    """Read a whole number.

    Raises:
        AnalysisError: If it is none, less than `least`, or has more than six digits.

    >>> count("batch", "64")
    64
    """
    if not re.fullmatch(r"[0-9]{1,6}", written):
        raise AnalysisError(f"{name} must be a whole number up to 999,999, not {written!r}")
    if int(written) < least:
        raise AnalysisError(f"{name} must be {least} or more, not {written}")
    return int(written)


def settings(name: str, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Read a builder's own parameters, each converted to the type of its default.

    Raises:
        AnalysisError: For an unknown parameter, one that is given twice, or a value of another
            type; it says what is expected.

    >>> settings("inception-reduced", [("reduce_3x3", "32")])
    {'reduce_3x3': 32}
    """
    known = {one.name: one.default for one in signature(find(name)).parameters.values()}
    values: dict[str, Any] = {}
    for key, written in pairs:
        if key not in known:
            raise AnalysisError(f"{name} has no parameter {key!r}; it has {', '.join(known)}")
        if key in values:
            raise AnalysisError(f"{key} is given twice; give it once")
        values[key] = _converted(key, written, type(known[key]))
    return values


def _converted(key: str, written: str, to: type) -> Any:
    if to is bool:
        if written.lower() not in ("true", "false"):
            raise AnalysisError(f"{key} must be true or false, not {written!r}")
        return written.lower() == "true"
    return count(key, written) if to is int else written


def _short(written: str) -> str:
    return written if len(written) <= 40 else f"{written[:40]}…"
