"""Warnings that say nothing but what a failed chapter lacks: its own line says it once for all."""

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sphinx.util.logging import NAMESPACE, WarningStreamHandler, get_node_location

from book.builder import chapter_variants

#: Tells the failed chapters, each with its page's source and its notebook.
Failed = Callable[[], Mapping[str, tuple[Path, Path]]]

GLUED_HERE = re.compile(r"No key .* found in glue data for this document")
GLUED_THERE = re.compile(r"Glue reference .* not found in doc '(?P<page>.*)' \[")
MISSING = r"undefined label|equation not found|cross-reference target not found"
LABEL = re.compile(rf"(?:{MISSING}): '?(?P<label>[^'\[]+)")


class Consequences(logging.Filter):
    """Lets through what is no consequence of a failed chapter."""

    def __init__(self, failed: Failed) -> None:
        super().__init__()
        self.failed = failed

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the failure of a chapter leaves something to say."""
        text = record.getMessage()
        if there := GLUED_THERE.search(text):
            return there["page"] not in self.failed()
        if GLUED_HERE.search(text):
            return not self._is_in_failed(getattr(record, "location", None))
        label = LABEL.search(text)
        return not (label and self._is_made_by_failed(label["label"].strip()))

    def _is_in_failed(self, location: Any) -> bool:
        """Whether a place is in a failed chapter, in any of the forms that Sphinx gives it."""
        if isinstance(location, tuple):
            place = str(location[0])
        else:
            place = location if isinstance(location, str) else str(get_node_location(location))
        return any(
            place == name or place.startswith(str(source))
            for name, (source, _) in self.failed().items()
        )

    def _is_made_by_failed(self, label: str) -> bool:
        """Whether a failed chapter gives this name to a figure, a table, an equation, a section."""
        return any(
            notebook.is_file()
            and _names(notebook, label if source == notebook else _of_variant(label, name))
            for name, (source, notebook) in self.failed().items()
        )


def _of_variant(label: str, docname: str) -> str:
    """Return a label of a variant's page as its chapter has it."""
    return label.removesuffix(chapter_variants.suffix(docname))


def _names(notebook: Path, label: str) -> bool:
    name = re.escape(label)
    given = re.compile(rf"""["']{name}\\?["']|\({name}\)|:name: {name}\b""")
    return bool(given.search(notebook.read_text(errors="replace")))


def leave_out(failed: Failed) -> None:
    """Leave such warnings out of all that Sphinx says, and counts, from now on."""
    for handler in logging.getLogger(NAMESPACE).handlers:
        if isinstance(handler, WarningStreamHandler):
            handler.filters.insert(0, Consequences(failed))
