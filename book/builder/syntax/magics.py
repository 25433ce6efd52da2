"""Code cells as plain Python: IPython's magics translated, or known to be beyond that."""

import ast
from collections.abc import Sequence

HARMLESS = ("config", "matplotlib", "precision")
CODE = ("capture", "prun", "time", "timeit")  # their text is code of the chapter
CALLS = ("run_cell_magic", "run_line_magic")


def plain(cells: Sequence[str]) -> ast.Module | None:
    """Return all cells as one program; None where one of them can do more than syntax tells."""
    program = ast.Module([], [])
    for cell in cells:
        tree = _parsed(cell)
        if tree is None:
            return None
        program.body += tree.body
    return program


def _parsed(cell: str) -> ast.Module | None:
    try:
        return ast.parse(cell)
    except (SyntaxError, ValueError):
        return _translated(cell)


def _translated(cell: str) -> ast.Module | None:
    """Return a cell with magics as IPython understands it."""
    try:
        from IPython.core.inputtransformer2 import TransformerManager
    except ImportError:
        return None
    try:
        tree = ast.parse(TransformerManager().transform_cell(cell))
    except (SyntaxError, ValueError):
        return None
    program = ast.Module([], [])
    for statement in tree.body:
        known = _known(statement)
        if known is None:
            return None
        program.body += known.body
    return program


def _known(statement: ast.stmt) -> ast.Module | None:
    """Return a statement, or the code that a magic executes; None where it can do anything."""
    called = _magic(statement)
    if called is None:
        asks = any(
            isinstance(one, ast.Name) and one.id == "get_ipython" for one in ast.walk(statement)
        )
        return None if asks else ast.Module([statement], [])
    name, *texts = called
    if name in CODE:
        return plain(texts[-1:])
    return ast.Module([], []) if name in HARMLESS else None


def _magic(statement: ast.stmt) -> list[str] | None:
    """Return the texts that a magic is called with, if a statement is nothing but one."""
    match statement:
        case ast.Expr(
            ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), call), arguments)
        ) if call in CALLS:
            return [str(one.value) for one in arguments if isinstance(one, ast.Constant)]
    return None
