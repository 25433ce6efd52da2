"""Stand-in until the branch lands."""

from collections.abc import Callable, Sequence

from book.builder import execution
from book.builder.chapters import Chapter


def execute_all(chapters: Sequence[Chapter], report: Callable[[execution.Outcome], None]) -> None:
    """Execute chapters one after the other."""
    for chapter in chapters:
        report(execution.execute(chapter, 1))
