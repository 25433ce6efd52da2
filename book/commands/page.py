"""An executed notebook as one page of HTML that needs no other file, and no network.

It is rendered with the book's own configuration: roles, directives, references and formulas come
out as on the book's pages, without what makes the site.
"""

import base64
import mimetypes
import re
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat

from book.builder import formulas, links, widths

OURS = ["book.builder.folding", "book.builder.formulas"]
EXTENSIONS = ["myst_nb", "sphinx_design", "sphinxcontrib.bibtex", *OURS]
KEPT = ("bibtex_", "myst_", "nb_", "numfig")  # of the book's configuration
REFERENCES = "## References\n\n```{bibliography}\n:filter: docname in docnames\n```"
OWN_STYLE = """\
body { margin: 0; background: #fff; color: #1a1a1a; font: 17px/1.6 system-ui, sans-serif; }
main { max-width: 48rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1, h2, h3 { line-height: 1.25; }
a.headerlink { visibility: hidden; }
img { max-width: 100%; height: auto; }
figure { margin: 1.5rem 0; }
div.cell { margin: 1rem 0; }
details.fold, details.hide { margin: 1rem 0; }
details.parameters, div.provenance { border: 1px solid #ddd; padding: 0.4rem 0.8rem; }
details.parameters, div.provenance { font-size: 0.85rem; }
details summary p { display: inline; }
div.formulas { overflow-x: auto; overflow-y: hidden; }
span.pasted-text { font-weight: inherit; }
pre { overflow-x: auto; padding: 0.6rem 0.8rem; font-size: 0.8rem; line-height: 1.45; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: 0.85rem; }
td, th { padding: 0.2rem 0.6rem; border: 0; border-bottom: 1px solid #ddd; }
caption, figcaption, figcaption p { font-size: 0.9rem; }
"""


def write_page(notebook: Any, root: Path, output: Path) -> None:
    """Write an executed notebook of the book in `root`, in MyST Markdown, as a page."""
    for cell in notebook.cells:
        widths.leave_wide(cell.get("outputs", []))
    with TemporaryDirectory() as folder:
        source, site = Path(folder, "source"), Path(folder, "site")
        source.mkdir()
        nbformat.write(_with_references(notebook), source / "index.ipynb")
        title, body = _rendered(source, site, _configuration(root, source))
        styles = sorted((site / "_static").glob("*.css"))
        style = "".join(path.read_text(encoding="utf-8") for path in styles)
        body = links.LINK.sub("", _with_images(body, site))  # there is no site for these
        page = _document(title, body, style + OWN_STYLE)
    output.write_text(page, encoding="utf-8")


def _with_references(notebook: Any) -> Any:
    """Return a notebook that lists what it cites, which a book does on another page."""
    words = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    if "{cite" in words and "{bibliography}" not in words:
        notebook.cells.append(nbformat.v4.new_markdown_cell(REFERENCES, id="references"))
    return notebook


def _configuration(root: Path, source: Path) -> dict[str, Any]:
    from jupyter_book.config import get_final_config

    config, _ = get_final_config(
        user_yaml=root / "_config.yml",
        cli_config={"latex_individualpages": False},
        sourcedir=source,
        use_external_toc=False,
    )
    kept = {name: value for name, value in config.items() if name.startswith(KEPT)}
    bibliographies = [str(root / name) for name in kept.get("bibtex_bibfiles") or []]
    own = {
        "extensions": EXTENSIONS,
        "html_theme": "basic",
        "pygments_style": "default",
        "bibtex_bibfiles": bibliographies,
    }
    return {**kept, **own, "nb_execution_mode": "off"}


def _rendered(source: Path, site: Path, config: dict[str, Any]) -> tuple[str, str]:
    """Return the page's title and body; references to other chapters become plain text."""
    from sphinx.application import Sphinx

    app = Sphinx(source, None, site, site / ".doctrees", "html", config, StringIO(), StringIO())
    found: dict[str, str] = {}

    def keep(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
        if page == "index":
            found.update(title=context["title"], body=context["body"])

    app.connect("html-page-context", keep)
    app.build()
    return re.sub("<[^>]*>", "", found["title"]), found["body"]


def _with_images(body: str, site: Path) -> str:
    def inlined(image: re.Match[str]) -> str:
        path = site / image[1]
        kind = mimetypes.guess_type(path.name)[0]
        return f'src="data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"'

    return re.sub(r'src="(_images/[^"]+)"', inlined, body)


def _document(title: str, body: str, style: str) -> str:
    head = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>\n<style>\n{style}</style>",
    ]
    if "<math " in body:
        head.append(f"<style>\n{formulas.style()}</style>")
    return "\n".join([*head, f"</head>\n<body><main>\n{body}\n</main></body>\n</html>\n"])
