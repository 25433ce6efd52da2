"""What a book's `_config.yml` tells the builder: under `sphinx: config:`, in `convbook_NAME`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import yaml

from book.builder import environment
from book.builder.errors import BookError
from book.builder.runs import Runs

PREFIX = "convbook_"


@dataclass(frozen=True)
class Options:
    """The builder's options; each has a default, with which a book needs none."""

    profile: str = ""  # the parameter set of a build; `CONVBOOK_PROFILE` where it is not given
    profiles: str = "profiles"  # the folder of the parameter sets, from the book's root
    runs: str = ""  # what the book tells of its runs, as `module:object`; none when empty

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Options":
        """Return the options that a Sphinx configuration holds."""
        defaults = cls(profile=environment.profile())
        return cls(
            **{
                field.name: str(config.get(PREFIX + field.name) or getattr(defaults, field.name))
                for field in fields(cls)
            }
        )

    def resolve_runs(self) -> Runs:
        """Return what the book tells of its runs.

        Raises:
            BookError: there is no such object.
        """
        if not self.runs:
            return Runs()
        try:
            found = resolve_name(self.runs)
        except (ImportError, AttributeError, ValueError) as error:
            raise BookError(
                f"{PREFIX}runs: expected the module:object that tells of this book's runs, "
                f"got {self.runs!r} ({error})"
            ) from None
        if not isinstance(found, Runs):
            raise BookError(
                f"{PREFIX}runs: expected an object of the class {Runs.__module__}.Runs, "
                f"but {self.runs} is {found!r}"
            )
        return found


def book_root(folder: Path) -> Path:
    """Return the nearest folder from `folder` up that holds `_config.yml`; else `folder` itself.

    A single page is built from the chapter's own folder.
    """
    folder = folder.resolve()
    return next(
        (place for place in (folder, *folder.parents) if (place / "_config.yml").exists()), folder
    )


def read_options(root: Path) -> Options:
    """Return the options of the book in `root`.

    Raises:
        BookError: its `_config.yml` cannot be read.
    """
    path = root / "_config.yml"
    if not path.is_file():
        return Options.of({})
    try:
        content = yaml.safe_load(path.read_text()) or {}
        return Options.of((content.get("sphinx") or {}).get("config") or {})
    except (yaml.YAMLError, AttributeError) as error:
        raise BookError(f"{path} is no configuration: {' '.join(str(error).split())}") from None
