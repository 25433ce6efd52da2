"""The box at the end of a chapter that says where its numbers come from, for HTML and PDF alike."""

import contextlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import nbformat

from book.builder import staleness
from models import records
from models.fingerprint import code_fingerprint
from models.records import CorruptRecord, Record
from models.runs.store import Store


def boxes(page: Any) -> list[Any]:
    """Markdown cells to append to a chapter: what it was made from, and a warning for each thing to
    distrust.
    """
    stamp = page.metadata.get(staleness.STAMP)
    if not stamp:
        return []
    used = _records(stamp["runs"])
    texts = [_failure(stamp)] if stamp.get("error") else []
    texts += [_older_code(used)] if any(not records.is_current(record) for record in used) else []
    texts.append(_origin(stamp, used))
    return [
        nbformat.v4.new_markdown_cell(text, id=f"convbook-box-{i}") for i, text in enumerate(texts)
    ]


def unreadable(docname: str, message: str) -> Any:
    """The page of a chapter that cannot be read."""
    text = f"# {docname}\n\n:::{{error}}\nThis chapter cannot be shown.\n\n```text\n{message}\n```\n:::"
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text, id="convbook-box")])


def _records(keys: Iterable[str]) -> list[Record]:
    """The records that are there; one that cannot be believed is no reason to have no page."""
    found = []
    for path in filter(None, map(Store.default().locate, keys)):
        with contextlib.suppress(CorruptRecord, FileNotFoundError):
            found.append(records.read(path))
    return found


def _failure(stamp: dict[str, Any]) -> str:
    return (
        ":::{error}\nThis chapter failed when it was last executed; what it shows ends where it failed.\n\n"
        f"```text\n{_plain(stamp['error']).strip().splitlines()[-1]}\n```\n:::"
    )


def _older_code(used: list[Any]) -> str:
    older = [record for record in used if not records.is_current(record)]
    return (
        f":::{{warning}}\n{len(older)} of this chapter's {len(used)} runs were trained by other training code than "
        f"today's (fingerprint `{code_fingerprint()[:12]}`): their numbers are to be re-earned.\n:::"
    )


def _origin(stamp: dict[str, Any], used: list[Any]) -> str:
    lines = [f"Executed {stamp['date'][:10]} in {stamp['seconds']:.0f} s"]
    if stamp["parameters"]:
        lines.append(
            "Parameters: "
            + ", ".join(f"`{name} = {value!r}`" for name, value in stamp["parameters"].items())
        )
    if used:
        lines += _training(used)
    return (
        ":::{admonition} Where these numbers come from\n:class: note provenance\n"
        + "\n".join(f"- {line}." for line in lines)
        + "\n:::"
    )


def _training(used: list[Any]) -> list[str]:
    facts = [record.provenance for record in used]
    minutes = sum(fact.seconds for fact in facts) / 60
    days = sorted(fact.date[:10] for fact in facts)
    when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    data = Counter((record.spec.dataset, record.spec.dataset_digest[:12]) for record in used)
    machines = Counter((fact.device_name, fact.versions["torch"]) for fact in facts)
    return [
        f"{len(used)} training runs, {minutes:.0f} minutes in all, {when}",
        "Trained on " + ", ".join(f"{device} with torch {version}" for device, version in machines),
        "Data: " + ", ".join(f"{name} (content digest `{digest}`)" for name, digest in data),
    ]


def _plain(text: str) -> str:
    from papermill.exceptions import strip_color

    return str(strip_color(text))
