"""Parameter sets for a whole build: one YAML file each, with the parameters of every chapter."""

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from book.builder.errors import BookError
from book.builder.notebooks import check_values, defaults
from book.builder.yamls import read_mapping

#: Parameters by chapter; those under `*` go to every chapter that declares them.
Profile = Mapping[str, Mapping[str, Any]]

EVERY = "*"
SUFFIXES = (".yml", ".yaml")


def load_profile(name: str, folder: Path) -> Profile:
    """Return the parameter set of that name in `folder`, or in the file `name`; none without one.

    Raises:
        BookError: There is no such set (the message lists those there are), or its file is none.
    """
    if not name:
        return {}
    path = Path(name) if name.endswith(SUFFIXES) else folder / f"{name}.yml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yml")))
        raise BookError(f"unknown profile {name!r}; known: {known or f'none in {folder}'}")
    profile = read_mapping(path)
    for chapter, values in profile.items():
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise BookError(
                f"{path}: expected parameters with values under {chapter}, got {values!r}"
            )
    return profile


def check_profile(profile: Profile, chapters: Mapping[str, Path], name: str) -> None:
    """Refuse a parameter set that names what is not there, or has a value of another type.

    Raises:
        BookError: The message names it, and what there is.
    """
    for chapter, values in profile.items():
        if chapter == EVERY:
            _refuse_unknown(f"profile {name}: no chapter has", values, _all_declared(chapters))
            continue
        _refuse_unknown(f"profile {name}: unknown chapter", [chapter], chapters)
        known = _declared(chapters[chapter])
        if known is not None:
            _refuse_unknown(f"profile {name}: {chapter} has no parameter", values, known)
    for chapter, source in chapters.items():
        if _declared(source) is not None:
            try:
                check_values(source, parameters_for(profile, chapter, source))
            except BookError as error:
                raise BookError(f"profile {name}: {chapter}: {error}") from None


def _refuse_unknown(message: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise BookError(f"{message} {name!r}; {hint}known: {', '.join(known) or 'none'}")


def _all_declared(chapters: Mapping[str, Path]) -> list[str]:
    found = {name for path in chapters.values() for name in _declared(path) or {}}
    return sorted(found)


def _declared(source: Path) -> dict[str, Any] | None:
    """Return what a chapter declares; None where it cannot be read: executing it will say so."""
    try:
        return defaults(source)
    except BookError:
        return None


def parameters_for(profile: Profile, docname: str, source: Path) -> dict[str, Any]:
    """Return what a profile says for a chapter, or for all chapters that declare it."""
    if not profile:
        return {}
    known = _declared(source) or {}
    shared = {name: value for name, value in profile.get(EVERY, {}).items() if name in known}
    return shared | dict(profile.get(docname, {}))
