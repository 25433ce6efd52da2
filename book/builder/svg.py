"""The figures of print: LaTeX takes no SVG, so each is turned into a PDF, as sharp as before.

A chapter draws a figure once, as SVG, whatever is built of it. Jupyter Book brings ImageMagick
along for such cases, which would make pixels of it.
"""

import shutil
import subprocess
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms.images import ImageConverter
from sphinx.util import logging

logger = logging.getLogger(__name__)

PROGRAM = "rsvg-convert"
SVG, PDF = "image/svg+xml", "application/pdf"


class SvgToPdf(ImageConverter):
    """Sphinx's transform of a page's images, where the builder takes PDF and no SVG."""

    default_priority = 190  # before the 200 of ImageMagick's
    conversion_rules = [(SVG, PDF)]  # noqa: RUF012 - as Sphinx declares it

    def is_available(self) -> bool:
        """Return whether the program is there; say so where it is not."""
        there = shutil.which(PROGRAM) is not None
        if not there:
            logger.warning("%s is not installed: figures are no vector graphics in print", PROGRAM)
        return there

    def convert(self, _from: str, _to: str) -> bool:
        """Write the SVG file's picture into a PDF file.

        Raises:
            ExtensionError: The program refuses the file.
        """
        done = subprocess.run(
            [PROGRAM, "--format=pdf", f"--output={_to}", _from], capture_output=True, text=True
        )
        if done.returncode:
            raise ExtensionError(f"{PROGRAM}: {_from}: {done.stderr.strip()}")
        return True


def prefer_svg(app: Sphinx, config: Config) -> None:
    """Have LaTeX take a cell's SVG before its other forms."""
    config.nb_mime_priority_overrides = [*config.nb_mime_priority_overrides, ("latex", SVG, 1)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform."""
    app.add_post_transform(SvgToPdf)
    app.connect("config-inited", prefer_svg)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
