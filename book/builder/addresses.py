"""What a site can say only of an address: where it is published, and where its repository is."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from sphinx.application import Sphinx
from sphinx.config import Config

PLACEHOLDER = "https://github.com/executablebooks/jupyter-book"  # Jupyter Book's, for books without
BUTTONS = ("use_edit_page_button", "use_issues_button", "use_repository_button")
LAUNCH = {"binderhub_url": "https://mybinder.org", "colab_url": "https://colab.research.google.com"}


def add_buttons(app: Sphinx, config: Config) -> None:
    """Offer what leads to the repository where its address is configured, and nothing elsewhere."""
    options = config.html_theme_options
    known = options.get("repository_url") not in (None, "", PLACEHOLDER)
    options |= dict.fromkeys(BUTTONS, known)
    if known:
        chosen = {name: one for name, one in options.get("launch_buttons", {}).items() if one}
        options["launch_buttons"] = LAUNCH | chosen


def not_found(app: Sphinx) -> Iterable[tuple[str, dict[str, Any], str]]:
    """Return the page that a server shows for those that are not there, if there is one."""
    if app.builder.format == "html" and app.config.html_baseurl:
        address = {"html_baseurl": app.config.html_baseurl}
        yield "404", {"title": "No such page", **address}, "404.html"


def write_map(app: Sphinx, exception: Exception | None) -> None:
    """Write which pages the site has, for search engines, if it has an address."""
    base = app.config.html_baseurl
    if exception or app.builder.format != "html" or not base:
        return
    pages = sorted(app.builder.get_target_uri(name) for name in app.env.found_docs)
    places = "".join(f"<url><loc>{urljoin(base, page)}</loc></url>\n" for page in pages)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="{space}">\n{places}</urlset>\n'
    Path(app.outdir, "sitemap.xml").write_text(text, encoding="utf-8")


def write_start(app: Sphinx, exception: Exception | None) -> None:
    """Begin the site with the first page itself, which stands elsewhere, not with a redirection."""
    if exception or app.builder.name not in ("html", "dirhtml"):
        return
    first = app.builder.get_target_uri(app.config.root_doc)
    page = Path(app.outdir, first, "index.html") if first.endswith("/") else Path(app.outdir, first)
    start = Path(app.outdir, "index.html")
    if page == start:
        return
    text = page.read_text(encoding="utf-8")
    text = text.replace("<head>", f'<head>\n    <base href="{first}" />', 1)
    start.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Bind these to the events of a build."""
    app.connect("config-inited", add_buttons)
    app.connect("html-collect-pages", not_found)
    app.connect("build-finished", write_map)
    app.connect("build-finished", write_start, priority=900)  # after that of the contents
