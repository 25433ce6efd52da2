"""The other pages of a book in words, for where no Sphinx leads to them."""

import re
from pathlib import Path
from posixpath import dirname, normpath
from urllib.parse import urljoin

from book.builder import chapter_variants, contents
from book.builder.errors import BookError
from book.builder.notebooks import read_notebook
from book.builder.plain_words import escaped
from book.builder.yamls import read_mapping

HEADING = re.compile(r"^# (.*)$", re.MULTILINE)


class Elsewhere:
    """The pages of the book in `root`, as the page `docname` refers to them."""

    def __init__(self, root: Path, docname: str) -> None:
        self.folder = dirname(docname)
        self.pages = _listed(root)
        self.base = address(root)

    def page(self, target: str) -> str:
        """Return the title of a page, named from this one's folder or, with `/`, from the root."""
        name = normpath(target[1:] if target.startswith("/") else f"{self.folder}/{target}")
        alike = [one for one in self.pages if f"/{one}".endswith(f"/{normpath(target)}")]
        found = name if name in self.pages else alike[0] if len(alike) == 1 else ""
        return self._words(found) or escaped(target)

    def holder(self, label: str) -> str:
        """Return the title of the page whose source names something by a label."""
        # in a reference, a sign stands before it, or the directive that shows it once more
        named = re.compile(rf"(?<![`<\w-])(?<!figure-of}} ){re.escape(label)}(?![\w-])")
        texts = {name: path.read_text(encoding="utf-8") for name, path in self.pages.items()}
        found = next((name for name, text in texts.items() if named.search(text)), "")
        return self._words(found) or escaped(label)

    def _words(self, name: str) -> str:
        """Return a page's title, which leads to where the book is published, if it is."""
        if not name:
            return ""
        title = _title(self.pages[name]) or escaped(name)
        return f"[{title}]({urljoin(self.base, f'{name}.html')})" if self.base else f"“{title}”"


def address(root: Path) -> str:
    """Return where a book is published, as its configuration says; empty where it does not."""
    path = root / "_config.yml"
    config = read_mapping(path) if path.is_file() else {}
    return str((config.get("html") or {}).get("baseurl") or "")


def _listed(root: Path) -> dict[str, Path]:
    """Return the pages of a book; of a page that is built alone, none."""
    try:
        return {name: path for name, path in contents.listed(root).items() if path}
    except BookError:
        return {}


def _title(page: Path) -> str:
    """Return a page's title, in Markdown; empty where it has none, or cannot be read."""
    try:
        if page.name.endswith(chapter_variants.SUFFIX):
            return str(read_mapping(page).get("title", ""))
        if page.suffix == ".ipynb":
            return chapter_variants.title(read_notebook(page))
    except BookError:
        return ""
    found = HEADING.search(page.read_text(encoding="utf-8"))
    return found[1] if found else ""
