"""papermill, as chapters are executed with it: a kernel of its own, live progress, a last cell."""

import sys
import time
import traceback
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from book.builder import environment
from book.builder.chapters import Chapter

NAME = "convbook"
LAST_CELL = "from book.builder import trace\n\ntrace.show_imports()"
TRACE_ID = "convbook-trace"  # of the cell that an execution appends
TICK = 5.0  # seconds between two lines of progress
QUIET = ["--log-level=CRITICAL"]  # ipykernel 7 warns of an encryption that nobody asked for


def execute(source: Any, draft: Path, chapter: Chapter, threads: int) -> str | None:
    """Execute the notebook `source` into `draft`; return the error's text if that failed."""
    notebook = nbformat.from_dict(source)
    notebook.cells.append(nbformat.v4.new_code_cell(LAST_CELL, id=TRACE_ID))
    prepared = draft.with_suffix(".source.ipynb")
    nbformat.write(notebook, prepared)
    try:
        papermill.execute_notebook(
            prepared,
            draft,
            parameters=chapter.parameters,
            cwd=chapter.book.root,
            engine_name=NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            progress=Progress(chapter.docname),
            environment=environment.of_kernel(threads),
        )
    except PapermillExecutionError as error:
        return "\n".join([*error.traceback, f"{error.ename}: {' '.join(error.evalue.split())}"])
    except Exception as error:  # a dead kernel, or none: the rest of the book is built all the same
        return "".join(traceback.format_exception_only(error))
    return None


class Progress:
    """What a chapter's training prints, said on stderr in lines that start with its name."""

    def __init__(self, docname: str) -> None:
        self.docname = docname
        self.last = 0.0

    def show(self, text: str) -> None:
        """Print the last line of `text`, unless another was printed a moment ago."""
        lines = text.replace("\r", "\n").strip().splitlines()
        if lines and time.monotonic() - self.last > TICK:
            self.last = time.monotonic()
            print(f"{self.docname}: {lines[-1]}", file=sys.stderr, flush=True)


class ChapterClient(PapermillNotebookClient):
    """papermill's client, which also passes on what a running cell prints."""

    def __init__(self, manager: Any, progress: Progress, **arguments: Any) -> None:
        super().__init__(manager, **arguments)
        self.progress = progress

    def process_message(self, message: Any, cell: Any, cell_index: int) -> Any:
        """Pass on what is printed, and do what papermill does."""
        if message["msg_type"] == "stream":
            self.progress.show(message["content"]["text"])
        return super().process_message(message, cell, cell_index)


class ChapterEngine(NBClientEngine):
    """papermill's engine with that client, and no time limit on a cell.

    A kernel that has executed its last cell is killed: all it made is in files and messages by
    then, and libzmq may abort, loudly, in one that ends by itself.
    """

    @classmethod
    def execute_managed_notebook(cls, manager: Any, kernel_name: str, **options: Any) -> Any:
        """Execute the manager's notebook in a new kernel with the environment given."""
        client = ChapterClient(
            manager,
            options["progress"],
            kernel_name=kernel_name,
            extra_arguments=QUIET,
            timeout=None,
            shutdown_kernel="immediate",
        )
        return client.execute(env=options["environment"])


papermill_engines.register(NAME, ChapterEngine)
