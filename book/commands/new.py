"""`python -m book new PART/NAME`: a chapter that builds, listed in the book's contents.

It is a copy of `new_chapter.ipynb`, beside this module, under names of its own.
"""

import argparse
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from sphinx_external_toc.parsing import MalformedError, parse_toc_data

from book.builder.chapters import find_book
from book.builder.errors import BookError
from models.files import write_atomically

TEMPLATE = Path(__file__).with_name("new_chapter.ipynb")
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
ENTRY = re.compile(r"(?P<indent> *)- file: *[\"']?(?P<name>[^\s#\"']+)")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the chapter's name and title."""
    place = "its folder, from the book's root or the folder book, and its name: small letters and _"
    command.add_argument("chapter", metavar="PART/NAME", help=place)
    title = "its title (default: its name)"
    command.add_argument("--title", default="", metavar="TEXT", help=title)


def main(options: argparse.Namespace) -> int:
    """Write the chapter, list it, and say where both are.

    Raises:
        BookError: The name is none or taken, its folder is not there, or the contents cannot be
            added to.
    """
    book = find_book(Path.cwd())
    book.chapters()  # refuses what is no book
    root = book.root
    docname = free_name(root, options.chapter)
    toc = root / "_toc.yml"
    contents, line = listed(toc, docname)
    stem = docname.rpartition("/")[2]
    path = root / f"{docname}.ipynb"
    write_atomically(path, notebook(stem, options.title).encode())
    write_atomically(toc, contents.encode())
    print(f"wrote {path}, listed in line {line} of {toc}: python -m book preview {stem}")
    return 0


def free_name(root: Path, chapter: str) -> str:
    """Return the name of a chapter that is not there yet, in a folder that is.

    Raises:
        BookError: The name is none or taken, or the folder is not there.
    """
    folder, _, stem = chapter.removesuffix(".ipynb").removeprefix("./").rpartition("/")
    if not NAME.fullmatch(stem):
        raise BookError(
            f"expected a name of small letters, digits and _, such as batch_norm; got {stem!r}"
        )
    places = [place for place in (folder, f"book/{folder}") if (root / place).is_dir()]
    if not places or ".." in folder.split("/"):
        raise BookError(f"expected a folder of this book, but there is no {root / folder}")
    docname = f"{places[0]}/{stem}".lstrip("/")
    taken = [path for path in (root / places[0]).glob(f"{stem}.*") if path.suffix != ".py"]
    if taken:
        raise BookError(f"{taken[0]} is there already: choose another name")
    return docname


def listed(toc: Path, docname: str) -> tuple[str, int]:
    """Return contents that list one more chapter, in the file's own layout, and in which line.

    It stands after the last chapter of its folder; after the last of all, where it is the first.

    Raises:
        BookError: The file cannot be read, lists the chapter already, or cannot be added to.
    """
    text = toc.read_text(encoding="utf-8")
    before = names(text, toc)
    if docname in before:
        raise BookError(f"{toc} lists {docname} already: choose another name")
    lines = text.splitlines(keepends=True)
    place, indent = _place(lines, docname.rpartition("/")[0])
    lines[place - 1] = lines[place - 1].rstrip("\n") + "\n"
    added = "".join([*lines[:place], f"{indent}- file: {docname}\n", *lines[place:]])
    if not place or names(added, toc) != before | {docname}:
        raise BookError(f"cannot see where to add {docname} to {toc}: list it by hand first")
    return added, place + 1


def _place(lines: Sequence[str], folder: str) -> tuple[int, str]:
    """Return before which line an entry of a folder belongs, and its indent; 0 for nowhere."""
    entries = {number: found for number, line in enumerate(lines) if (found := ENTRY.match(line))}
    kin = [n for n, found in entries.items() if found["name"].rpartition("/")[0] == folder]
    last = max(kin or entries, default=None)
    if last is None:
        return 0, ""
    indent = entries[last]["indent"]
    rest = itertools.takewhile(
        lambda line: not line.strip() or line.startswith(f"{indent} "), lines[last + 1 :]
    )
    own = [number for number, line in enumerate(rest, start=1) if line.strip()]
    return last + 1 + max(own, default=0), indent


def names(text: str, toc: Path) -> set[str]:
    """Return the pages that the text of a table of contents lists.

    Raises:
        BookError: It is none.
    """
    try:
        return {name.removesuffix(".ipynb") for name in parse_toc_data(yaml.safe_load(text))}
    except (MalformedError, yaml.YAMLError, TypeError, AttributeError) as error:
        raise BookError(f"{toc} is no table of contents: {' '.join(str(error).split())}") from error


def notebook(stem: str, title: str) -> str:
    """Return the template as the chapter of that name, as JSON."""
    words = title.strip() or stem.replace("_", " ").capitalize()
    text = TEMPLATE.read_text(encoding="utf-8")
    text = text.replace("new_chapter", stem).replace("new-chapter", stem.replace("_", "-"))
    return text.replace("# New chapter", "# " + json.dumps(words, ensure_ascii=False)[1:-1])
