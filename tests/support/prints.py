"""What a printed book is: its text, its pages' white, its bookmarks, its outline's facts."""

import html
import re
import subprocess
import zlib
from pathlib import Path

import numpy as np

HEAD, FOOT = 0.095, 0.885  # of a page's height: between them stands the text
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
HIDDEN = (  # of a page: no prose, or only for a screen
    r"(?s)<(script|style|svg|math|pre|code|nav)\b.*?</\1>"
    r"|<(form)\b[^>]*calculator.*?</\2>"
    r"|<(table)\b[^>]*\bsortable\b.*?</\3>"
    r"|<(details)\b[^>]*\bvalues\b.*?</\4>"
)


def text(pdf: Path) -> str:
    """The words of a PDF."""
    command = ["pdftotext", "-layout", pdf, "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def numbers_of_text(words: str) -> set[str]:
    """The numbers of at least four characters, which none has by chance."""
    return {one for one in NUMBER.findall(words) if len(one) >= 4}


def numbers_of_page(page: str) -> set[str]:
    """Those that a site's page shows in its prose, its tables and its captions."""
    (article,) = re.findall(r"(?s)<article\b.*?</article>", page)
    words = re.sub(r"<[^>]*>", " ", re.sub(HIDDEN, " ", article))
    return numbers_of_text(html.unescape(words))


def white(pdf: Path, folder: Path) -> list[float]:
    """The share of each page's text block that is empty at its end."""
    subprocess.run(["pdftoppm", "-r", "20", "-gray", pdf, folder / "page"], check=True)
    return [_white(page.read_bytes()) for page in sorted(folder.glob("page-*.pgm"))]


def _white(page: bytes) -> float:
    _, size, _, pixels = page.split(b"\n", 3)
    width, height = map(int, size.split())
    rows = np.frombuffer(pixels, np.uint8).reshape(height, width)[int(HEAD * height) :]
    block = rows[: int((FOOT - HEAD) * height)]
    written = np.flatnonzero((block < 235).any(axis=1))
    return 1 - (written[-1] + 1) / len(block) if written.size else 1.0


def objects(pdf: Path) -> bytes:
    """What a PDF's compressed objects say, its catalogue among them."""
    streams = re.findall(rb"(?s)/ObjStm.*?stream\r?\n(.*?)\r?\nendstream", pdf.read_bytes())
    return b"".join(zlib.decompressobj().decompress(one) for one in streams)
