"""A book's table of contents: the pages that `_toc.yml` lists, and what is wrong with it."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from sphinx_external_toc.api import FileItem, GlobItem, SiteMap
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

from book.builder import chapter_variants
from book.builder.errors import BookError

SUFFIXES = (".ipynb", ".md", ".rst", chapter_variants.SUFFIX)
CODE_CELL = re.compile(r"^\s*(?:`{3,}|:{3,}|~{3,})\s*\{code-cell\}", re.MULTILINE)


def listed(root: Path) -> dict[str, Path | None]:
    """Return the files of all pages that the contents list, in order; None where none is.

    Patterns (`glob: part/*`) stand for the pages that they match, sorted.

    Raises:
        BookError: There is no book, or its table of contents cannot be read.
    """
    toc = root / "_toc.yml"
    if not toc.is_file():
        raise BookError(
            f"expected a book (_config.yml and _toc.yml) in {root} or above: "
            "change to the book's folder"
        )
    try:
        site = parse_toc_yaml(toc)
    except (MalformedError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BookError(f"{toc} is no table of contents: {' '.join(str(error).split())}") from error
    return {name: _file(root, name) for name in _names(site, site.root.docname, root)}


def _names(site: SiteMap, docname: str, root: Path) -> Iterator[str]:
    """Yield a page and what stands below it."""
    yield _stem(docname)
    trees = site[docname].subtrees if docname in site else []
    for item in (item for tree in trees for item in tree.items):
        if isinstance(item, FileItem):
            yield from _names(site, str(item), root)
        elif isinstance(item, GlobItem):
            yield from _matching(root, str(item))


def _matching(root: Path, pattern: str) -> list[str]:
    found = (path for suffix in ("", *SUFFIXES) for path in root.glob(pattern + suffix))
    names = {path.relative_to(root).as_posix() for path in found if path.name.endswith(SUFFIXES)}
    return sorted(map(_stem, names))


def _stem(name: str) -> str:
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(suffix)


def _file(root: Path, name: str) -> Path | None:
    paths = (root / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def problems(root: Path) -> list[str]:
    """Return what is wrong with the contents, a line each.

    Raises:
        BookError: There is no book, or its table of contents cannot be read.
    """
    return [problem for name, path in listed(root).items() for problem in _problems(name, path)]


def _problems(name: str, path: Path | None) -> Iterator[str]:
    if path is None:
        yield f"_toc.yml lists {name}, but there is no such file ({', '.join(SUFFIXES)})"
    elif path.suffix == ".md" and CODE_CELL.search(path.read_text("utf-8", errors="replace")):
        yield (
            f"{name}.md has code cells, which are executed only in notebooks: "
            f"convert it (jupytext --to ipynb {name}.md)"
        )
