"""Parameter sets for a whole build: one YAML file each, with the parameters of every chapter."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from book.builder.errors import BookError
from book.builder.notebooks import defaults

#: Parameters by chapter; those under `*` go to every chapter that declares them.
Profile = Mapping[str, Mapping[str, Any]]


def load_profile(name: str, folder: Path) -> Profile:
    """Return the parameter set of that name in `folder`; an empty one without a name.

    Raises:
        BookError: there is no such set (the message lists those there are), or its file is no YAML.
    """
    if not name:
        return {}
    path = folder / f"{name}.yml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yml")))
        raise BookError(f"unknown profile {name!r}; known: {known or f'none in {folder}'}")
    try:
        profile: Profile = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise BookError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    return profile


def parameters_for(profile: Profile, docname: str, source: Path) -> dict[str, Any]:
    """Return what a profile says for a chapter, or for all chapters that declare it."""
    if not profile:
        return {}
    try:
        known = defaults(source)
    except BookError:  # no notebook: executing it will say so
        return {}
    shared = {name: value for name, value in profile.get("*", {}).items() if name in known}
    return shared | dict(profile.get(docname, {}))
