"""Tables with captions among a chapter's outputs, in Markdown that any reader shows.

A chapter's output says in its metadata what its caption and its name are; for Sphinx it becomes a
directive.
"""

from typing import Any

METADATA = "convbook"  # of an output
MARKDOWN = "text/markdown"


def captioned(table: str, *, name: str, caption: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the data and the metadata of an output: a table in Markdown, under its caption."""
    data = {MARKDOWN: f"**Table.** {caption}\n\n{table}", "text/plain": table}
    return data, {METADATA: {"table": {"name": name, "caption": caption}}}


def with_directive(output: Any) -> Any:
    """Return an output as Sphinx takes it: a table with a caption as a directive."""
    facts = output.get("metadata", {}).get(METADATA, {}).get("table")
    if not facts:
        return output
    table = "".join(output["data"]["text/plain"])
    options = f":name: {facts['name']}\n:align: center"
    fenced = f"::::{{table}} {facts['caption']}\n{options}\n\n{table}\n::::"
    output["data"][MARKDOWN] = fenced
    return output
