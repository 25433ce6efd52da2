"""The book itself: built from its committed records alone, as a site, as a PDF, and live."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from books import BUILD_SECONDS, build, last_line

from book.builder.chapters import EXECUTED
from book.builder.trace import run_keys
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
    pictures = [tag for tag in re.findall(r"<img [^>]*>", text) if "_images/" in tag]
    alts = [re.search(r'alt="([^"]*)"', tag) for tag in pictures]
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


@pytest.mark.skipif(
    shutil.which("chromium") is None, reason="needs Chromium: apt-get install chromium"
)
@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_browser_sets_the_formulas_without_a_network(site, page, tmp_path):
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-sync"
    lost = "--host-resolver-rules=MAP * ~NOTFOUND"
    address = (site / "_build" / "html" / f"{page}.html").as_uri()
    command = [
        "chromium",
        *flags.split(),
        lost,
        f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=10000",
    ]
    seen = subprocess.run(
        [*command, "--dump-dom", address], capture_output=True, text=True, timeout=120, check=True
    )
    formulas = html(site, page).count('class="math notranslate')
    assert formulas > 0
    assert seen.stdout.count("<mjx-container") >= formulas
    assert "<mjx-merror" not in seen.stdout


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
