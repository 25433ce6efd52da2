"""What the HTML writer does otherwise than Sphinx's: tables, citations, what a page loads."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

#: Files that a page loads only if it shows a class of that pattern; None is never.
NEEDED_BY = {
    "thebe": None,
    "doctools": None,
    "sphinx_highlight": None,
    "documentation_options.pagename": None,
    "documentation_options.search_as": None,
    "design-tabs": r'class="[^"]*\bsd-tab',
    "toggle": r'class="[^"]*\b(?:toggle|dropdown)\b',
    "copybutton": r'class="highlight',
    "clipboard": r'class="highlight',
    "sortable": r'<table class="[^"]*\bsortable\b',
    "calculator.js": r'class="calculator"',
}

#: What others' writers say of an element, and what holds.
ROLES = {
    'role="doc-biblioentry"': 'role="listitem"',  # which is in a list
    ' aria-label="Toggle hidden content"': "",  # its words say more
}


def visit_entry(self: HTML5Translator, node: nodes.entry) -> None:
    """Begin a cell; a column's head says so, and an empty one is none."""
    HTML5Translator.visit_entry(self, node)
    if isinstance(node.parent.parent, nodes.thead):
        empty = not node.astext().strip() and not any(node.findall(nodes.image))
        tag = "<td" if empty else '<th scope="col"'
        self.body[-1] = self.body[-1].replace("<th", tag, 1)
        if empty:
            self.context[-1] = "</td>\n"
    elif head := node.get("head"):  # see cards
        self.body[-1] = self.body[-1].replace("<td", f'<td data-head="{self.attval(head)}"', 1)


def depart_entry(self: HTML5Translator, node: nodes.entry) -> None:
    """End a cell."""
    HTML5Translator.depart_entry(self, node)


def link_back(app: Sphinx, page: nodes.document, docname: str) -> None:
    """Have each reference of a page's bibliography lead to where the pages cite it."""
    if app.builder.format != "html":
        return
    domain: Any = app.env.get_domain("cite") if "cite" in app.env.domains else None
    keys = {one.citation_id: one.key for one in domain.citations} if domain else {}
    for citation in page.findall(nodes.citation):
        key = keys.get(citation["ids"][0]) if citation["ids"] else None
        cited: dict[str, str] = {}  # by page: where it cites first
        for place in domain.citation_refs if domain else ():
            if key in {target.key for target in place.targets}:
                cited.setdefault(place.docname, place.citation_ref_id)
        if cited:
            entry: Any = citation[-1]
            entry += nodes.inline("", "", *_links(app, docname, cited), classes=["cited"])


def _links(app: Sphinx, docname: str, cited: Mapping[str, str]) -> Iterator[nodes.Node]:
    numbers = {name: app.env.toc_secnumbers.get(name, {}).get("", ()) for name in cited}
    for place, name in enumerate(sorted(cited, key=lambda name: numbers[name])):
        yield nodes.Text(", " if place else " Cited in ")
        address = f"{app.builder.get_relative_uri(docname, name)}#{cited[name]}"
        title = app.env.titles[name].astext()
        words = ".".join(map(str, numbers[name])) or title
        yield nodes.reference("", words, internal=True, refuri=address, reftitle=title)


def load_what_is_needed(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any
) -> None:
    """Leave out files that the page does not use, and inline scripts put in twice, an error."""
    body = context.get("body", "")
    for kind in ("css_files", "script_files"):
        context[kind] = list(_needed(context.get(kind, []), body))
    for theirs, ours in ROLES.items():
        body = body.replace(theirs, ours)
    context["body"] = body


def _needed(files: Iterable[Any], body: str) -> Iterator[Any]:
    seen = set()
    for file in files:
        script = getattr(file, "attributes", {}).get("body") or ""
        name = f"{getattr(file, 'filename', file)} {script}".lower()
        patterns = [pattern for part, pattern in NEEDED_BY.items() if part in name]
        used = all(pattern and re.search(pattern, body) for pattern in patterns)
        if used and (not script or script not in seen):
            seen.add(script)
            if name.split("?")[0].strip().endswith(".js"):
                file.attributes.setdefault("defer", "defer")  # the page is shown before it
            yield file


def setup(app: Sphinx) -> None:
    """Register the writer's parts."""
    app.add_node(nodes.entry, override=True, html=(visit_entry, depart_entry))
    app.connect("doctree-resolved", link_back)
    app.connect("html-page-context", load_what_is_needed, priority=950)
