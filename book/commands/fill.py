"""`python -m book fill`: an executed notebook with its numbers in its words, for any reader."""

import argparse
from pathlib import Path
from typing import Any

import nbformat

from book.builder.declared import declared
from book.builder.engine import INJECTED
from book.builder.errors import BookError
from book.builder.notebooks import code_cells, read_notebook, tags
from book.builder.options import book_root
from book.builder.overlay import as_executed
from book.builder.plain_notebook import plain_notebook


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the notebook, and the file to write."""
    command.description = (
        f"{command.description}. For what Jupyter or papermill executed: `run` does it itself."
    )
    command.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    where = "the file to write (default: NAME.filled.ipynb, beside the notebook)"
    command.add_argument("-o", dest="output", type=Path, metavar="FILE", help=where)


def main(options: argparse.Namespace) -> int:
    """Write the notebook, and say where.

    Raises:
        BookError: It is none, or was not executed, or the file to write is itself.
    """
    source: Path = options.notebook
    output: Path = options.output or source.with_suffix(".filled.ipynb")
    if output.resolve() == source.resolve():
        raise BookError(f"{output} is the notebook itself: give another file with -o")
    root = book_root(source.absolute().parent)
    executed = read_notebook(source)
    if not any(cell.outputs for cell in code_cells(executed)):
        raise BookError(f"expected an executed notebook, but no cell of {source} has an output")
    path = source.resolve()
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    page = as_executed(executed, injected(executed))
    filled = plain_notebook(page, root, inside.with_suffix("").as_posix())
    nbformat.write(filled, output)
    print(f"filled {source}: {output}")
    return 0


def injected(notebook: Any) -> dict[str, Any]:
    """Return the parameters that papermill has put into a notebook.

    Raises:
        BookError: A value is no literal.
    """
    cells = [cell.source for cell in code_cells(notebook) if INJECTED in tags(cell)]
    return {name: value for cell in cells for name, value in declared(cell).items()}
