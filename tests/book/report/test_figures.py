"""A figure is an SVG and nothing else, of the same bytes whenever it is drawn."""

import subprocess
import sys

DRAWING = """
import sys
from IPython.core.interactiveshell import InteractiveShell

from book.report import figures

def drawn():
    figure, ((ax,),) = figures.new()
    ax.plot([1, 2], [3, 4])
    figures.label_ends(ax, [(4, "a line", "black")])
    formatters = InteractiveShell.instance().display_formatter.formatters
    forms = {kind: form for kind, one in formatters.items() if (form := one(figure)) is not None}
    assert set(forms) == {"image/svg+xml", "text/plain"}, forms.keys()
    return forms["image/svg+xml"]

InteractiveShell.instance()
figures.use_style()
sys.stderr.write(drawn())
assert drawn() == drawn()
"""


def test_a_figure_drawn_again_has_the_same_bytes_without_a_date():
    command = [sys.executable, "-c", DRAWING]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "<svg" in drawn
    assert "<dc:date>" not in drawn
