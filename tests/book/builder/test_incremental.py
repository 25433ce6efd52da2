"""A site that was built step by step is the one that is built cold from the same executed copies,
byte for byte. Real builds of a small book that has of everything something.
"""

import pytest
from books import edit
from shapes import GLUE, Shapes, write_shape

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    shapes = Shapes(tmp_path_factory.mktemp("shapes"))
    shapes.write()
    assert shapes.build() == "chapters: 2 executed, 0 reused, 0 failed"
    shapes.keep()
    return shapes


@pytest.fixture(scope="module")
def cold(shapes):
    """What a cold build makes of the executed copies."""
    shapes.clean()
    assert shapes.build() == "chapters: 0 executed, 2 reused, 0 failed"
    return shapes.site()


def remove(shapes):
    edit(shapes.book / "_toc.yml", "      - file: circle\n", "")
    (shapes.book / "circle.ipynb").unlink()
    edit(shapes.book / "words/opening.md", "{ref}`the-circle`", "no circle")


def add(shapes):
    edit(shapes.book / "_toc.yml", "file: sources", "file: sources\n      - file: words/dot")
    write_shape(shapes.book / "words" / "dot.ipynb", "# Dot\n\nA {glue:text}`dots`.", 7, DOTS)
    edit(shapes.book / "sources.md", "# Sources", "# S\n\n{glue:text}`words/dot.ipynb::dots:d`")


DOTS = GLUE.replace("sides", "dots")


def rename(shapes):
    edit(shapes.book / "_toc.yml", "words/closing", "words/last")
    (shapes.book / "words" / "closing.md").rename(shapes.book / "words" / "last.md")


def first_page(shapes):
    edit(shapes.book / "_toc.yml", "root: words/opening", "root: sources")
    edit(shapes.book / "_toc.yml", "file: sources", "file: words/opening")


def swap(shapes):
    edit(shapes.book / "_toc.yml", "file: square", "file: other")
    edit(shapes.book / "_toc.yml", "file: circle", "file: square")
    edit(shapes.book / "_toc.yml", "file: other", "file: circle")


def reglue(shapes):
    edit(shapes.book / "square.ipynb", "side: int = 4", "side: int = 5")


def unglue(shapes):
    edit(shapes.book / "square.ipynb", r"glue(\"sides\", side, display=False)", "1 + 1")
    edit(shapes.book / "square.ipynb", ": {glue:text}`sides`", "")
    edit(shapes.book / "words/opening.md", "{glue:text}`../square.ipynb::sides:d`", "4")


def change(name, old, new):
    return lambda shapes: edit(shapes.book / name, old, new)


FIGURE = r":::{figure} data/picture.svg\nA dot\n:::\n\n## Its sides"


def the_builder(shapes):
    edit(shapes.builder / "provenance.py", "Where these numbers come from", "Whence")
    edit(shapes.builder / "writing.py", "priority=950", "priority=949")


def the_style(shapes):
    edit(shapes.builder / "static" / "book.css", "font-weight: 400;", "font-weight: 500;")
    (shapes.book / "own" / "more.css").write_text("b {}\n")


def a_label(shapes):
    for name in ("square.ipynb", "circle.ipynb", "words/opening.md"):
        edit(shapes.book / name, "fig-square", "fig-quadrangle")


EDITS = {
    "an author": change("references.bib", "Hardy, G. H.", "Hardy, Godfrey"),
    "a citation": change("square.ipynb", "cite:t}`hardy`", "cite:t}`euclid`"),
    "a title": change("circle.ipynb", "# The circle", "# The round one"),
    "a heading": change("square.ipynb", "## Its sides", "## How many sides"),
    "an index entry": change("words/opening.md", "{index} opening", "{index} beginning"),
    "a drawing": change("square.ipynb", "side * 10", "side * 11"),
    "a caption": change("square.ipynb", "A picture of a square", "A drawing of a square"),
    "a label": a_label,
    "a figure more": change("square.ipynb", "## Its sides", FIGURE),
    "a glued value": reglue,
    "nothing glued": unglue,
    "the order": swap,
    "a page more": add,
    "a page less": remove,
    "a page's name": rename,
    "the first page": first_page,
    "the book's title": change("_config.yml", "title: Shapes", "title: Forms"),
    "the builder and its box": the_builder,
    "the styles": the_style,
}


def assert_same(site, cold):
    assert site.keys() == cold.keys()
    assert [name for name in cold if site[name] != cold[name]] == []


@pytest.mark.parametrize("name", EDITS)
def test_a_site_after_an_edit_is_taken_back_is_a_cold_one(shapes, cold, name):
    EDITS[name](shapes)
    shapes.clean()
    shapes.build()
    assert shapes.site() != cold
    shapes.restore()
    assert shapes.build() == "chapters: 0 executed, 2 reused, 0 failed"
    assert_same(shapes.site(), cold)


def test_a_site_is_right_when_a_pdf_has_read_the_pages_meanwhile(shapes, cold):
    EDITS["a title"](shapes)
    reglue(shapes)
    shapes.clean()
    shapes.build()
    shapes.restore()
    assert shapes.run("--builder", "latex").returncode == 0
    shapes.build()
    assert_same(shapes.site(), cold)


def test_other_words_write_one_page_and_no_change_writes_nothing(shapes, cold):
    pages = {name: shapes.page(name) for name in ("square", "circle", "sources", "words/closing")}
    before = {name: page.stat().st_mtime_ns for name, page in pages.items()}
    edit(shapes.book / "circle.ipynb", "See {numref}", "Behold the unheard-of {numref}")
    shapes.build()
    after = {name: page.stat().st_mtime_ns for name, page in pages.items()}
    assert [name for name in pages if after[name] != before[name]] == ["circle"]
    assert b"unheard" in shapes.site()["html/search-index.js"]
    assert "no targets are out of date" in shapes.run().stdout
    shapes.restore()
    shapes.build()
    assert_same(shapes.site(), cold)
