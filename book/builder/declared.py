"""What a notebook declares in its parameters cell."""

import ast
from collections.abc import Iterator
from typing import Any


def assignments(source: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield names and value expressions of a cell's plain or annotated assignments, in order."""
    for node in ast.parse(source).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value


def declared(source: str) -> dict[str, Any]:
    """Return names and default values that a `parameters` cell declares, in order.

    >>> declared("epochs: int = 20  # passes over the training set")
    {'epochs': 20}
    """
    return {name: ast.literal_eval(value) for name, value in assignments(source)}
