"""What a reader has of a site, in a real browser and from files: a small book."""

import json
from pathlib import Path

import pytest
from books import BUILD_SECONDS, build, edit, page, write_chapter
from browser import MISSING, browser

from book.builder.contrast import TEXT, contrast
from book.builder.widths import parted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(BUILD_SECONDS),
    pytest.mark.skipif(MISSING, reason="needs Chromium: apt-get install chromium"),
]

CONFIG = """\
title: Tides
author: Somebody
only_build_toc_files: true
bibtex_bibfiles: [references.bib]
execute: {execute_notebooks: "off"}
parse: {myst_enable_extensions: [amsmath, colon_fence, dollarmath]}
sphinx:
  extra_extensions: [book.builder.extension]
  config:
    bibtex_reference_style: author_year
    nb_render_markdown_format: myst
    numfig: true
"""
BIB = """\
@book{darwin, author = {Darwin, George}, title = {The Tides}, publisher = {Murray}, year = {1898},
  doi = {10.1000/182}}
"""
CITATION = """\
cff-version: 1.2.0
title: Tides, measured
authors: [{name: Somebody}]
version: 1.2.3
date-released: 2026-03-04
"""
INDEX = """\
# Tides

The moon moves the sea, as {cite:t}`darwin` knew. See {doc}`spring`.

```{bibliography}
```
"""
SPRING = r"""
## Spring tide

At full moon, 16,777,216 waves of height $h$, so that {cite:t}`darwin` is right:

$$
h = \frac{a}{b}, \quad \mathrm{range}(x) = \sqrt{x^2 + y^2} - \lVert x \rVert,
\qquad c = \Bigl\lfloor \frac{d}{2} \Bigr\rfloor .
$$ (eq-range)
"""
TABLE = "|  | " + " | ".join(f"harbour {n}" for n in range(12)) + " |\n" + "|:--|" + "--:|" * 12
TABLE += "\n| high water | " + " | ".join(f"{n},096 m" for n in range(12)) + " |\n"
REASONS = """
| claim | why |
|:--|:--|
| Neap tides are low | because then the moon and the sun pull at a right angle |
"""
NEAP = f"""
## Neap tide

Half moon; no spring tide at all: see {{numref}}`tab-heights`.

:::{{table}} Heights
:name: tab-heights
{TABLE}
:::
{REASONS}
"""
IMPORTS = "import math\n\nassert math.sqrt(number)"
WORD = "hidden_word = 1"
SHEETS = (  # of the theme and of extensions, in the order in which Sphinx would link them
    *("styles/theme.css", "styles/pydata-sphinx-theme.css", "pygments.css"),
    *("styles/sphinx-book-theme.css", "togglebutton.css", "copybutton.css", "mystnb.*.css"),
    *("sphinx-thebe.css", "icons.css", "math.css", "book.css", "sortable.css"),
    "sphinx-design.min.css",
)
COMPARE = """
async (sheets) => {
  const still = document.createElement("style");
  still.textContent = "*, *::before { transition: none !important; animation: none !important }";
  document.head.append(still);
  const all = [...document.querySelectorAll("*")];
  const look = (one) => [null, "::before"].map((part) => getComputedStyle(one, part).cssText);
  const looks = () => all.map((one) => look(one).join());
  const own = looks();
  const old = document.querySelector("link[rel=stylesheet]");
  const loaded = sheets.map((href) => new Promise((done) => {
    const link = document.createElement("link");
    Object.assign(link, { rel: "stylesheet", href, onload: done });
    old.before(link);
  }));
  await Promise.all(loaded);
  old.remove();
  const theirs = looks();
  const other = all.filter((one, place) => own[place] !== theirs[place]);
  return [all.length, other.map((one) => one.outerHTML.slice(0, 120))];
}
"""
PREVIEW = "document.querySelector('.preview')?.innerText ?? null"
DRAW = """
from book.report import figures
from book.report.colours import ORANGE, GREY, SKY

figures.use_style()
figure, (panels,) = figures.new(2)
for ax, height in zip(panels, (1, 10), strict=True):
    for place, colour in enumerate((ORANGE, GREY, SKY)):
        ax.plot([0, 1], [height * place] * 2, color=colour, label=f"harbour {place}")
        ax.text(0.5, height * place, f"harbour {place}", color=colour)
    ax.set(xlabel="hour", ylabel="tide, m")
figure
"""
CROWD = """
figure, ((ax,),) = figures.new()
ax.plot([0, 6], [1, 1], label="a quay")
ax.set(xlim=(0, 6), ylim=(-1, 2))
for place in range(6):
    ax.text(place, 0, "harbour wall")
ax.set_axis_off()
figure
"""


CALCULATE = """
from sympy import Symbol

from book.report import calculators
from book.report.calculator_parts import Calculator, Input, Words

h = Symbol("h", integer=True, positive=True)
height = Input(h, "height, metres", 12, 1, 99)
said = Words("A wave of {:,} decimetres.", (10 * h,))
calculators.show(Calculator("calc-waves", "Waves", "Enter a height.", (height,), said))
"""


@pytest.fixture(scope="module")
def tides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tides")
    (folder / "part").mkdir()
    (folder / "_config.yml").write_text(CONFIG)
    (folder / "references.bib").write_text(BIB)
    (folder / "CITATION.cff").write_text(CITATION)
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: part/index\nchapters: [file: part/spring]\n"
    )
    (folder / "part" / "index.md").write_text(INDEX)
    write_chapter(
        folder / "part" / "spring.ipynb",
        IMPORTS,
        f"#:{SPRING}",
        f"#:{NEAP}",
        DRAW,
        CROWD,
        CALCULATE,
        WORD,
    )
    name_figure(folder / "part" / "spring.ipynb")
    run = build(folder, "-W")
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-3000:]
    return folder


def name_figure(path: Path) -> None:
    notebook = json.loads(path.read_text())
    drawn = [one for one in notebook["cells"] if "figures.new" in "".join(one["source"])]
    for cell, name in zip(drawn, ("harbours", "walls"), strict=True):
        figure = {"caption": f"Three {name}.", "name": f"fig-{name}"}
        cell["metadata"]["tags"] = ["hide-input"]
        cell["metadata"]["mystnb"] = {"figure": figure, "image": {"alt": f"Level {name}."}}
    path.write_text(json.dumps(notebook))


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def opened(tides, reader):
    """A function that opens a page of the site on a screen."""

    def opened(name, width=1440, *, dark=False, query=""):
        reader.screen(width, dark=dark)
        reader.open((tides / "_build" / "html" / f"{name}.html").as_uri() + query)
        return reader

    return opened


def found(reader):
    return reader.value(
        "[...document.querySelectorAll('#search-results li')]"
        ".map(item => [item.querySelector('a').getAttribute('href'), item.innerText])"
    )


def test_the_search_leads_to_the_section_whose_title_has_the_words(opened):
    shown = found(opened("search", query="?q=spring+tide"))
    assert shown[0][0] == "./part/spring.html#spring-tide"
    assert [address for address, _ in shown].index("./part/spring.html#neap-tide") > 0
    opened("search", query="?q=spring+tide").value(
        "document.querySelector('#search-results a').click()"
    )
    assert "At full moon" in opened("part/spring", query="#spring-tide").value(
        "document.body.innerText"
    )


@pytest.mark.parametrize("query", ["16,777,216", "16777216", "4096", "4,096"])
def test_the_search_finds_numbers_however_they_are_written(opened, query):
    assert found(opened("search", query=f"?q={query}"))


def test_the_search_shows_no_code_and_says_when_it_finds_nothing(opened):
    assert not found(opened("search", query="?q=hidden_word"))
    text = opened("search", query="?q=%3Cb%3Enothing").value("document.body.innerText")
    assert "Nothing has “<b>nothing”." in text


@pytest.mark.parametrize("dark", [False, True])
def test_a_drawing_is_text_that_is_legible_on_the_pages_ground(opened, dark):
    shown = opened("part/spring", dark=dark).value(
        "[getComputedStyle(document.body).backgroundColor, [...document.querySelectorAll"
        "('.drawing text')].map(text => [text.textContent, getComputedStyle(text).fill])]"
    )
    ground, texts = shown
    assert {f"harbour {place}" for place in range(3)} <= {words for words, _ in texts}
    poor = [one for one in texts if contrast(hexed(one[1]), hexed(ground)) < TEXT]
    assert not poor, ground


def hexed(colour: str) -> str:
    parts = colour.removeprefix("rgb(").removesuffix(")").split(",")
    return "#" + "".join(f"{int(part):02x}" for part in parts)


def test_letters_of_a_drawing_are_9_pixels_high_on_a_phone(opened):
    sizes = opened("part/spring", 390).value(
        "[...document.querySelectorAll('.drawing text')].filter(text => text.checkVisibility())"
        ".map(text => [parseFloat(getComputedStyle(text).fontSize), text.getScreenCTM()])"
        ".map(([size, {c, d}]) => size * Math.hypot(c, d))"
    )
    assert sizes
    assert min(sizes) > 8.9


DRAWN = """
[...document.querySelectorAll("figure:has(#fig-harbours) .drawing, #fig-harbours .drawing")]
  .filter((one) => one.checkVisibility())
  .map((one) => [one.scrollWidth <= one.clientWidth, one.offsetHeight > one.offsetWidth])
"""


def test_of_a_drawing_a_page_shows_the_one_that_fits_its_width(opened):
    assert opened("part/spring", 390).value(DRAWN) == [[True, True]]
    assert opened("part/spring", 1440).value(DRAWN) == [[True, False]]
    shown = opened("part/spring", 390)
    assert shown.value("document.querySelectorAll('#fig-harbours .drawing').length") == 2
    ids = shown.value("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    shown.screen(390, media="print")
    try:
        assert shown.value(DRAWN) == [[True, False]]
    finally:
        shown.screen(390)


def test_what_a_phone_cannot_show_whole_is_scrolled_with_a_cue_by_keyboard_too(opened):
    shown = opened("part/spring", 390)
    assert shown.value("document.documentElement.scrollWidth <= innerWidth")
    cut = shown.value(
        "[...document.querySelectorAll('.pst-scrollable-table-container')]"
        ".filter(one => one.scrollWidth > one.clientWidth)"
        ".map(one => [one.tabIndex, getComputedStyle(one).maskImage])"
    )
    assert len(cut) == 2, "the table and the crowded drawing; the formula breaks"
    assert all(tab == 0 and "gradient" in mask for tab, mask in cut)


def test_the_first_column_stays_in_view(opened):
    places = opened("part/spring", 390).value(
        "(() => { const table = document.querySelector('table:has(caption)');"
        "const box = table.parentElement;"
        "box.scrollLeft = 1000; const cell = table.querySelector('tbody td');"
        "const left = (one) => one.getBoundingClientRect().left;"
        "return [box.scrollLeft, left(cell) - left(box)] })()"
    )
    assert places[0] > 100
    assert abs(places[1]) < 2


def test_formulas_are_set_and_read_without_a_script(opened):
    shown = opened("part/spring")
    assert shown.value("document.querySelectorAll('div.math math').length") == 3
    assert shown.value("document.fonts.check('16px \"STIX Two Math\"')")
    assert shown.value("document.querySelector('.eqno').innerText.trim().startsWith('(1')")
    assert shown.value("document.querySelectorAll('math [tabindex]').length") == 0
    assert not [one for one in shown.requested() if not one.startswith("file:")]


def test_a_tap_in_the_contents_closes_their_drawer(opened):
    shown = opened("part/spring", 390)
    shown.value("document.querySelector('.secondary-toggle').click()")
    assert shown.value("document.querySelector('#pst-secondary-sidebar-modal').open")
    shown.value("document.querySelector('#pst-secondary-sidebar-modal a').click()")
    assert not shown.value("document.querySelector('#pst-secondary-sidebar-modal').open")


def test_buttons_are_as_large_as_a_finger_and_copying_needs_no_hover(opened):
    shown = opened("part/spring", 390)
    small = shown.value(
        "[...document.querySelectorAll('.bd-main button, .take-along a, .take-along summary')]"
        ".filter(one => one.offsetWidth && (one.offsetWidth < 44 || one.offsetHeight < 44))"
        ".map(one => one.outerHTML)"
    )
    assert not small
    assert shown.value("getComputedStyle(document.querySelector('.copybtn')).opacity") == "1"


def test_what_is_printed_from_a_dark_page_is_light(opened):
    shown = opened("part/spring", dark=True)
    shown.value(
        "const theme = () => document.documentElement.dataset.theme;"
        "addEventListener('beforeprint', () => (window.printed = theme()))"
    )
    shown.call("Page.printToPDF")
    assert shown.value("[printed, document.documentElement.dataset.theme]") == ["light", "dark"]


def test_a_page_begins_with_its_parameters_and_the_command_that_reruns_it(opened):
    shown = opened("part/spring")
    cells = shown.value(
        "[...document.querySelectorAll('.parameters td')].map(one => one.innerText)"
    )
    assert cells == ["number", "2", "a number"]
    assert "papermill part/spring.ipynb out.ipynb -p number 1" in shown.value(
        "document.querySelector('.parameters pre').innerText"
    )
    assert shown.value("document.querySelector('.parameters button.copybtn') !== null")


CODE = "[...document.querySelectorAll('div.cell_input')].map(one => one.checkVisibility())"
SWITCH = "document.querySelector('button.code-switch')"


def test_plumbing_is_folded_code_that_teaches_is_open_and_every_box_hides_something(opened):
    shown = opened("part/spring")
    assert shown.value(CODE) == [False] * 4 + [True] * 2
    hidden = "[...document.querySelectorAll('details')].map(one => [...one.children].slice(1)"
    assert all(shown.value(f"{hidden}.map(one => one.textContent.trim()).join(''))"))


def test_one_switch_shows_or_hides_all_code_and_the_next_page_remembers(opened):
    shown = opened("part/spring")
    assert shown.value(f"{SWITCH}.innerText") == "Show all code"
    shown.value(f"{SWITCH}.focus()")
    press(shown, "Enter", "\r")
    assert shown.value(CODE) == [True] * 6
    assert shown.value(f"[{SWITCH}.innerText, document.activeElement === {SWITCH}]") == [
        "Hide all code",
        True,
    ]
    press(shown, " ", " ")
    assert shown.value(CODE) == [False] * 6
    shown = opened("part/spring", 390)
    assert shown.value(CODE) == [False] * 6
    assert shown.value(f"{SWITCH}.innerText") == "Show all code"
    shown.value("localStorage.removeItem('code')")
    assert opened("part/index").value(f"{SWITCH} === null"), "a page without code has no switch"


def press(reader, key, text):
    for kind in ("keyDown", "keyUp"):
        reader.call("Input.dispatchKeyEvent", type=kind, key=key, text=text * (kind == "keyDown"))


def test_paper_has_the_parameters_and_neither_plumbing_nor_folded_code(opened, reader):
    opened("part/spring")
    reader.screen(1440, media="print")
    try:
        reader.value("document.querySelectorAll('details').forEach(one => (one.open = true))")
        assert reader.value(CODE) == [False] * 4 + [True] * 2
        rows = "document.querySelector('.parameters table').checkVisibility()"
        assert reader.value(rows)
        assert not reader.value("document.querySelector('.rerun').checkVisibility()")
    finally:
        reader.screen(1440)


def test_a_column_has_a_head_and_an_empty_one_is_none(tides):
    text = page(tides, "part/spring")
    assert '<th scope="col" class="head text-right"><p>harbour 3</p></th>' in text
    assert "<th></th>" not in text.replace("\n", "")


def test_a_reference_leads_to_the_work_and_back_to_where_it_is_cited(tides):
    text = page(tides, "part/index")
    assert 'href="https://doi.org/10.1000/182"' in text
    anchor = text.split(" Cited in ")[1].split('href="spring.html#')[1].split('"')[0]
    assert f'id="{anchor}"' in page(tides, "part/spring")
    assert 'role="doc-biblioentry"' not in text


def test_a_page_offers_its_executed_notebook_and_its_citation(tides):
    text = page(tides, "part/spring")
    assert 'href="../_notebooks/part/spring.ipynb" download' in text
    notebook = json.loads((tides / "_build/html/_notebooks/part/spring.ipynb").read_text())
    assert any(cell.get("outputs") for cell in notebook["cells"])
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    words = "\n".join("".join(one["source"]) for one in notebook["cells"] if "outputs" not in one)
    assert "so that Darwin (1898) is right" in words
    assert "**Table 1.** Heights\n\n|  | harbour 0 |" in words
    assert "**Figure 1.** Three harbours." in words
    outputs = [one for cell in notebook["cells"] for one in cell.get("outputs", ())]
    drawn = [svg for one in outputs if (svg := "".join(one["data"].get("image/svg+xml", "")))]
    assert len(drawn) == 2
    assert all(parted(svg) == (svg, "") for svg in drawn), "a notebook has the wide one alone"
    assert "> **Where these numbers come from**" in words
    assert "\\tag{1}" in words
    assert "title = {Chapter spring}" in text
    assert "note = {Version 1.2.3}" in text
    assert "year = {2026}" in text


def test_the_site_begins_with_its_first_page_whose_title_is_said_once(opened):
    shown = opened("index")
    assert shown.value("document.title") == "Tides"
    shown.value("document.querySelector('article a[href*=spring]').href")
    assert shown.value("document.querySelector('article a[href*=spring]').href").endswith(
        "/html/part/spring.html"
    )
    assert shown.value("document.querySelector('meta[name=description]').content").startswith(
        "The moon"
    )


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1440, True)])
def test_the_site_s_style_sheet_gives_every_element_the_look_that_all_of_the_theme_s_do(
    tides, opened, width, dark
):
    static = tides / "_build" / "html" / "_static"
    sheets = [next(static.glob(name)).as_uri() for name in SHEETS]
    shown = opened("part/spring", width, dark=dark)
    elements, others = shown.value(f"({COMPARE})({json.dumps(sheets)})")
    assert elements > 300
    assert others == []


def test_nothing_but_one_style_sheet_keeps_a_page_from_being_shown(tides, opened):
    shown = opened("part/spring")
    assert shown.value("document.querySelectorAll('link[rel=stylesheet]').length") == 1
    assert shown.value("document.querySelectorAll('script[src]:not([defer])').length") == 0
    assert (tides / "_build/html/_static/site.css").stat().st_size < 150_000
    menus = shown.value("document.querySelectorAll('[data-bs-toggle=dropdown]').length > 0")
    assert menus == any("bootstrap.js" in address for address in shown.requested())


def point(reader, x, y):
    """Move the pointer there, and wait as long as a preview lets wait."""
    reader.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    reader.value("new Promise(done => setTimeout(done, 400)).then(() => null)")


def middle(reader, selector):
    found = f"document.querySelector({selector!r})"
    reader.value(f"{found}.scrollIntoView({{block: 'center'}})")
    box = f"{found}.getBoundingClientRect()"
    return reader.value(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({box})")


def test_a_reference_shows_the_table_that_it_leads_to_while_the_pointer_is_on_either(opened):
    shown = opened("part/spring")
    point(shown, *middle(shown, "a[href='#tab-heights']"))
    assert "11,096 m" in shown.value(PREVIEW)
    point(shown, *middle(shown, ".preview"))
    assert "11,096 m" in shown.value(PREVIEW), "the pointer may go there"
    point(shown, 5, 5)
    assert shown.value(PREVIEW) is None


def test_a_citation_shows_its_work_to_the_keyboard_and_escape_closes_it(opened):
    shown = opened("part/spring")
    shown.call("Emulation.setFocusEmulationEnabled", enabled=True)
    shown.value("document.querySelector('a[data-preview]').focus({focusVisible: true})")
    assert "Murray" in shown.value(PREVIEW)
    described = "document.getElementById(document.activeElement.getAttribute('aria-describedby'))"
    assert "The Tides" in shown.value(f"{described}.innerText")
    for kind in ("keyDown", "keyUp"):
        shown.call("Input.dispatchKeyEvent", type=kind, key="Escape")
    assert shown.value(PREVIEW) is None
    assert shown.value("document.activeElement.matches('a[data-preview]')")


def test_curves_show_their_values_in_a_table_and_at_the_pointer(opened):
    shown = opened("part/spring")
    rows = shown.value(
        "[...document.querySelector('.values table').rows].map(row => "
        "[...row.cells].map(cell => cell.textContent))"
    )
    assert rows[0] == ["hour", "harbour 0", "harbour 1", "harbour 2"]
    assert rows[1:] == [["0", "0", "1", "2"], ["1", "0", "1", "2"]]
    x, y = middle(shown, ".drawing svg")
    point(shown, x - 60, y)
    assert "harbour 2 2" in shown.value(PREVIEW)
    assert shown.value("document.querySelectorAll('.drawing .at').length") == 3
    point(shown, 5, 5)
    assert shown.value(PREVIEW) is None
    assert shown.value("document.querySelectorAll('.drawing .at').length") == 0


def test_panels_below_one_another_show_the_values_of_the_one_at_the_pointer(opened):
    shown = opened("part/spring", 390)
    selector = "#fig-harbours .narrow svg"
    x, y = middle(shown, selector)
    for panel, value in ((-1, "2"), (1, "20")):
        box = f"document.querySelector({selector!r}).getBoundingClientRect().height"
        point(shown, x, y + panel * shown.value(box) / 4)
        assert f"harbour 2 {value}" in shown.value(PREVIEW).splitlines()
    point(shown, 5, 5)


def test_where_a_drawing_is_scrolled_its_lines_names_stand_below_it(opened):
    key = (
        "[...document.querySelectorAll('.key')]"
        ".map(one => one.checkVisibility() && one.innerText.trim())"
    )
    assert opened("part/spring").value(key) == [False, False]
    assert opened("part/spring", 390).value(key) == [False, "a quay"]


def test_a_table_with_prose_in_its_cells_is_cards_on_a_phone(opened):
    shown = opened("part/spring", 390)
    cell = "document.querySelector('table.cards tbody td:last-child')"
    assert shown.value(f"getComputedStyle({cell}, '::before').content") == '"why: "'
    assert shown.value(f"getComputedStyle({cell}).display") == "block"
    assert shown.value("document.querySelector('table.cards').parentElement.tabIndex") == -1
    assert opened("part/spring").value(f"getComputedStyle({cell}).display") == "table-cell"


def test_what_needs_an_address_is_there_when_it_is_configured_and_not_before(tides):
    folder = tides / "_build" / "html"
    plain = page(tides, "part/spring")
    assert not any(word in plain for word in ("github.com", "og:url", "canonical", "mybinder"))
    assert not (folder / "sitemap.xml").exists()
    assert not (folder / "404.html").exists()
    base, code = "https://tides.example/book/", "https://github.com/somebody/tides"
    edit(
        tides / "_config.yml",
        "execute:",
        f"html: {{baseurl: {base}}}\nrepository: {{url: {code}}}\nexecute:",
    )
    (tides / "_build" / "latex").mkdir()
    (tides / "_build" / "latex" / "tides.tex").touch()
    (tides / "_build" / "latex" / "tides.pdf").write_bytes(b"%PDF-1.7")
    run = build(tides, "-W")
    assert run.returncode == 0, run.stderr
    text = page(tides, "part/spring")
    assert f'<link rel="canonical" href="{base}part/spring.html"' in text
    for place in ("/edit/", "/issues/", "mybinder.org", "colab.research.google.com"):
        assert place in text
    assert f"url = {{{base}part/spring.html}}" in text
    assert 'href="../tides.pdf" download' in text
    assert (folder / "tides.pdf").exists()
    assert f"<loc>{base}part/spring.html</loc>" in (folder / "sitemap.xml").read_text()
    assert f'<base href="{base}"' in (folder / "404.html").read_text()


def test_a_calculator_follows_what_is_typed_and_prints_without_its_buttons(opened):
    shown = opened("part/spring")
    shown.value("document.querySelector('#calc-waves input').select()")
    shown.call("Input.insertText", text="7")
    said = "document.querySelector('#calc-waves output').innerText"
    assert shown.value(said) == "A wave of 70 decimetres."
    button = "getComputedStyle(document.querySelector('#calc-waves button')).display"
    assert shown.value(button) != "none"
    shown.screen(1440, media="print")
    assert shown.value(button) == "none"
    assert shown.value(said) == "A wave of 70 decimetres."


def test_only_a_page_with_a_calculator_loads_its_script(tides):
    assert "calculator.js" in page(tides, "part/spring")
    assert "calculator.js" not in page(tides, "part/index")
