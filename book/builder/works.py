"""The works that a book cites, in words: for where no Sphinx sets them."""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from book.builder.plain_words import escaped
from book.builder.yamls import read_mapping

MANY = 2  # authors who are all named
NEEDLESS = re.compile(r"\\([-.()])")  # what pybtex escapes, and means nothing within a line


@dataclass(frozen=True)
class Work:
    """A cited work: its authors, its year, and the entry of a list of references, in Markdown."""

    authors: str
    year: str
    entry: str


def works(root: Path) -> Mapping[str, Work]:
    """Return the works of the book in `root`, by their keys, in the order of a list of them."""
    path = root / "_config.yml"
    config = read_mapping(path) if path.is_file() else {}
    listed = config.get("bibtex_bibfiles") or ()
    files = [root / name for name in listed if (root / name).is_file()]
    return _read(tuple((file, file.stat().st_mtime_ns) for file in files))


@functools.lru_cache(maxsize=4)
def _read(files: Iterable[tuple[Path, int]]) -> Mapping[str, Work]:
    """Return the works of files at those times."""
    from pybtex.database.input.bibtex import Parser

    found: dict[str, Work] = {}
    for path, _ in files:
        bibliography = Parser().parse_file(path)
        found |= dict(_formatted(bibliography))
    return found


def _formatted(bibliography: Any) -> Iterable[tuple[str, Work]]:
    from pybtex.backends.markdown import Backend
    from pybtex.style.formatting.plain import Style

    backend = Backend("utf-8")
    for one in Style().format_bibliography(bibliography):
        entry = bibliography.entries[one.key]
        people = entry.persons.get("author") or entry.persons.get("editor") or ()
        names = [_last_name(person) for person in people]
        text = " ".join(NEEDLESS.sub(r"\1", one.text.render(backend)).split())
        yield one.key, Work(_together(names), escaped(entry.fields.get("year", "")), text)


def _last_name(person: Any) -> str:
    parts = [*person.rich_prelast_names, *person.rich_last_names]
    return escaped(" ".join(map(str, parts)))


def _together(names: list[str]) -> str:
    """Return who wrote a work, in words.

    >>> _together(["Ioffe", "Szegedy"]), _together(["LeCun", "Bottou", "Bengio"])
    ('Ioffe and Szegedy', 'LeCun et al.')
    """
    return " and ".join(names) if len(names) <= MANY else f"{names[0]} et al."
