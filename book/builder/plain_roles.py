"""What the roles of one page say outside Sphinx: numbers, references, citations."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from myst_nb.core.variables import format_plain_text

from book.builder.elsewhere import Elsewhere
from book.builder.plain_words import escaped
from book.builder.works import Work

TITLED = re.compile(r"(.*?)\s*<([^<>]+)>", re.DOTALL)  # as in {doc}`the words <target>`
REFERENCES = {"numref", "eq", "ref", "math:numref"}

#: Where Markdown names an equation, a table or a picture, or a section.
LABELLED = re.compile(
    r"\$\$[ \t]*\((?P<equation>[^\s()]+)\)"
    r"|^\s*(?::{3,}|`{3,})\{(?P<kind>[\w-]+)\}.*\n"
    r"(?:\s*:[\w-]+:.*\n)*?\s*:(?:name|label): (?P<name>\S+)"
    r"|^\((?P<target>[^\s()]+)\)=\s*\n+#+ (?P<title>.*)",
    re.MULTILINE,
)
KINDS = {"table": "Table", "list-table": "Table", "csv-table": "Table", "figure": "Figure"}


@dataclass(frozen=True)
class PlainRoles:
    """The values, labels, pages and works to which a page's roles refer, each in Markdown.

    `cited` gathers the keys of the works that were cited.
    """

    values: Mapping[str, str] = field(default_factory=dict)  # as Python writes them
    labels: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Elsewhere | None = None
    works: Mapping[str, Work] = field(default_factory=dict)
    cited: set[str] = field(default_factory=set)

    def say(self, role: str, content: str) -> str:
        """Return a role's words; those of one that nobody knows are its content."""
        titled = TITLED.fullmatch(content)
        title, target = (titled[1], titled[2]) if titled else ("", content)
        if role.partition(":")[0] == "glue":
            return self._value(content)
        if role.partition(":")[0] == "cite":
            return self._citation(role, content)
        if role == "math":
            return f"${content}$"
        if role == "doc":
            return title or (self.elsewhere.page(target) if self.elsewhere else escaped(target))
        if role in REFERENCES:
            return self._reference(title, target)
        return title or content

    def named(self, label: str) -> str:
        """Return what a label of this page names; empty for another page's."""
        return self.labels.get(label, "")

    def _reference(self, title: str, label: str) -> str:
        words = self.labels.get(label)
        if not words:
            words = self.elsewhere.holder(label) if self.elsewhere else escaped(label)
            return title if title and "%s" not in title else words
        number = words.rpartition(" ")[2]
        return title.replace("%s", number).replace("{number}", number) or words

    def _value(self, content: str) -> str:
        """Return a glued value as its format shows it; its name where it was not glued."""
        name, colon, form = content.rpartition(":")
        name, form = (name, form) if colon else (content, "s")
        value = self.values.get(name)
        if value is None:
            return f"`{name}`"
        try:
            return escaped(format_plain_text(value, form))
        except (ValueError, TypeError):
            return escaped(value)

    def _citation(self, role: str, keys: str) -> str:
        told = [self._work(role, key.strip()) for key in keys.split(",")]
        return ", ".join(told) if role.endswith(":t") else f"({'; '.join(told)})"

    def _work(self, role: str, key: str) -> str:
        if key not in self.works:
            return escaped(key)
        self.cited.add(key)
        work = self.works[key]
        return (
            f"{work.authors} ({work.year})"
            if role.endswith(":t")
            else f"{work.authors} {work.year}"
        )


def labels(notebook: Any) -> dict[str, str]:
    """Return what a notebook's own labels name, numbered in their order: `Table 2`, `(1)`."""
    counts: Counter[str] = Counter()
    found = {}
    for kind, name in _named(notebook):
        if kind in ("Table", "Figure", "("):
            counts[kind] += 1
            found[name] = f"({counts[kind]})" if kind == "(" else f"{kind} {counts[kind]}"
        else:
            found[name] = kind
    return found


def _named(notebook: Any) -> Iterator[tuple[str, str]]:
    """Yield the kind, or a section's title, and the label of all that a notebook names."""
    for cell in notebook.cells:
        texts = [cell.source] if cell.cell_type == "markdown" else []
        for output in cell.get("outputs", []):
            texts.append("".join(output.get("data", {}).get("text/markdown", "")))
        if name := cell.metadata.get("mystnb", {}).get("figure", {}).get("name"):
            yield "Figure", name
        for found in (one for text in texts for one in LABELLED.finditer(text)):
            if found["equation"] or found["kind"] == "math":
                yield "(", found["equation"] or found["name"]
            elif found["target"]:
                yield f"“{found['title'].strip()}”", found["target"]
            else:
                yield KINDS.get(found["kind"], f"“{found['kind']}”"), found["name"]
