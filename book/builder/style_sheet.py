"""One style sheet for a site: of all that its theme and extensions bring, what its pages use.

Theirs are 500 kB, and nothing is shown before they are there. A rule stays if pages or scripts have
all classes and ids that its selector asks for, a variable if something asks for its value.
"""

import hashlib
import os.path
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

NAME = "site.css"
THEME = ["_static/styles/theme.css", "_static/styles/pydata-sphinx-theme.css"]  # in no list
OF_RULES = ("@media", "@supports", "@layer", "@container")  # their blocks are rules again

STRING = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
ADDRESS = rf"url\((?:{STRING}|[^)\"'])*\)"
COMMENT = re.compile(rf"({STRING})|/\*.*?\*/\s*", re.DOTALL)
IMPORT = re.compile(r"""@import\s+["']([^"':]+)["'];""")
LINE = re.compile(r"\s*\n\s*")
LINK = re.compile(rf"(_static/{re.escape(NAME)}\?v=)\w*")
MARK = re.compile(rf"{STRING}|{ADDRESS}|[{{}};]", re.DOTALL)
NAMES = re.compile(r'\b(?:class|id)="([^"]*)"')
RELATIVE = re.compile(r"""url\((["']?)(?!data:|\w+:|[/#])([^)"']+)""")
INLINE = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
SCRIPT = re.compile(r'src="(?:\.\./)*(_static/[^"?]+\.js)')
VARIABLE = re.compile(rf"(?<=[{{;])\s*(--[\w-]+)\s*:(?:{STRING}|{ADDRESS}|[^;{{}}\"'])*;?")


def used(css: str, names: AbstractSet[str]) -> str:
    """Return a style sheet without comments and rules whose classes or ids are not in `names`.

    >>> used("a, .b:not(.c) {color: red} @media print {.d {margin: 0}}", {"b"})
    'a,.b:not(.c){color: red}'
    """
    return "".join(_used(COMMENT.sub(r"\1", css), names))


def _used(css: str, names: AbstractSet[str]) -> Iterator[str]:
    for head, block in statements(css):
        if block is None:
            yield f"{head};" if head and not head.startswith("@charset") else ""
        elif head.startswith(OF_RULES):
            inside = "".join(_used(block, names))
            yield f"{head}{{{inside}}}" if inside else ""
        elif kept := [one for one in selectors(head) if asked(one) <= names]:
            yield f"{','.join(kept)}{{{LINE.sub(' ', block).strip()}}}"


def statements(css: str) -> Iterator[tuple[str, str | None]]:
    """Return each statement's head and its block, which is None where it ends in a semicolon."""
    depth = start = begin = 0
    for mark in MARK.finditer(css):
        if mark[0] == "{":
            begin = begin if depth else mark.start()
            depth += 1
        elif mark[0] == "}":
            depth -= 1
        if depth == 0 and mark[0] == "}":
            yield css[start:begin].strip(), css[begin + 1 : mark.start()]
        elif depth == 0 and mark[0] == ";":
            yield css[start : mark.start()].strip(), None
        if depth == 0 and mark[0] in "};":
            start = mark.end()


def selectors(head: str) -> Iterator[str]:
    """Return the selectors of a rule.

    >>> list(selectors("a, :is(b, c) > d"))
    ['a', ':is(b, c) > d']
    """
    depth = start = 0
    for place, letter in enumerate(head):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            yield head[start:place].strip()
            start = place + 1
    yield head[start:].strip()


def asked(selector: str) -> set[str]:
    r"""Return the classes and ids that a selector asks for, without those in parentheses.

    >>> sorted(asked(r"#top .mb-1\.5:not(.open)"))
    ['mb-1.5', 'top']
    """
    plain = re.sub(r"\[[^]]*\]|^@.*", "", selector)
    while (shorter := re.sub(r"\([^()]*\)", "", plain)) != plain:
        plain = shorter
    return {name.replace("\\", "") for name in re.findall(r"[.#]((?:\\.|[\w-])+)", plain)}


def without_unused(css: str, texts: Iterable[str]) -> str:
    """Return a style sheet without variables that neither it nor one of the texts mentions.

    >>> without_unused("a{--b:1;--c:2;color:var(--b)}", [])
    'a{--b:1;color:var(--b)}'
    """
    known = set(re.findall(r"var\(\s*(--[\w-]+)", css))
    known.update(name for text in texts for name in re.findall(r"--[\w-]+", text))
    return VARIABLE.sub(lambda found: found[0] if found[1] in known else "", css)


def read(path: Path, site: Path) -> str:
    """Return a style sheet with those that it imports, its addresses those from `_static`."""
    if not path.is_file():
        return ""
    css = path.read_text(encoding="utf-8")
    css = IMPORT.sub(lambda found: read((path.parent / found[1]).resolve(), site), css)
    folder = os.path.relpath(path.parent, site / "_static").replace(os.sep, "/")
    if folder == ".":
        return css
    return RELATIVE.sub(
        lambda found: f"url({found[1]}{os.path.normpath(f'{folder}/{found[2]}')}", css
    )


def leave_out(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Have a page link no style sheets of its own that are in the site's."""
    context["css_files"] = [one for one in context["css_files"] if one not in _listed(app)]


def _listed(app: Sphinx) -> list[Any]:
    """Return the style sheets that Sphinx would have each page link, those of the site."""
    builder: Any = app.builder  # one that writes no page has made no list of its own
    listed = getattr(builder, "_orig_css_files", builder._css_files)
    return [one for one in listed if "://" not in str(one.filename)]


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the site's style sheet, from the pages as they are, and its digest into them."""
    if exception or app.builder.name not in ("html", "dirhtml"):
        return
    site = Path(app.outdir).resolve()
    files = [path for path in site.rglob("*.html") if path.relative_to(site).parts[0] != "_static"]
    pages = {path: path.read_text(encoding="utf-8") for path in files}
    css = sheet(site, [*THEME, *(str(one.filename) for one in _listed(app))], list(pages.values()))
    (site / "_static" / NAME).write_text(css, encoding="utf-8")
    version = hashlib.sha256(css.encode()).hexdigest()[:8]
    for path, text in pages.items():
        if (linked := LINK.sub(rf"\g<1>{version}", text)) != text:
            path.write_text(linked, encoding="utf-8")


def sheet(site: Path, sheets: Iterable[str], pages: list[str]) -> str:
    """Return the style sheet that the pages of a site need, of several."""
    paths = [
        site / name for name in sorted({name for page in pages for name in SCRIPT.findall(page)})
    ]
    scripts = [path.read_text(encoding="utf-8") for path in paths if path.is_file()]
    scripts += [script for page in pages for script in INLINE.findall(page)]
    names = {name for page in pages for value in NAMES.findall(page) for name in value.split()}
    names.update(word for script in scripts for word in re.findall(r"[\w-]+", script))
    css = used("".join(read(site / name, site) for name in dict.fromkeys(sheets)), names)
    return '@charset "UTF-8";' + without_unused(css, [*pages, *scripts])


def setup(app: Sphinx) -> None:
    """Bind these to the events of a build."""
    app.connect("html-page-context", leave_out, priority=960)
    app.connect("build-finished", write, priority=950)  # after the last page: see addresses
