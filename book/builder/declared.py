"""What a notebook declares in its parameters cell, and how it shows other values there."""

import ast
import io
import math
import tokenize
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from book.builder.errors import BookError


def assignments(source: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield names and value expressions of a cell's plain or annotated assignments, in order.

    Raises:
        BookError: The cell is no Python.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise BookError(f"the parameters cell is no Python: {error}") from None
    for node in body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value


def declared(source: str) -> dict[str, Any]:
    """Return names and default values that a `parameters` cell declares, in order.

    Raises:
        BookError: The cell is no Python, or a default is no literal.

    >>> declared("epochs: int = 20  # passes over the training set")
    {'epochs': 20}
    """
    return {name: _value(name, value) for name, value in assignments(source)}


def meanings(source: str) -> dict[str, str]:
    """Return the comments beside the parameters that a cell declares, or in the lines above them.

    Raises:
        BookError: The cell is no Python.

    >>> meanings("epochs: int = 20  # passes over the training set")
    {'epochs': 'passes over the training set'}
    """
    comments, alone = _comments(source)
    found = {}
    for name, node in assignments(source):
        last = node.end_lineno or node.lineno
        first = next(line for line in range(node.lineno - 1, -1, -1) if line not in alone)
        above = [comments[line] for line in range(first + 1, node.lineno)]
        found[name] = comments.get(last) or " ".join(above)
    return found


def _comments(source: str) -> tuple[dict[int, str], set[int]]:
    """Return a cell's comments by their lines, and the lines that hold nothing else."""
    comments, alone = {}, set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            comments[line] = token.string.lstrip("#: ").strip()
            if not token.line[:column].strip():
                alone.add(line)
    return comments, alone


def _value(name: str, node: ast.expr) -> Any:
    text = ast.unparse(node)
    if text in ("float('nan')", "float('inf')", "float('-inf')"):
        return float(text[7:-2])
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise BookError(
            f"expected a literal as the default of the parameter {name}, such as 5 or 'text'; "
            f"got {text}"
        ) from None


def literal(value: Any) -> str:
    """Return a value as Python code writes it.

    >>> literal(0.5), literal(float("nan"))
    ('0.5', "float('nan')")
    """
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    return repr(value)


def with_values(source: str, values: dict[str, Any]) -> str:
    """Return a parameters cell with other values in place of its defaults, comments kept.

    >>> with_values("epochs: int = 20  # passes", {"epochs": 2})
    'epochs: int = 2  # passes'
    """
    text = source.encode()  # ast counts bytes
    starts = list(accumulate(map(len, text.splitlines(keepends=True)), initial=0))
    for name, node in reversed(list(assignments(source))):
        if name in values and node.end_lineno and node.end_col_offset is not None:
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            text = text[:begin] + literal(values[name]).encode() + text[end:]
    return text.decode()
