"""Executing a book's chapters side by side: who first, and what is kept when someone interrupts."""

import graphlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue

from book.builder import environment
from book.builder.chapters import Chapter
from book.builder.execution import Outcome, execute_in, failure, kernels_of
from book.builder.kernels import Kernels

INTERRUPTED = 130  # exit status, as shells have it
GRACE = 0.5  # seconds in which threads notice that their kernels are gone

Report = Callable[[Outcome], None]


def execute_all(
    chapters: Sequence[Chapter], report: Report, warn: Callable[[str], None] = print
) -> None:
    """Execute chapters, each in a kernel of its own, and report how each ended.

    Those that write a file come before those that read it, as far as that is known, and then the
    longest ones first. All that goes wrong with a chapter is in its outcome.

    Raises:
        SystemExit: Someone interrupted it (Ctrl-C); what is kept has been said.
    """
    if not chapters:
        return
    cores = environment.cores()
    workers = min(environment.workers() or cores, len(chapters))
    order, circles = sorted_by_files(chapters)
    for circle in circles:
        warn(f"chapters {' and '.join(circle)} read each other's files: in no order")
    threads, many = max(1, cores // workers), len(chapters) > workers
    with kernels_of(chapters[0].book, threads, many=many) as kernels:
        pool = Pool(kernels, order, {chapter.docname: chapter for chapter in chapters})
        try:
            pool.run(workers, report)
        except KeyboardInterrupt:
            pool.stop()
            print(f"\n{pool.kept()}", file=sys.stderr, flush=True)
            raise SystemExit(INTERRUPTED) from None


class Pool:
    """The chapters of one round: those that run, and those that wait."""

    def __init__(
        self,
        kernels: Kernels,
        order: "graphlib.TopologicalSorter[str]",
        chapters: dict[str, Chapter],
    ) -> None:
        self.kernels, self.order, self.chapters = kernels, order, chapters
        self.ready: list[str] = []
        self.running: dict[str, threading.Thread] = {}
        self.ended: SimpleQueue[Outcome] = SimpleQueue()
        self.executed = 0

    def run(self, workers: int, report: Report) -> None:
        """Execute all, so many at a time."""
        while self.order.is_active():
            self.ready += self.order.get_ready()
            self.ready.sort(key=self.length, reverse=True)
            while self.ready and len(self.running) < workers:
                self.start(self.ready.pop(0))
            outcome = self.next_ended()
            self.running.pop(outcome.docname).join()
            self.order.done(outcome.docname)
            self.executed += outcome.error is None
            report(outcome)

    def length(self, name: str) -> tuple[float, int]:
        """Return how long a chapter took the last time, and how long it is, for those unknown."""
        chapter = self.chapters[name]
        source = chapter.source
        return chapter.seconds() or 0.0, source.stat().st_size if source.is_file() else 0

    def start(self, name: str) -> None:
        """Execute a chapter in a thread of its own, which dies with this process."""
        thread = threading.Thread(target=self.execute, args=[self.chapters[name]], daemon=True)
        self.running[name] = thread
        thread.start()

    def execute(self, chapter: Chapter) -> None:
        """Execute a chapter; whatever goes wrong is its outcome."""
        began = time.time()
        try:
            outcome = execute_in(self.kernels, chapter)
        except Exception as error:
            message = " ".join(str(error).split())
            outcome = failure(chapter, began, f"{type(error).__name__}: {message}")
        self.ended.put(outcome)

    def next_ended(self) -> Outcome:
        """Return the next outcome; waiting can be interrupted on every system."""
        while True:
            try:
                return self.ended.get(timeout=1.0)
            except Empty:
                continue

    def stop(self) -> None:
        """Kill all that runs, and count what was executed."""
        self.kernels.close()
        limit = time.monotonic() + GRACE
        for thread in self.running.values():
            thread.join(max(0.0, limit - time.monotonic()))
        while not self.ended.empty():
            self.executed += self.ended.get().error is None

    def kept(self) -> str:
        """Return what an interrupted build has, in one line."""
        done, left = self.executed, len(self.chapters) - self.executed
        kept = f"{done} chapter{'s' * (done != 1)} executed and kept"
        return f"interrupted: {kept}; the next build executes the other {left}"


def sorted_by_files(
    chapters: Iterable[Chapter],
) -> tuple["graphlib.TopologicalSorter[str]", list[list[str]]]:
    """Return an order in which a file is written before it is read, and the circles broken for it.

    It follows what the chapters read and wrote when they were last executed.
    """
    stamps = {chapter.docname: chapter.stamp() for chapter in chapters}
    written = {name: set(stamp.written) if stamp else set() for name, stamp in stamps.items()}
    before = {
        name: {
            other
            for other in stamps
            if other != name and stamp and written[other] & set(stamp.data)
        }
        for name, stamp in stamps.items()
    }
    circles = []
    while True:
        order = graphlib.TopologicalSorter(before)
        try:
            order.prepare()
        except graphlib.CycleError as error:
            circle = sorted(set(error.args[1]))
            circles.append(circle)
            for name in circle:
                before[name] -= set(circle)
        else:
            return order, circles
