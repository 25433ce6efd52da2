"""The book itself: built from its committed records alone, as a site, as a PDF, and live."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import prints
import pytest
import yaml
from books import BUILD_SECONDS, build, last_line
from browser import MISSING, browser

from book.builder.chapters import EXECUTED
from book.builder.trace import run_keys
from book.report.claims import NOT_BORNE_OUT
from models.records import is_current, read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(BUILD_SECONDS)]

ROOT = Path(__file__).parents[1]
CHAPTERS = [
    name
    for part in yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    for name in part["chapters"]
]
PAGES = [chapter["file"] for chapter in CHAPTERS]
NOTEBOOKS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
HEAVIEST = 1_200_000  # bytes: all that a page loads
#: Elements that are cut, which neither a tab stop nor a faded edge tells.
CUT = """
[...document.querySelectorAll(".bd-article *")].filter((one) => {
  const { overflowX, maskImage } = getComputedStyle(one);
  if (overflowX === "visible" || one.scrollWidth <= one.clientWidth + 1) return false;
  return overflowX === "hidden" || one.tabIndex < 0 || !maskImage.includes("gradient");
}).map((one) => one.outerHTML.slice(0, 100))
"""
LETTERS = """
Math.min(...[...document.querySelectorAll(".drawing text")].filter((text) => text.checkVisibility())
  .map((text) => [parseFloat(getComputedStyle(text).fontSize), text.getScreenCTM()])
  .map(([size, { c, d }]) => size * Math.hypot(c, d)))
"""
#: Drawings that are scrolled, by what their words begin with.
SCROLLED = """
[...document.querySelectorAll(".drawing")].filter((one) => one.scrollWidth > one.clientWidth)
  .map((one) => one.querySelector("svg").getAttribute("aria-label"))
"""
PART_THREE = (
    "60,965,224",
    "143,652,544",
    "143,667,240",
    "1,115,684,864",
    "354,418,688",
    "271,351,808",
)


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    """A user without data, records or network: what the published chapters must not need."""
    empty = tmp_path_factory.mktemp("nothing")
    own = {"CONVBOOK_DATA": str(empty), "CONVBOOK_CACHE": str(empty / "cache"), "HOME": str(empty)}
    return {**own, "CONVBOOK_RUNS": "", "CONVBOOK_PROFILE": ""}


@pytest.fixture(scope="module")
def site(tmp_path_factory, nothing):
    folder = tmp_path_factory.mktemp("site")
    run = build(ROOT, "--path-output", str(folder), **nothing)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert last_line(run) == f"chapters: {len(NOTEBOOKS)} executed, 0 reused, 0 failed"
    assert "WARNING" not in run.stderr + run.stdout
    return folder


def html(site, page):
    return (site / "_build" / "html" / f"{page}.html").read_text()


def test_a_second_build_executes_nothing(site, nothing):
    run = build(ROOT, "--path-output", str(site), **nothing)
    assert last_line(run) == f"chapters: 0 executed, {len(NOTEBOOKS)} reused, 0 failed"


def test_the_front_page_leads_to_every_chapter(site):
    assert "book/index.html" in html(site, "index")
    front = html(site, "book/index")
    assert all(page.rpartition("/")[2] + ".html" in front for page in PAGES)


def test_the_front_page_shows_a_picture_and_numbers_of_the_chapters(site):
    front = html(site, "book/index")
    (label,) = set(re.findall(r'role="img" aria-label="([^"]*)"', front))
    drawn = html(site, "book/regularization/batch_norm_and_dropout")
    assert label in re.findall(r'role="img" aria-label="([^"]*)"', drawn)
    assert "pasted-text" in front
    assert "glue:" not in front


@pytest.mark.parametrize("page", ["book/index", *PAGES])
def test_no_page_says_what_its_runs_do_not_bear_out(site, page):
    assert NOT_BORNE_OUT not in html(site, page)


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_has_words_and_every_caption_a_number(site, page):
    text = html(site, page)
    pictures = re.findall(r'<svg [^>]*role="img"[^>]*>|<img [^>]*_images/[^>]*>', text)
    alts = [re.search(r'(?:alt|aria-label)="([^"]*)"', tag) for tag in pictures]
    assert all(alt and len(alt[1]) > 20 and "_images" not in alt[1] for alt in alts), pictures
    captions = re.findall(r'<span class="caption-number">(.*?)</span>', text)
    assert all(re.match(r"(Fig\.|Table) \d", caption) for caption in captions), captions


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_every_chapter_says_where_its_numbers_come_from_and_has_no_number_missing(site, page):
    text = html(site, page)
    assert "Where these numbers come from" in text
    assert "glue:" not in text
    copy = site / "_build" / EXECUTED / f"{page}.ipynb"
    used = run_keys(nbformat.read(copy, as_version=4).cells)
    others = [key for key in used if not is_current(read(ROOT / "book" / "runs" / f"{key}.json"))]
    assert ("trained by other training code" in text) == bool(others), (
        "what older code has trained is flagged"
    )
    assert not re.search(r"(<p>|pasted-text[^>]*>)\s*(nan|None)\s*<", text)


def test_the_totals_of_part_three_stand_on_the_page(site):
    pages = "".join(html(site, page) for page in PAGES)
    assert [total for total in PART_THREE if total not in pages] == []


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.skipif(MISSING, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("page", [*PAGES, "book/index", "index", "search"])
def test_a_page_weighs_little_and_needs_nothing_but_the_site(site, reader, page):
    reader.screen(1440)
    reader.open((site / "_build" / "html" / f"{page}.html").as_uri())
    assert reader.complaints() == []
    asked = [urlsplit(address) for address in reader.requested()]
    assert {address.scheme for address in asked} == {"file"}
    weight = sum(Path(unquote(address.path)).stat().st_size for address in asked)
    assert weight <= HEAVIEST, f"{page}: {weight:,} bytes"
    assert "<math " not in html(site, page) or reader.value(
        "[...document.querySelectorAll('math')].every(one => one.firstChild)"
    )


@pytest.mark.skipif(MISSING, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("page", [*PAGES, "book/index"])
def test_a_page_fits_any_screen_and_what_is_wider_says_so_and_is_scrolled_by_keyboard(
    site, reader, page
):
    address = (site / "_build" / "html" / f"{page}.html").as_uri()
    for width, dark in ((390, False), (768, True), (1440, False)):
        reader.screen(width, dark=dark)
        reader.open(address)
        assert reader.complaints() == [], width
        assert reader.value("document.documentElement.scrollWidth <= innerWidth"), width
        assert reader.value(CUT) == [], width
        smallest = reader.value(LETTERS)
        assert smallest is None or smallest > 8.9, "letters of drawings, in pixels"
        assert reader.value(SCROLLED) == [], width


@pytest.mark.parametrize("page", PAGES)
def test_every_column_of_every_table_has_a_name_of_its_own(site, page):
    tables = re.findall(r"<table.*?</table>", html(site, page), re.DOTALL)
    for table in tables:
        head = table.partition("</thead>")[0]
        cells = re.findall(r'<t[hd][^>]*class="head[^>]*>(.*?)</t[hd]>', head, re.DOTALL)
        names = [re.sub("<[^>]*>", "", cell).strip() for cell in cells]
        assert len(set(names) - {""}) == len(names), names


@pytest.mark.skipif(MISSING, reason="needs Chromium: apt-get install chromium")
@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: make axe")
@pytest.mark.parametrize("page", [*PAGES, "book/index", "search"])
def test_axe_has_nothing_to_say_of_a_page(site, reader, page):
    for width, dark in ((390, False), (1440, True)):
        reader.screen(width, dark=dark)
        reader.open((site / "_build" / "html" / f"{page}.html").as_uri())
        reader.value(f"{AXE.read_text(encoding='utf-8')};null")
        run = "axe.run().then(run => run.violations.map(one => [one.id, one.nodes[0].html]))"
        assert reader.value(run) == [], (width, dark)


@pytest.fixture(scope="module")
def paper(site, nothing):
    """The book as a PDF, from what the site has executed."""
    if shutil.which("latexmk") is None or shutil.which("pdftotext") is None:
        pytest.skip("needs TeX Live and poppler-utils: see make pdf")
    run = build(ROOT, "--builder", "pdflatex", "--path-output", str(site), **nothing)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert last_line(run) == f"chapters: 0 executed, {len(NOTEBOOKS)} reused, 0 failed"
    return site / "_build" / "latex" / "convbook.pdf"


def test_the_pdf_has_the_numbers_of_the_site(site, paper):
    text = prints.text(paper)
    assert [total for total in PART_THREE if total not in text] == []
    assert "Where these numbers come from" in text
    shown = {page: prints.numbers_of_page(html(site, page)) for page in PAGES}
    assert sum(map(len, shown.values())) > 1000
    printed = prints.numbers_of_text(text)
    assert {page: missing for page in PAGES if (missing := shown[page] - printed)} == {}


def test_figures_and_tables_have_the_same_numbers_in_print(site, paper):
    kinds = r"(Table|Fig\.) (\d+\.\d+)"
    shown = {
        found
        for page in PAGES
        for found in re.findall(rf'class="caption-number">{kinds}', html(site, page))
    }
    printed = set(re.findall(rf"^ *{kinds}:", prints.text(paper), re.MULTILINE))
    assert len(shown) > 150
    assert printed == shown


def test_the_pdf_says_its_title_author_and_language_and_has_bookmarks(paper):
    facts = subprocess.run(["pdfinfo", paper], capture_output=True, text=True, check=True).stdout
    assert all(one in facts for one in ("A4", "Convolutional networks, measured", "The convbook"))
    assert b"/Lang(en)" in prints.objects(paper)
    marks = paper.with_suffix(".out").read_text()
    assert "{Introduction}" in marks
    assert marks.count(r"\BOOKMARK [0]") >= len(CHAPTERS) + len(("Introduction",))


def test_the_pdf_has_no_half_empty_page_and_nothing_wider_than_its_place(paper, tmp_path):
    white = prints.white(paper, tmp_path)
    assert len(white) > 50
    assert [page for page, part in enumerate(white[:-1], 1) if part > 0.4] == []
    log = paper.with_suffix(".log").read_text(errors="replace")
    assert [one for one in re.findall(r"Overfull .box \(([\d.]+)pt", log) if float(one) > 1] == []


def test_without_tex_make_pdf_names_what_to_install(tmp_path):
    command = [sys.executable, "-m", "book.builder.tex"]
    run = subprocess.run(
        command, env={"PATH": str(tmp_path)}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "apt-get install texlive-xetex" in run.stderr


def test_live_trains_every_training_chapter_from_nothing(tmp_path, nothing):
    fresh = {**nothing, "CONVBOOK_PROFILE": "live", "CONVBOOK_RUNS": str(tmp_path / "none")}
    run = build(
        ROOT, "--path-output", str(tmp_path), **{**fresh, "CONVBOOK_CACHE": str(tmp_path / "cache")}
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert last_line(run) == f"chapters: {len(NOTEBOOKS)} executed, 0 reused, 0 failed"
    assert list((tmp_path / "cache" / "runs").glob("*.json")), "something was trained"
    assert "mnist5k" in html(tmp_path, "book/regularization/batch_norm")
