"""What every page is made with: the builder, the configuration, the contents, the sources' files.

Sphinx compares configuration values. Two of them hold digests of what it does not look at: when the
first one changes, it reads every page anew, when the second one does, it writes every page anew.
"""

import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

from book.builder.edition import CITATION
from book.builder.options import book_root
from book.builder.take_along import find_paper

READ_WITH, WRITTEN_WITH = "convbook_read_with", "convbook_written_with"
HERE = Path(__file__).resolve().parent


def setup(app: Sphinx) -> None:
    """Register both values; other extensions must have changed the configuration by then."""
    app.add_config_value(READ_WITH, "", "env")
    app.add_config_value(WRITTEN_WITH, "", "html")
    app.connect("config-inited", take_stock, priority=900)


def take_stock(app: Sphinx, config: Config) -> None:
    """Set both values to what stands in the files now."""
    folder = Path(app.srcdir)
    root = book_root(folder)
    toc = getattr(config, "external_toc_path", "_toc.yml")  # a single page is built without one
    named = [toc, *getattr(config, "bibtex_bibfiles", ())]
    book = [
        root / "_config.yml",
        *(folder / name for name in named),
        *_runs(config["convbook_runs"]),
    ]
    versions = sorted((name, one.version) for name, one in app.extensions.items())
    config[READ_WITH] = digest([*sorted(HERE.rglob("*.py")), *book], repr(versions))
    served = [folder / entry for entry in [*config.html_static_path, *config.html_extra_path]]
    served += [HERE / "templates", root / CITATION]
    if paper := find_paper(Path(app.outdir)):
        served.append(paper)
    config[WRITTEN_WITH] = digest(served, config[READ_WITH])


def _runs(name: str) -> list[Path]:
    """Return the file of the module that tells of the book's runs."""
    try:
        found = find_spec(name.partition(":")[0]) if name else None
    except (ImportError, ValueError):  # who asks for the runs will say so
        return []
    return [Path(found.origin)] if found and found.origin else []


def digest(paths: Iterable[Path], text: str = "") -> str:
    """Return a digest of files, and of those in folders, with their names; then of a text."""
    found = hashlib.sha256(text.encode())
    for path in paths:
        inside = (
            sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        )
        for file in filter(Path.is_file, inside):
            content = file.read_bytes()
            found.update(f"\0{file.relative_to(path.parent).as_posix()}\0{len(content)}\0".encode())
            found.update(content)
    return found.hexdigest()[:32]
