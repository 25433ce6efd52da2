"""Executing one chapter with papermill, whole or not at all, in a process of its own."""

import os
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import papermill
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from book.builder import staleness
from book.builder.chapters import BookError, Chapter, ChapterFailed, read_source
from models.sweeps.cores import available_cores

LAST_CELL = "from book.builder import trace\n\ntrace.show_imports()"
TRACE_ID = "convbook-trace"  # of the cell that an execution appends
TICK = 5.0  # seconds between two lines of progress


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: after `seconds`, with the warnings it gave, and the error's last line
    if it failed.
    """

    docname: str
    seconds: float
    warnings: tuple[str, ...] = ()
    error: str | None = None


def refresh(chapter: Chapter) -> None:
    """Execute the chapter in this process, with all the cores it may use, unless its copy is fresh;
    says why on stderr.

    Raises:
        ChapterFailed: With the last line of the chapter's error.
    """
    causes = chapter.causes()
    if not causes:
        return
    print(
        f"chapter {chapter.docname}: executing, because {'; '.join(causes)}",
        file=sys.stderr,
        flush=True,
    )
    outcome = execute(chapter, threads=available_cores())
    if outcome.error:
        raise ChapterFailed(f"chapter {chapter.docname} failed: {outcome.error}")


def execute(chapter: Chapter, threads: int = 1) -> Outcome:
    """Execute a chapter; its executed copy appears whole, with the stamp of what it depends on, or
    not at all.

    A failed execution is kept beside it with its traceback, and reported in the outcome, never
    raised.
    """
    os.environ |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    started, began = time.perf_counter(), time.time()
    good, failed = chapter.executed, chapter.failed
    good.parent.mkdir(parents=True, exist_ok=True)
    try:
        source = read_source(chapter.source)
    except BookError as refused:
        return Outcome(chapter.docname, 0.0, error=str(refused))
    with TemporaryDirectory(dir=good.parent, prefix=".") as folder:
        draft = Path(folder, good.name)
        error = _run(source, draft, chapter)
        seconds = time.perf_counter() - started
        executed = (
            nbformat.read(draft, as_version=4) if draft.exists() else nbformat.from_dict(source)
        )
        executed.metadata[staleness.STAMP] = {
            **staleness.stamp(source, executed, chapter.parameters, chapter.root, began),
            "seconds": round(seconds, 1),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "error": error,
        }
        nbformat.write(executed, draft)
        os.replace(draft, failed if error else good)
    if error is None:
        failed.unlink(missing_ok=True)
    return Outcome(
        chapter.docname,
        seconds,
        warnings_in(executed),
        error.strip().splitlines()[-1] if error else None,
    )


def warnings_in(notebook: Any) -> tuple[str, ...]:
    """Lines on stderr in which Python warns; progress is written there too, and is none of the
    page's business.
    """
    streams = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if _is_stderr(output)
    ]
    return tuple(line for text in streams for line in text.splitlines() if "Warning: " in line)


def _is_stderr(output: Any) -> bool:
    return bool(output.output_type == "stream" and output.name == "stderr")


def _run(source: Any, draft: Path, chapter: Chapter) -> str | None:
    """Execute into `draft`; the error's text if that failed."""
    notebook = nbformat.from_dict(source)
    notebook.cells.append(nbformat.v4.new_code_cell(LAST_CELL, id=TRACE_ID))
    prepared = draft.with_suffix(".source.ipynb")
    nbformat.write(notebook, prepared)
    try:
        papermill.execute_notebook(
            prepared,
            draft,
            parameters=chapter.parameters,
            cwd=chapter.root,
            engine_name="convbook",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            progress=Progress(chapter.docname),
            extra_arguments=[
                "--log-level=CRITICAL"
            ],  # ipykernel 7 warns of an encryption that nobody asked for
        )
    except PapermillExecutionError as error:
        return "\n".join([*error.traceback, f"{error.ename}: {' '.join(error.evalue.split())}"])
    except (
        Exception
    ) as error:  # a dead kernel, no kernel at all …: the rest of the book is built all the same
        return "".join(traceback.format_exception_only(error))
    return None


class Progress:
    """Says on stderr, in lines that start with the chapter's name, what a chapter's training
    prints.
    """

    def __init__(self, docname: str) -> None:
        self.docname = docname
        self.last = 0.0

    def show(self, text: str) -> None:
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
        progress, arguments = options["progress"], options["extra_arguments"]
        client = ChapterClient(
            manager,
            progress,
            kernel_name=kernel_name,
            extra_arguments=arguments,
            timeout=None,
            shutdown_kernel="immediate",
        )
        return client.execute()


papermill_engines.register("convbook", ChapterEngine)
