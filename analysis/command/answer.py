"""What is printed for a request, in the format asked for."""

import sys
from html import escape
from typing import Any

from analysis.command.request import Request, meant
from analysis.command.sources import Source
from analysis.counting import counting
from analysis.differences import compare
from analysis.documents import as_json, as_text
from analysis.errors import AnalysisError
from analysis.folding import fold
from analysis.footprint import Memory
from analysis.javascript import javascript_function
from analysis.notation import Number
from analysis.rows import Derivation
from analysis.tables import Format, Sheet, calculated, number, table, word


def answer(asked: Request, width: int | None = None) -> str:
    """Return the text of an answer; `width`: fold tables to so many columns.

    Raises:
        AnalysisError: If a network refuses its input, or does not know what is asked.
    """
    try:
        return _answer(asked, width)
    except AnalysisError as error:
        told = filter(None, (str(error), meant(asked.flags)))
        raise AnalysisError("; ".join(told)) from error


def _answer(asked: Request, width: int | None) -> str:
    if asked.flags.diff:
        return _difference(asked, width)
    (source,) = asked.sources
    derivation = source.derivation
    if asked.depth is not None:
        derivation = fold(derivation, asked.depth)
    return _written(asked, source, derivation, width)


def _difference(asked: Request, width: int | None) -> str:
    one, two = (source.derivation for source in asked.sources)
    difference = compare(one, two, tuple(asked.flags.diff))
    form = asked.flags.format
    if form == "json":
        return as_text(difference.document())
    lines = [] if form == "csv" else [_line(difference.told, form)]
    return "\n\n".join([difference.table(form, width), *lines])


def _written(asked: Request, source: Source, derivation: Derivation, width: int | None) -> str:
    flags = asked.flags
    memory, counted = _memory(flags, source), _convention(flags, source)
    show, notes = flags.show_calculation, [*source.notes, *filter(None, [meant(flags)])]
    notes += memory.beside if memory is not None else ()
    if flags.format == "json":
        return as_json(derivation, show, memory=memory, convention=counted, notes=notes)
    if flags.format in ("csv", "javascript"):
        for note in notes:
            print(f"analysis: {note}", file=sys.stderr)
        return (
            table(derivation, "csv") if flags.format == "csv" else javascript_function(derivation)
        )
    parts = [table(derivation, flags.format, show, width)]
    if memory is not None:
        parts.append(_memory_table(memory, flags.format, width))
    told = [] if counted is None else [_convention_told(counted, flags.format)]
    lines = [_line(line, flags.format) for line in (*told, *notes)]
    return "\n\n".join([*parts, *(["\n".join(lines)] if lines else [])])


def _memory(flags: Any, source: Source) -> Memory | None:
    if flags.memory is None:
        return None
    return source.memory(
        training=flags.memory == "training",
        optimizer=flags.optimizer or "adam",
        precision=flags.precision or "fp32",
    )


def _memory_table(memory: Memory, form: Format, width: int | None) -> str:
    parts = {**memory.parts, "total, at least" if memory.beside else "total": memory.total}
    lines = [
        [word(name, form), calculated(part, form, True), *_mib(part.value, form)]
        for name, part in parts.items()
    ]
    mib = ["MiB"] if all(isinstance(part.value, int) for part in parts.values()) else []
    return Sheet(["memory", "bytes", *mib], [line[: 2 + len(mib)] for line in lines]).written(
        form, width
    )


def _mib(value: Number, form: Format) -> list[str]:
    return [f"{value / 2**20:,.1f}"] if isinstance(value, int) else []


def _convention(flags: Any, source: Source) -> dict[str, Any] | None:
    if flags.convention is None:
        return None
    one = counting(flags.convention)
    total = source.count(one.name)
    bound = {"total_is": "at least"} if one.by_operator and source.derivation.at_least else {}
    return {"name": one.name, "counts": one.counts, "unit": one.unit, "total": total} | bound


def _convention_told(counted: dict[str, Any], form: Format) -> str:
    total = number(counted["total"], "github")
    bound = "at least " if "total_is" in counted else ""
    return f"{counted['name']}: {bound}{total} {counted['unit']}. It counts {counted['counts']}."


def _line(text: str, form: Format) -> str:
    """Write a sentence beside a table: a paragraph in HTML, a comment in LaTeX."""
    if form == "html":
        return f"<p>{escape(text)}</p>"
    return f"% {text}" if form == "latex" else text
