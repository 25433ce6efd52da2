"""What a book's `_config.yml` tells the builder: under `sphinx: config:`, in `convbook_NAME`.

A variable of the environment, `CONVBOOK_NAME`, counts before it.
"""

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
#: Those that a user gives one build; `CONVBOOK_RUNS` and others mean something else elsewhere.
ENVIRON = ("profile", "frozen", "allow_stale", "force", "only")
TRUE, FALSE = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


@dataclass(frozen=True)
class Options:
    """The builder's options; each has a default, with which a book needs none.

    Lists of names are texts with spaces between them.
    """

    profile: str = ""  # the parameter set of a build, by its name or its file
    profiles: str = "profiles"  # the folder of the parameter sets, from the book's root
    runs: str = ""  # what the book tells of its runs, as `module:object`; none when empty
    frozen: bool = False  # execute nothing: a stale chapter is an error
    allow_stale: bool = False  # when frozen, show it as it was executed instead
    force: str = ""  # chapters to execute though they are fresh; `*` is all
    only: str = ""  # chapters that alone may be executed; all may when empty
    preload: str = ""  # libraries that kernels share, such as `matplotlib.pyplot`
    rerun: str = "papermill {path} out.ipynb"  # executes a page; `{name}` is the page's own
    environment: str = ""  # variables of the book's own, such as `TIDES_*`

    @classmethod
    def of(cls, config: Mapping[str, Any], *, environ: bool = True) -> "Options":
        """Return the options of a Sphinx configuration, and of the environment if that counts.

        Raises:
            BookError: One has a value that it cannot have.
        """
        given = {}
        for field in fields(cls):
            value = config.get(PREFIX + field.name)
            chosen = environment.option(field.name) if environ and field.name in ENVIRON else ""
            given[field.name] = _parsed(field.name, chosen or value, field.default)
        return cls(**given)

    def resolve_runs(self) -> Runs:
        """Return what the book tells of its runs.

        Raises:
            BookError: There is no such object.
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

    def command(self, name: str, path: str) -> str:
        """Return the command that executes a page again: its name, and its notebook's path."""
        return self.rerun.replace("{name}", name).replace("{path}", path)


def _parsed(name: str, value: Any, default: Any) -> Any:
    if value is None or value == "":
        return default
    if not isinstance(default, bool):
        if not isinstance(value, str):
            raise BookError(f"{PREFIX}{name}: expected a text, got {value!r}")
        return value
    word = str(value).lower()
    if word not in TRUE | FALSE:
        raise BookError(f"{PREFIX}{name}: expected true or false, got {value!r}")
    return word in TRUE


def book_root(folder: Path) -> Path:
    """Return the nearest folder from `folder` up that holds `_config.yml`; else `folder` itself.

    A single page is built from the chapter's own folder.
    """
    folder = folder.resolve()
    return next(
        (place for place in (folder, *folder.parents) if (place / "_config.yml").exists()), folder
    )


def read_options(root: Path, *, environ: bool = True) -> Options:
    """Return the options of the book in `root`, and of the environment, where `ENVIRON` names them.

    Raises:
        BookError: Its `_config.yml` cannot be read, or says what cannot be.
    """
    path = root / "_config.yml"
    if not path.is_file():
        return Options.of({}, environ=environ)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        config = (content.get("sphinx") or {}).get("config") or {}
        return Options.of(config, environ=environ)
    except (yaml.YAMLError, AttributeError) as error:
        raise BookError(f"{path} is no configuration: {' '.join(str(error).split())}") from None
