r"""Formulas as MathML, which browsers set and screen readers read without a script.

A displayed formula that is several, with `\quad` between them, breaks there on a narrow screen.
"""

import base64
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")

#: What the converter does not know, or only where no size stands before it.
WRITTEN = {
    r"\lfloor": "⌊",
    r"\rfloor": "⌋",
    r"\lceil": "⌈",
    r"\rceil": "⌉",
    r"\begin{aligned}": r"\begin{split}",
    r"\end{aligned}": r"\end{split}",
}
FUNCTION = r"(<mi>[a-z]{2,}</mi>)(?=<m[inos])(?!<mo)"  # as in tanh x
BAR = r"<mo>(\||&#x02016;|&#x0007C;)</mo>"  # which browsers would stretch to the height of all
TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|[{}]|[^\\{}]+", re.DOTALL)


def mathml(tex: str, *, display: bool = False) -> str:
    r"""Return a formula in MathML.

    Raises:
        ValueError: It has a command that is not known.

    >>> mathml("x^2")
    '<math display="inline"><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>'
    """
    for known, written in WRITTEN.items():
        tex = re.sub(rf"{re.escape(known)}(?![A-Za-z])", written.replace("\\", r"\\"), tex)
    done = convert(tex.strip(), display="block" if display else "inline")
    if unknown := re.search(r"\\[A-Za-z]+|<mi>&</mi>", done):
        raise ValueError(f"expected a formula that MathML can say, got {unknown[0]} in {tex!r}")
    done = re.sub(BAR, r'<mo stretchy="false">\1</mo>', done)
    done = re.sub(FUNCTION, r'\1<mspace width="0.167em"/>', done)
    return done.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")


def parts(tex: str) -> Iterator[str]:
    r"""Return the formulas that stand side by side in one, with `\quad` between them.

    >>> list(parts(r"a = \frac{1 \quad 2}{3},\quad b = 2"))
    ['a = \\frac{1 \\quad 2}{3},', 'b = 2']
    """
    depth, part = 0, ""
    for token in TOKEN.findall(tex):
        depth += (token in ("{", r"\left", r"\begin")) - (token in ("}", r"\right", r"\end"))
        if token in (r"\quad", r"\qquad") and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += token
    yield part.strip()


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a sentence."""
    self.body.append(_set(node, node.astext()))
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a displayed formula with its number."""
    tex = node.astext()
    if not node["nowrap"] and r"\\" in tex and r"\begin{" not in tex:
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append('<div class="formulas pst-scrollable-table-container">')
    self.body += [_set(node, part, display=True) for part in parts(tex)]
    self.body.append("</div>")
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def _set(node: nodes.Element, tex: str, *, display: bool = False) -> str:
    try:
        return mathml(tex, display=display)
    except ValueError as error:
        logger.warning("%s", error, location=node)
        return f"<code>{escape(tex)}</code>"


def style() -> str:
    """Return the style sheet of formulas, its letters in it, for a page that is one file."""
    letters = base64.b64encode((STATIC / "math.woff2").read_bytes()).decode()
    sheet = (STATIC / "math.css").read_text(encoding="utf-8")
    return sheet.replace("url(math.woff2)", f"url(data:font/woff2;base64,{letters})")


def setup(app: Sphinx) -> None:
    """Register the writer, for `html_math_renderer`."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
