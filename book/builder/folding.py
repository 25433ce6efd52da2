"""What a page folds: the cells that only prepare it; in their place its parameters, as a table.

Cells with the tag `plumbing` are folded together and left out of print. The builder gives it to the
`parameters` cell, and to the one that follows it where that only imports and checks.
"""

import ast
import json
import shlex
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import nbformat
import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator
from sphinx.writers.latex import LaTeXTranslator
from tabulate import tabulate

from book.builder.declared import declared, literal, meanings
from book.builder.errors import BookError
from book.builder.notebooks import declaration, tags

IMPORTS = {ast.Import, ast.ImportFrom}
PREPARING = {ast.Expr, ast.Assign, ast.AnnAssign, ast.Assert}  # beside imports
PLUMBING = "plumbing"  # a cell's tag, and the class of the box
SHORT = 8  # parameters, of which a table is shown at once
WORDS = "Parameters’ cell, imports and checks"


def fold(page: Any, source: Any, given: Mapping[str, Any], command: str) -> None:
    """Mark a page's plumbing, and put the table of its parameters before it.

    `source` declares the published values, `given` are others that the page was executed with, and
    `command` executes it again.
    """
    first = next((n for n, cell in enumerate(page.cells) if "parameters" in tags(cell)), None)
    if first is None:
        return
    follows = page.cells[first + 1 : first + 2]
    for cell in [page.cells[first], *filter(_only_prepares, follows)]:
        cell.metadata["tags"] = [*tags(cell), PLUMBING]
    if text := parameters_box(declaration(source), given, command):
        page.cells.insert(first, nbformat.v4.new_markdown_cell(text, id="convbook-parameters"))


def _only_prepares(cell: Any) -> bool:
    """Whether a cell shows nothing, imports, and defines nothing."""
    if cell.cell_type != "code" or cell.outputs:
        return False
    try:
        kinds = {type(node) for node in ast.parse(cell.source).body}
    except (SyntaxError, ValueError):
        return False
    return bool(kinds & IMPORTS) and kinds <= IMPORTS | PREPARING


def parameters_box(cell: str, given: Mapping[str, Any], command: str) -> str:
    """Return a table of a page's parameters and how to execute it with others, in Markdown.

    Empty where the cell declares none, or is no Python.
    """
    try:
        published, meaning = declared(cell), meanings(cell)
    except BookError:
        return ""
    given = {name: value for name, value in given.items() if published.get(name) != value}
    if not published:
        return ""
    table = _table(published, given, meaning)
    shown = ":open:\n" if len(published) <= SHORT else ""
    others = dict(given) or _another(published)
    words = " ".join([command, *_options(others)])
    rerun = f"To execute this page with other values, for example:\n\n```bash\n{words}\n```"
    return (
        f":::::{{fold}} Parameters\n{shown}:class: parameters\n\n{table}\n\n"
        f"::::{{only}} html\n:::{{container}} rerun\n{rerun}\n:::\n::::\n:::::"
    )


def _another(published: Mapping[str, Any]) -> dict[str, Any]:
    """Return a parameter with half its published value: a whole number, or else a fraction."""
    wholes = {name: n // 2 for name, n in published.items() if type(n) is int and n > 1}
    fractions = {name: x / 2 for name, x in published.items() if type(x) is float}
    return dict([*wholes.items(), *fractions.items(), *published.items()][:1])


def _table(
    published: Mapping[str, Any], given: Mapping[str, Any], meaning: Mapping[str, str]
) -> str:
    """Return the table, with a column of the values that were used where they are others."""
    heads = ["parameter", *(["value here"] if given else []), "published value", "meaning"]
    rows = [
        [
            _code(name),
            *([_code(_written(given.get(name, value)))] if given else []),
            _code(_written(value)),
            meaning.get(name, "").replace("|", r"\|"),
        ]
        for name, value in published.items()
    ]
    return tabulate(rows, heads, "pipe", colalign=["left"] * len(heads), disable_numparse=True)


def _options(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield from ("-p", name, shlex.quote(_written(value)))


def _written(value: Any) -> str:
    """Return a value as the command line takes it: a text in quotes where it would mean another."""
    if not isinstance(value, str):
        return literal(value)
    try:
        plain = yaml.safe_load(value) == value
    except yaml.YAMLError:
        plain = False
    return value if plain else json.dumps(value, ensure_ascii=False)


def _code(text: str) -> str:
    return "`" + text.replace("|", r"\|") + "`"


class Fold(nodes.General, nodes.Element):
    """A box whose content is shown when its words are clicked; on paper the content alone."""


class FoldDirective(SphinxDirective):
    """`{fold} Words`: a box that is open at first only with the option `open`."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"open": directives.flag, "class": directives.class_option}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Return the box with what it holds."""
        box = Fold("", words=self.arguments[0], open="open" in self.options)
        box["classes"] = self.options.get("class", [])
        box += self.parse_content_to_nodes()
        return [box]


def gather(app: Sphinx, page: nodes.document) -> None:
    """Put cells of plumbing that follow each other into one box."""
    for parent in {one.parent for one in page.findall(_is_plumbing)}:
        for plumbing, found in [(k, list(g)) for k, g in groupby(parent.children, _is_plumbing)]:
            if plumbing:
                box = Fold("", words=WORDS, open=False, classes=[PLUMBING])
                parent.insert(parent.index(found[0]), box)
                for cell in found:
                    parent.remove(cell)
                    box += cell


def _is_plumbing(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and f"tag_{PLUMBING}" in node.get("classes", ())


def visit_html(self: HTML5Translator, node: Fold) -> None:
    """Begin the box with its words."""
    state: dict[str, Any] = {"open": ""} if node["open"] else {}
    self.body.append(self.starttag(node, "details", CLASS="fold", **state))
    self.body.append(f"<summary>{self.encode(node['words'])}</summary>\n")


def depart_html(self: HTML5Translator, node: Fold) -> None:
    """End the box."""
    self.body.append("</details>\n")


def visit_latex(self: LaTeXTranslator, node: Fold) -> None:
    """Leave plumbing out of print; of other boxes, the words become a line above the content."""
    if PLUMBING in node["classes"]:
        raise nodes.SkipNode
    words = self.encode(node["words"])
    self.body.append(f"\n\\Needspace{{4\\baselineskip}}\\noindent\\sphinxstylestrong{{{words}}}\n")


def visit_other(self: Any, node: Fold) -> None:
    """Show the content as it is."""


def setup(app: Sphinx) -> None:
    """Register the box, its directive, and what gathers plumbing in one."""
    other = (visit_other, visit_other)
    app.add_node(Fold, html=(visit_html, depart_html), latex=(visit_latex, visit_other), text=other)
    app.add_directive("fold", FoldDirective)
    app.connect("doctree-read", gather)
