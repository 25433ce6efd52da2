"""The book itself: built from its committed records alone, as a site, as a PDF, and live."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
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


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_no_page_says_what_its_runs_do_not_bear_out(site, page):
    assert NOT_BORNE_OUT not in html(site, page)


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
def test_a_page_fits_any_screen_and_what_is_wider_can_be_scrolled_by_keyboard(site, reader, page):
    address = (site / "_build" / "html" / f"{page}.html").as_uri()
    for width in (390, 768, 1440):
        reader.screen(width)
        reader.open(address)
        assert reader.value("document.documentElement.scrollWidth <= innerWidth"), width
        cut = "[...document.querySelectorAll('.bd-article *')].filter(one => one.scrollWidth > one"
        cut += ".clientWidth + 1 && getComputedStyle(one).overflowX == 'auto' && one.tabIndex < 0)"
        assert reader.value(f"{cut}.map(one => one.className)") == [], width


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


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="needs TeX Live: see make pdf")
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs poppler-utils")
def test_the_pdf_has_the_same_numbers(site, nothing):
    run = build(ROOT, "--builder", "pdflatex", "--path-output", str(site), **nothing)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert last_line(run) == f"chapters: 0 executed, {len(NOTEBOOKS)} reused, 0 failed"
    pdf = site / "_build" / "latex" / "convbook.pdf"
    text = subprocess.run(
        ["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True
    ).stdout
    assert [total for total in PART_THREE if total not in text] == []
    assert "Where these numbers come from" in text
    facts = subprocess.run(["pdfinfo", pdf], capture_output=True, text=True, check=True).stdout
    assert "A4" in facts


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
