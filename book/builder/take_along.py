"""What a reader takes along from a page: its notebooks, the book on paper, how to cite it."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from book.builder.edition import read_citation
from book.builder.errors import BookError
from book.builder.options import book_root
from book.builder.pages import Pages
from book.builder.plain_notebook import plain_notebook

NOTEBOOKS = "_notebooks"  # the folder of the site's executed notebooks
LENGTH = 200  # letters of a page's description


class TakeAlong:
    """What is done at Sphinx's events for what the pages offer."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages

    def add(
        self, app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any
    ) -> None:
        """Put into a page's context what the templates show."""
        if tree is None or page not in app.env.found_docs:
            return
        context["description"] = description(tree)
        context["take_along"] = list(
            self.offers(app, page, context["sourcename"], context["pathto"])
        )
        facts = read_citation(book_root(Path(app.srcdir)))
        context["citation"] = facts and bibtex(facts, page, context)

    def offers(
        self, app: Sphinx, page: str, source: str, pathto: Callable[[str, int], str]
    ) -> Iterator[tuple[str, str]]:
        """Return the words and the address of each file that the page offers."""
        copy = Path(app.outdir, NOTEBOOKS, f"{page}.ipynb")
        if executed := self.executed(page):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(json.dumps(executed, ensure_ascii=False, indent=1), encoding="utf-8")
            yield "The executed notebook", pathto(f"{NOTEBOOKS}/{page}.ipynb", 1)
        else:
            copy.unlink(missing_ok=True)
        yield "The page’s source", pathto(f"_sources/{source}", 1)
        if paper := find_paper(Path(app.outdir)):
            yield "The book as a PDF", pathto(paper.name, 1)

    def executed(self, page: str) -> Any | None:
        """Return a page's executed notebook, its numbers in its words; None where there is none."""
        build = self.pages.build
        if not build.is_chapter(page):
            return None
        try:
            return plain_notebook(self.pages.notebook(page), build.book.root, page)
        except BookError:  # the page says it
            return None


def find_paper(site: Path) -> Path | None:
    """Return the book's PDF, where it was built beside the site."""
    papers = (tex.with_suffix(".pdf") for tex in sorted((site.parent / "latex").glob("*.tex")))
    return next((paper for paper in papers if paper.is_file()), None)


def copy_paper(app: Sphinx, builder: Any) -> None:
    """Have the site carry the book's PDF of now, or none."""
    if app.builder.format == "html":
        site = Path(app.outdir)
        for old in site.glob("*.pdf"):
            old.unlink()
        if paper := find_paper(site):
            shutil.copyfile(paper, site / paper.name)


def description(page: nodes.document) -> str:
    """Return a page's first sentences, at most `LENGTH` letters of them."""
    first = next(iter(page.findall(nodes.paragraph)), None)
    words = " ".join(first.astext().split()) if first is not None else ""
    return words if len(words) <= LENGTH else words[:LENGTH].rpartition(" ")[0] + " …"


def bibtex(facts: Mapping[str, Any], page: str, context: Mapping[str, Any]) -> str:
    """Return a page's BibTeX entry, with the book's version and date where it has them.

    >>> book = {"title": "Tides", "authors": [{"name": "Somebody"}]}
    >>> print(bibtex(book, "part/range", {"title": "The range"}))
    @incollection{range,
      author = {{Somebody}},
      title = {The range},
      booktitle = {Tides},
    }
    """
    year, _, month = str(facts.get("date-released", "")).rpartition("-")[0].partition("-")
    version = facts.get("version")
    title = re.sub("<[^>]*>", "", context["title"])
    fields = {
        "author": " and ".join(map(_name, facts.get("authors", ()))),
        "title": title,
        "booktitle": facts.get("title"),
        "year": year,
        "month": month.lstrip("0"),
        "note": f"Version {version}" if version else "",
        "url": context.get("pageurl") or "",
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@incollection{{{page.rpartition('/')[2]},\n{lines}}}"


def _name(author: Mapping[str, str]) -> str:
    if "family-names" in author:
        return f"{author['family-names']}, {author.get('given-names', '')}".rstrip(", ")
    return f"{{{author['name']}}}"  # an entity's name has no parts


def setup(app: Sphinx, pages: Pages) -> None:
    """Bind these to the events of a build."""
    app.connect("write-started", copy_paper)
    app.connect("html-page-context", TakeAlong(pages).add, priority=900)
