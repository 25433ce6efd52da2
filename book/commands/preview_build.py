"""One build of the preview: `python -m book.commands.preview_build [CHAPTER]`.

The preview is a site of its own beside the book's, made in the same way from the same executed
copies; neither undoes what the other has built.
"""

import os
import sys
from pathlib import Path

from book.builder.chapters import Book, find_book
from book.builder.errors import BookError
from book.commands.building import names
from models.cli import INTERRUPTED


def site_of(book: Book) -> Path:
    """Return the folder of a book's preview: the executed copies are looked for beside it."""
    return book.build / "preview"


def main(name: str = "") -> int:
    """Build; with a chapter's name, execute no other one. Return the exit status."""
    try:
        book = find_book(Path.cwd())
        if name:
            os.environ["CONVBOOK_ONLY"] = names(book, [name])
        return build(book)
    except BookError as error:
        print(f"preview: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("preview: interrupted", file=sys.stderr)
        return INTERRUPTED


def build(book: Book) -> int:
    """Build the site as jupyter-book does, but into the preview's folder; return the status."""
    from jupyter_book.sphinx import build_sphinx

    site = site_of(book)
    status = build_sphinx(
        book.root,
        site,
        path_config=book.root / "_config.yml",
        noconfig=True,
        confoverrides={
            "external_toc_path": (book.root / "_toc.yml").as_posix(),
            "latex_individualpages": False,
        },
        doctreedir=book.build / ".preview-doctrees",
    )
    if isinstance(status, KeyboardInterrupt):
        return INTERRUPTED
    return status if isinstance(status, int) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
