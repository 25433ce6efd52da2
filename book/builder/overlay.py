"""What Sphinx reads for a chapter: the source's words and code, the executed copy's outputs."""

from typing import Any

import nbformat

from book.builder import captions, trace
from book.builder.declared import with_values
from book.builder.errors import BookError
from book.builder.notebooks import code_cells, tags

#: Tags of cells that an execution puts in, and that are none of the chapter's.
PUT_IN = {"injected-parameters", "papermill-error-cell-tag"}


def overlay(source: Any, executed: Any, parameters: dict[str, Any]) -> Any:
    """Return the notebook `source` with the outputs of `executed`, whose code is the same.

    Code cells are matched by their order. Prose, comments, captions and tags are the source's own,
    so that editing them executes nothing. The `parameters` cell shows the values that were used.
    """
    page = nbformat.from_dict(source)
    page.metadata = nbformat.from_dict({**executed.metadata, **source.metadata})
    for cell, copy in zip(code_cells(page), code_cells(without_trace(executed)), strict=False):
        cell.outputs = [_as_shown(output) for output in trace.shown(copy.outputs)]
    for cell in code_cells(page):
        if "parameters" in tags(cell):
            cell.source = _with_values(cell.source, parameters)
    return page


def as_executed(executed: Any, parameters: dict[str, Any]) -> Any:
    """Return an executed copy as it was executed: its own words, code and outputs."""
    own = without_trace(executed)
    return overlay(own, own, parameters)


def without_trace(executed: Any) -> Any:
    """Return an executed copy without the cells that its execution put in."""
    own = nbformat.from_dict(executed)
    own.cells = [
        cell for cell in own.cells if cell.id != trace.CELL and not PUT_IN & set(tags(cell))
    ]
    return own


def _as_shown(output: Any) -> Any:
    """Return an output with its caption, without its number, which differs from the page's own."""
    if output.output_type == "execute_result":
        output.execution_count = None
    return captions.with_directive(output)


def _with_values(source: str, values: dict[str, Any]) -> str:
    try:
        return with_values(source, values)
    except BookError:  # no Python: shown as it is
        return source
