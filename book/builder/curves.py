"""The values of a drawing's curves, which its SVG says and the page shows below it.

Who draws writes them into the description of the SVG's metadata (`said`) and names the lines'
groups `curve-0`, `curve-1`, … in the same order.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from xml.etree.ElementTree import Element

GROUP = "curve-"  # how the name of a curve's group begins
DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


@dataclass(frozen=True)
class Panel:
    """Curves over one quantity, with their values as texts: a row is an x and each curve's y."""

    x: str
    y: str
    names: Sequence[str]
    colours: Sequence[str]  # as #rrggbb
    rows: Sequence[Sequence[str]]


def said(panels: Iterable[Panel]) -> str:
    """Return panels as a description says them.

    >>> said([Panel("day", "tide, m", ["spring"], ["#000000"], [["1", "4.2"]])])[:24]
    '[{"x":"day","y":"tide, m'
    """
    return json.dumps(list(map(asdict, panels)), ensure_ascii=False, separators=(",", ":"))


def read(root: Element) -> list[Panel]:
    """Return what an SVG says of its curves; nothing where its description is another one."""
    found = next(root.iter(DESCRIPTION), None)
    try:
        return [Panel(**one) for one in json.loads((found is not None and found.text) or "[]")]
    except (ValueError, TypeError):
        return []


def mark(root: Element) -> None:
    """Give the curves' groups a class, by which a script finds them."""
    for element in root.iter():
        if element.get("id", "").startswith(GROUP):
            element.set("class", "curve")


def key(panels: Iterable[Panel]) -> str:
    """Return the names of all curves beside their colours: their labels may be out of view."""
    pairs = {
        (name, colour)
        for one in panels
        for name, colour in zip(one.names, one.colours, strict=True)
    }
    shown = "".join(
        f'<span><i style="background:var(--d{colour[1:]},{colour})"></i>{escape(name)}</span> '
        for name, colour in sorted(pairs)
    )
    return f'<p class="key">{shown.rstrip()}</p>' if shown else ""


def details(panels: Iterable[Panel]) -> str:
    """Return the values as tables that the reader opens."""
    tables = "".join(map(_table, panels))
    return f'<details class="values"><summary>Values</summary>{tables}</details>' if tables else ""


def _table(panel: Panel) -> str:
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in (panel.x, *panel.names))
    rows = "".join(f"<tr><td>{'<td>'.join(map(escape, row))}" for row in panel.rows)
    return (
        f'<div class="pst-scrollable-table-container"><table class="table">'
        f"<caption>{escape(panel.y)}</caption><thead><tr>{heads}</thead><tbody>{rows}</table></div>"
    )
