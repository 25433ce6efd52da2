"""Boxes that say where a chapter's numbers come from, and what to distrust, on screen and paper."""

from collections.abc import Iterator, Sequence
from typing import Any

import nbformat

from book.builder.declared import literal
from book.builder.runs import Origin, Runs
from book.builder.stamps import Stamp


def add_boxes(page: Any, stamp: Stamp, runs: Runs, causes: Sequence[str] = ()) -> None:
    """Add Markdown cells to the page of a chapter with this stamp, stale for these `causes`.

    The last cell says what it was made from; a warning for each thing to distrust comes under the
    title, before any number.
    """
    *warnings, origin = [
        _markdown(text, f"convbook-box-{place}")
        for place, text in enumerate(_texts(stamp, runs.origin(list(stamp.runs)), causes))
    ]
    page.cells[1:1] = warnings
    page.cells.append(origin)


def _texts(stamp: Stamp, origin: Origin, causes: Sequence[str]) -> Iterator[str]:
    if stamp.error:
        yield _failure(stamp)
    if causes:
        yield _stale(causes)
    yield from (f":::{{warning}}\n{warning}\n:::" for warning in origin.warnings)
    yield _origin(stamp, origin.lines)


def unreadable(title: str, message: str) -> Any:
    """Return the page of a chapter that cannot be read."""
    warning = f":::{{error}}\nThis chapter cannot be shown.\n\n```text\n{message}\n```\n:::"
    cells = [_markdown(f"# {title}\n\n{warning}", "convbook-box")]
    return nbformat.v4.new_notebook(cells=cells)


def _markdown(text: str, name: str) -> Any:
    return nbformat.v4.new_markdown_cell(text, id=name)


def _failure(stamp: Stamp) -> str:
    last_line = _plain(stamp.last_line or "")
    return (
        ":::{error}\n"
        "This chapter failed when it was last executed; what it shows ends where it failed.\n\n"
        f"```text\n{last_line}\n```\n:::"
    )


def _stale(causes: Sequence[str]) -> str:
    return (
        ":::{warning}\n"
        "This chapter is stale: it shows what was executed, before this:\n\n"
        f"```text\n{chr(10).join(causes)}\n```\n:::"
    )


def _origin(stamp: Stamp, lines: Sequence[str]) -> str:
    texts = [f"Executed {stamp.date[:10]} in {stamp.seconds:.0f} s{_edition(stamp)}"]
    if stamp.libraries:
        names = (f"{name} {version}" for name, version in stamp.libraries.items())
        texts.append(f"Libraries: {', '.join(names)}")
    if stamp.parameters:
        values = (f"`{name} = {literal(value)}`" for name, value in stamp.parameters.items())
        texts.append(f"Parameters: {', '.join(values)}")
    return (
        ":::{admonition} Where these numbers come from\n:class: note provenance\n"
        + "\n".join(f"- {text}." for text in [*texts, *lines])
        + "\n:::"
    )


def _edition(stamp: Stamp) -> str:
    """Return which version of the book it was, and at which commit, as far as is known."""
    commit, dirty, _ = stamp.commit.partition("-dirty")
    told = [f"version {stamp.version}"] if stamp.version else []
    if commit:
        told.append(f"commit `{commit}`" + (" with uncommitted changes" if dirty else ""))
    return f" ({', '.join(told)})" if told else ""


def _plain(text: str) -> str:
    from papermill.exceptions import strip_color

    return str(strip_color(text))
