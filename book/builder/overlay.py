"""What Sphinx reads for a chapter: the source's words and code, the executed copy's outputs."""

from typing import Any

import nbformat

from book.builder import trace
from book.builder.declared import assignments


def overlay(source: Any, executed: Any, parameters: dict[str, Any]) -> Any:
    """Return the notebook `source` with the outputs of `executed`, matched by cell id.

    Prose, comments, captions and tags are the source's own, so that editing them executes nothing.
    The `parameters` cell shows the values that were used.
    """
    outputs = {
        cell.id: trace.shown(cell.outputs) for cell in executed.cells if cell.cell_type == "code"
    }
    page = nbformat.from_dict(source)
    page.metadata = nbformat.from_dict({**executed.metadata, **source.metadata})
    for cell in page.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = [_without_count(output) for output in outputs.get(cell.id, [])]
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = with_values(cell.source, parameters)
    return page


def _without_count(output: Any) -> Any:
    """Return an output without its execution number, which differs from the page's own count."""
    if output.output_type == "execute_result":
        output.execution_count = None
    return output


def with_values(source: str, values: dict[str, Any]) -> str:
    """Return a parameters cell with other values in place of its defaults, comments kept.

    >>> with_values("epochs: int = 20  # passes", {"epochs": 2})
    'epochs: int = 2  # passes'
    """
    lines = source.splitlines()
    for name, value in assignments(source):
        if name in values and value.lineno == value.end_lineno:
            line = lines[value.lineno - 1].encode()  # ast counts bytes
            new = repr(values[name]).encode()
            replaced = line[: value.col_offset] + new + line[value.end_col_offset :]
            lines[value.lineno - 1] = replaced.decode()
    return "\n".join(lines)
