"""What the search of a site finds: the sections of its pages, each with its words.

Sphinx's own index knows pages, not sections, no numbers, and shows code where it shows words.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from docutils import nodes

FILE = "search-index.js"

#: A section: its anchor, its title and its words; the page's own has no anchor.
Section = list[str]

CODE = (nodes.literal_block, nodes.math_block, nodes.raw, nodes.comment)
LEFT_OUT = (*CODE, nodes.title, nodes.section, nodes.label)


def sections(page: nodes.document) -> Iterator[Section]:
    """Return a page's sections in their order; of a page without a title, none."""
    for section in page.findall(nodes.section):
        title = next(iter(section.findall(nodes.title)), None)
        if title is not None:
            anchor = "" if section.parent is page else section["ids"][0]
            yield [anchor, title.astext(), " ".join(_words(section))]


def _words(node: nodes.Node) -> Iterator[str]:
    for child in node.children:
        if isinstance(child, LEFT_OUT) or _is_plumbing(child):
            continue
        if isinstance(child, nodes.TextElement):
            yield " ".join(_text(child).split())
        else:
            yield from _words(child)


def _text(node: nodes.Node) -> str:
    """Return what a node says, formulas without TeX's signs, a reference's label left out."""
    if isinstance(node, nodes.Text) or not node.children:
        return node.astext()
    if isinstance(node, nodes.math):
        return re.sub(r"[\\{}]", "", node.astext())
    return "".join(_text(child) for child in node.children if not isinstance(child, nodes.label))


def _is_plumbing(node: nodes.Node) -> bool:
    """Whether a node is a cell's code, or says how the page was made."""
    classes = node.get("classes", ()) if isinstance(node, nodes.Element) else ()
    return not {"cell_input", "parameters", "provenance"}.isdisjoint(classes)


def write(pages: Mapping[str, list[Section]], folder: Path) -> None:
    """Write the index of pages by their address, as a script: a page from a file may load one."""
    found = {address: sections for address, sections in sorted(pages.items()) if sections}
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    (folder / FILE).write_text(f"const PAGES = {text};\n", encoding="utf-8")
