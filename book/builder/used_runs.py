"""What runs the chapters used, told in a file for the chapter that asks (`trace.used_runs`)."""

import json

from book.builder.chapters import USED_RUNS, Book


def tell_used_runs(book: Book) -> None:
    """Write the file in a book's build folder, unless it says so already."""
    stamps = {chapter.docname: chapter.stamp() for chapter in book.chapters()}
    used = {name: sorted(then.runs) for name, then in stamps.items() if then and then.runs}
    path, text = book.build / USED_RUNS, json.dumps(used, indent=1)
    if not path.is_file() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
