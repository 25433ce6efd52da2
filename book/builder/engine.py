"""papermill, as chapters are executed with it: an engine of its own, live progress, a last cell.

papermill puts the parameters in and has the engine execute the notebook; the engine's client is
nbclient's. `papermill.execute_notebook` would besides write the notebook after every cell, and take
errors that a chapter allows for failures.
"""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines
from papermill.parameterize import parameterize_notebook

from book.builder import trace
from book.builder.chapters import Chapter
from book.builder.kernels import Kernels
from book.builder.notebooks import code_cells, tags
from book.builder.trace import Seen

NAME = "convbook"  # of the engine
KERNEL, LANGUAGE = "python3", "python"
INJECTED = "injected-parameters"  # the tag of papermill's cell
TICK = 5.0  # seconds between two lines of what a cell prints
QUIET = 30.0  # seconds after which a cell that prints nothing is told of
SHOWN = 60  # letters of a cell
WIDTH = 200  # letters of a line that it prints
CLEAN_EXITS = ("", "0", "None")  # of `sys.exit`
SILENT = logging.getLogger(__name__)
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


@dataclass(frozen=True)
class Execution:
    """A notebook as far as it was executed, the error's text if that failed, and what was seen."""

    notebook: Any
    error: str | None
    seen: Seen


class EndedEarly(Exception):  # noqa: N818 - what happened, rather than that it is an error
    """A cell ended the execution, and was not the last."""


@dataclass
class Run:
    """One execution that papermill hands to the engine, and what has come of it."""

    docname: str
    kernels: Kernels
    quiet: float
    error: str | None = None
    seen: Seen | None = None


def execute(source: Any, chapter: Chapter, kernels: Kernels, quiet: float = QUIET) -> Execution:
    """Execute the notebook `source` with the chapter's parameters, in a new kernel."""
    run = Run(chapter.docname, kernels, quiet)
    notebook = papermill_engines.execute_notebook_with_engine(
        NAME, prepared(source, chapter), KERNEL, progress_bar=False, run=run
    )
    return Execution(notebook, run.error, run.seen or trace.seen(notebook.cells))


def prepared(source: Any, chapter: Chapter) -> Any:
    """Return the notebook `source` with a cell of parameters, if there are any, and the last."""
    notebook = nbformat.from_dict(source)
    notebook.metadata.papermill = nbformat.NotebookNode()
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])  # papermill expects them
    if chapter.parameters:
        notebook = parameterize_notebook(
            notebook, dict(chapter.parameters), kernel_name=KERNEL, language=LANGUAGE
        )
    notebook.cells.append(nbformat.v4.new_code_cell(f"%{trace.MAGIC}", id=trace.CELL))
    return notebook


class ChapterEngine(Engine):
    """papermill's way to execute a notebook elsewhere than in a kernel that it starts itself."""

    @classmethod
    def execute_managed_notebook(
        cls, manager: NotebookExecutionManager, kernel_name: str, *, run: Run, **options: Any
    ) -> None:
        """Execute the manager's notebook in a new kernel of the run's."""
        asyncio.run(_execute(manager, run))


papermill_engines.register(NAME, ChapterEngine)


async def _execute(manager: NotebookExecutionManager, run: Run) -> None:
    """Execute a notebook; put what came of it into `run`."""
    kernel = run.kernels.manager()
    progress = Progress(run.docname, run.quiet)
    client = ChapterClient(manager, kernel, progress)
    died = False
    try:
        await run.kernels.start(kernel)
        ready: Any = await client.async_start_new_kernel_client()
        manager.nb.metadata.language_info = ready.language
        run.error, run.seen = await client.run()
    except DeadKernelError:
        died = True
    except (OSError, RuntimeError) as refused:
        run.error = f"no kernel could be started: {refused}"
    finally:
        status = await run.kernels.end(kernel)
        if client.kc:
            client.kc.stop_channels()
    task = asyncio.current_task()
    if died and task and task.cancelling():  # by Ctrl-C, which nbclient takes for a death
        raise asyncio.CancelledError
    if died:
        run.error = f"{_death(status)} {progress.place()}"


def _death(status: int | None) -> str:
    """Return what a kernel that died did, by its exit status."""
    if status == 0:
        return "ended before its last cell:"
    if status is None:
        return "its kernel died:"
    try:
        return f"its kernel died ({signal.Signals(-status).name}):"
    except ValueError:
        return f"its kernel died (exit status {status}):"


class Progress:
    """What a running chapter says on stderr, in lines that start with its name.

    It is what its cells print, one line every few seconds; and where it is, when they print none.
    """

    def __init__(self, docname: str, quiet: float) -> None:
        self.docname, self.quiet = docname, quiet
        self.printed = -TICK
        self.begun = self.said = time.monotonic()
        self.number, self.cells, self.code = 0, 0, ""

    def enter(self, number: int, cells: int, code: str) -> None:
        """Begin a cell: the `number`th of so many with code."""
        self.begun = self.said = time.monotonic()
        self.number, self.cells = number, cells
        self.code = next(iter(code.strip().splitlines()), "")[:SHOWN]

    def place(self) -> str:
        """Return which cell it is."""
        return f"cell {self.number} of {self.cells}: {self.code}"

    def show(self, text: str) -> None:
        """Print the last line of `text`, unless another was printed a moment ago."""
        lines = text.replace("\r", "\n").strip().splitlines()
        now = self.said = time.monotonic()
        if lines and now - self.printed > TICK:
            self.printed = now
            self._say(lines[-1][:WIDTH])

    async def beat(self) -> None:
        """Say where it is, whenever it has said nothing for long."""
        while True:
            await asyncio.sleep(min(1.0, self.quiet))
            now = time.monotonic()
            if now - self.said > self.quiet:
                self.said = now
                self._say(f"{now - self.begun:.0f} s in {self.place()}")

    def _say(self, text: str) -> None:
        print(f"{self.docname}: {text}", file=sys.stderr, flush=True)


class ChapterClient(NotebookClient):
    """nbclient's, which passes on what a running cell prints, and stops where a cell says so."""

    def __init__(
        self, manager: NotebookExecutionManager, kernel: AsyncKernelManager, progress: Progress
    ) -> None:
        super().__init__(manager.nb, km=kernel, timeout=None, log=SILENT)
        self.on_cell_executed = _refuse_exit
        self.manager = manager
        self.progress = progress

    async def run(self) -> tuple[str | None, Seen | None]:
        """Execute the cells; return the error's text if one failed, and what had been seen."""
        beat = asyncio.ensure_future(self.progress.beat())
        try:
            await self._run_cells()
        except CellExecutionError as failed:
            if failed.ename == "SystemExit" and failed.evalue in CLEAN_EXITS:
                return self._early(), await self._testimony()
            return _text(failed, self.nb), await self._testimony()
        except EndedEarly:
            return self._early(), None
        finally:
            beat.cancel()
        return None, None

    async def _run_cells(self) -> None:
        own = [cell.id for cell in code_cells(self.nb) if INJECTED not in tags(cell)]
        total = len(own) - 1  # without the last one
        for index, cell in enumerate(self.nb.cells):
            if cell.id in own:
                self.progress.enter(min(own.index(cell.id) + 1, total), total, cell.source)
            self.manager.cell_start(cell, index)
            try:
                await self.async_execute_cell(cell, index)
            except CellExecutionError:
                self.manager.cell_exception(cell, index)
                raise
            finally:
                self.manager.cell_complete(cell, cell_index=index)

    def _early(self) -> str:
        return f"ended before its last cell: {self.progress.place()}"

    async def _testimony(self) -> Seen:
        """Return what a failed chapter had used, and leave the last cell unexecuted."""
        last = nbformat.from_dict(self.nb.cells[-1])
        with contextlib.suppress(CellExecutionError):
            await self.async_execute_cell(last, len(self.nb.cells) - 1)
        self.nb.cells[-1] = nbformat.v4.new_code_cell(last.source, id=last.id)
        return trace.seen([*self.nb.cells, last])

    def process_message(self, message: Any, cell: Any, cell_index: int) -> Any:
        """Pass on what is printed, and do what nbclient does."""
        if message["msg_type"] == "stream":
            self.progress.show(message["content"]["text"])
        return super().process_message(message, cell, cell_index)


def _refuse_exit(cell: Any, cell_index: int, execute_reply: Any) -> None:
    """Stop after a cell that called `exit()`: its kernel may live long enough for another."""
    payload = execute_reply["content"].get("payload", []) if execute_reply else []
    if any(part.get("source") == "ask_exit" for part in payload):
        raise EndedEarly


def _text(failed: CellExecutionError, notebook: Any) -> str:
    """Return an error with its traceback; its last line is the error's, on one line."""
    last = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ][-1:]
    traceback = last[0].traceback if last else [failed.traceback]
    return "\n".join([*traceback, f"{failed.ename}: {' '.join(failed.evalue.split())}"])
