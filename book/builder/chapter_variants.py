"""A chapter with other parameters, as a page of its own beside the chapter.

A file `NAME.variant.yml`, listed in `_toc.yml` like any other page, holds the chapter's name, a
title, and parameters:

    chapter: tides
    title: Tides at neap
    parameters: {month: 3}
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from tabulate import tabulate

from book.builder.captions import with_directive
from book.builder.declared import literal
from book.builder.errors import BookError
from book.builder.notebooks import check_values, code_cells, defaults
from book.builder.yamls import read_mapping

SUFFIX = ".variant.yml"
KEYS = {"chapter": str, "title": str, "parameters": dict}
GLUED = "application/papermill.record/text/plain"

#: Where a page names a figure, table, equation or section, so that others can refer to it.
LABELS = re.compile(r"^\((\S+?)\)=$|^:(?:name|label):\s*(\S+)$", re.MULTILINE)
HEADING = re.compile(r"^# .*$", re.MULTILINE)


@dataclass(frozen=True)
class Variant:
    """A notebook with parameters of its own, and the title of its page."""

    notebook: Path
    title: str
    parameters: dict[str, Any]


def read(path: Path, root: Path) -> Variant:
    """Return the variant that a file describes.

    Raises:
        BookError: The file is none, names no chapter, or a parameter or value that it refuses.
    """
    content = read_mapping(path)
    for key, kind in KEYS.items():
        if not isinstance(content.get(key), kind):
            raise BookError(
                f"{path.name}: expected {key}: a {kind.__name__}; got {content.get(key)!r}"
            )
    if unknown := sorted(map(str, content.keys() - KEYS)):
        raise BookError(f"{path.name}: unknown {unknown[0]!r}; known: {', '.join(KEYS)}")
    places = [folder / f"{content['chapter']}.ipynb" for folder in (path.parent, root)]
    notebook = next((place for place in places if place.is_file()), None)
    if notebook is None:
        raise BookError(
            f"{path.name}: unknown chapter {content['chapter']!r}; looked for {places[0]}"
        )
    known = defaults(notebook)
    if strange := [name for name in content["parameters"] if name not in known]:
        raise BookError(
            f"{path.name}: {content['chapter']} has no parameter {strange[0]!r}; "
            f"known: {', '.join(known) or 'none'}"
        )
    try:
        check_values(notebook, content["parameters"])
    except BookError as error:
        raise BookError(f"{path.name}: {error}") from None
    return Variant(notebook, content["title"], content["parameters"])


def apart(page: Any, title: str, suffix: str, whole: Iterable[Any] = ()) -> Any:
    """Return a chapter's page under another title, its labels ending with `suffix`.

    No label may stand twice in a book; references to the page's own ones follow. A page that failed
    lacks some: which, the `whole` ones of other parameters tell.
    """
    page = nbformat.from_dict(page)
    own = {label for one in (page, *whole) for label in _labels(one)}
    labels = sorted(own, key=len, reverse=True)
    for cell in page.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if "name" in figure:
            figure["name"] += suffix
        if cell.cell_type == "markdown":
            cell.source = _relabelled(cell.source, labels, suffix)
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("text/markdown")
            if text is not None:
                output["data"]["text/markdown"] = _relabelled("".join(text), labels, suffix)
    first = next((cell for cell in page.cells if HEADING.search(cell.source)), None)
    if first is not None and first.cell_type == "markdown":
        first.source = HEADING.sub(lambda _: f"# {title}", first.source, count=1)
    return page


def suffix(docname: str) -> str:
    """Return what the labels of a variant's page end with."""
    return f"-{Path(docname).name}"


def title(page: Any) -> str:
    """Return a page's first heading; empty without one."""
    found = (HEADING.search(cell.source) for cell in page.cells if cell.cell_type == "markdown")
    return next((heading[0].removeprefix("# ") for heading in found if heading), "")


def _labels(page: Any) -> Iterator[str]:
    for cell in page.cells:
        yield from filter(None, [cell.metadata.get("mystnb", {}).get("figure", {}).get("name")])
        texts = [cell.source] if cell.cell_type == "markdown" else []
        for output in cell.get("outputs", []):
            texts.append("".join(with_directive(output).get("data", {}).get("text/markdown", "")))
        for text in texts:
            yield from (one or two for one, two in LABELS.findall(text))


def _relabelled(text: str, labels: Sequence[str], suffix: str) -> str:
    for label in labels:
        text = re.sub(
            rf"(?<=[`<(#]){re.escape(label)}(?=[`>)])|(?<=:name: ){re.escape(label)}$"
            rf"|(?<=:label: ){re.escape(label)}$",
            label + suffix,
            text,
            flags=re.MULTILINE,
        )
    return text


def glued(executed: Any) -> dict[str, str]:
    """Return what an executed copy glues, by name, as text."""
    outputs = [one for cell in code_cells(executed) for one in cell.outputs]
    return {
        output["metadata"]["scrapbook"]["name"]: "".join(output["data"][kind])
        for output in outputs
        for kind in (GLUED, "text/plain")  # the latter where the value is shown as well
        if "scrapbook" in output.get("metadata", {}) and kind in output.get("data", {})
    }


def comparison(columns: Mapping[str, tuple[Mapping[str, Any], Mapping[str, str]]]) -> Any:
    """Return a cell with a table of what several parameter sets of one chapter glue.

    `columns` has a heading for each set, its parameters and what it glued. Only what differs is
    shown.
    """
    sets = list(columns.values())
    rows = [
        *([f"`{name}`", *values] for name, values in _differing([given for given, _ in sets])),
        *([name, *values] for name, values in _differing([texts for _, texts in sets])),
    ]
    align = ["left", *["right"] * len(columns)]
    table = tabulate(rows, ["", *columns], "pipe", colalign=align, disable_numparse=True)
    text = f"## Parameter sets side by side\n\n{table}"
    return nbformat.v4.new_markdown_cell(text, id="convbook-variants")


def _differing(sets: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for name in dict.fromkeys(name for one in sets for name in one):
        values = [shown(one[name]) if name in one else "–" for one in sets]
        if len(set(values)) > 1:
            yield name, values


def shown(value: Any) -> str:
    """Return a glued value as the table shows it: numbers readable, a text as it is.

    >>> shown("143667240"), shown("0.86034123"), shown("'the same'"), shown(None)
    ('143,667,240', '0.8603', 'the same', 'None')
    """
    try:
        value = ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return value if isinstance(value, str) else literal(value)
