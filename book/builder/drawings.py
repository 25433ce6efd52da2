"""Matplotlib's drawings in the page itself: text that is found and selected, colours for the dark.

An SVG file behind an `img` keeps its text from the reader and its colours from the theme. Here it
becomes part of the page, without what only Matplotlib needs, and beside the one for a narrow page
that it carries; what is no drawing of Matplotlib's stays a picture.
"""

import re
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from book.builder import curves, widths
from book.builder.contrast import DARK, LIGHT, TEXT, in_the_dark, legible

COLOUR = re.compile(r"#([0-9a-f]{6})\b", re.IGNORECASE)
BEGIN = '<div class="drawing '
SIZE = re.compile(r"font-size:([\d.]+)px")
NUMBER = re.compile(r"-?\d+\.\d+")
LONG = 500  # letters of a path with so many points that a tenth of one is not seen
MANY = 12  # markers alike that are worth a path
READABLE = 9.0  # pixels: text is not made smaller on a narrow screen, which scrolls instead
POINT = 4 / 3  # pixels


def drawing(text: str, name: str, words: str) -> str:
    """Return a drawing of Matplotlib's as HTML; `name` begins its ids, `words` describe it.

    Where it carries another one for a narrow page, the style sheet shows the one that fits.
    """
    forms = [ElementTree.fromstring(form) for form in widths.parted(text) if form]
    panels, colours = curves.read(forms[0]), set[str]()
    for place, form in enumerate(forms):
        _prepare(form, f"{name}{'n' * place}", colours)
        form.attrib |= {"role": "img", "aria-label": words}
    ElementTree.SubElement(forms[0], "style").text = _palette(colours)
    kinds = ("wide ", "narrow ") if len(forms) > 1 else ("",)
    boxes = "".join(map(_box, kinds, forms))
    return f"{boxes}{curves.key(panels)}{curves.details(panels)}"


def _prepare(root: Element, name: str, colours: set[str]) -> None:
    """Make an SVG part of a page; add its colours, as variables are named after them."""
    curves.mark(root)
    _leave_out(root)
    _name_anew(root, name)
    for element in root.iter():
        _shorten(element)
        _restyle(element, colours)
    for place, group in enumerate([one for one in root.iter("g") if _is_of_markers(one)]):
        _mark_a_path(group, f"{name}m{place}")
    _size(root)
    _ungroup(root)


def _box(kind: str, root: Element) -> str:
    drawn = ElementTree.tostring(root, encoding="unicode").replace(" />", "/>")
    return f'{BEGIN}{kind}pst-scrollable-table-container">{drawn}</div>'


def _leave_out(root: Element) -> None:
    """Remove names of namespaces, space between elements, and what says how it was made."""
    for parent in root.iter():
        parent.tag = parent.tag.rpartition("}")[2]
        for child in list(parent):
            child.tail = None
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
        if parent.tag != "text" and not (parent.text or "").strip():
            parent.text = None


def _name_anew(root: Element, name: str) -> None:
    """Keep the ids that the drawing refers to, short and its own."""
    names: dict[str, str] = {}
    for element in root.iter():
        target = element.attrib.pop("{http://www.w3.org/1999/xlink}href", "")
        if target.startswith("#"):
            target = f"#{names.setdefault(target[1:], f'{name}-{len(names)}')}"
        if target:
            element.set("href", target)
        if found := re.search(r"url\(#(.*)\)", element.get("clip-path", "")):
            new = names.setdefault(found[1], f"{name}-{len(names)}")
            element.set("clip-path", f"url(#{new})")
    for element in root.iter():
        if "id" in element.attrib and (old := element.attrib.pop("id")) in names:
            element.set("id", names[old])


def _shorten(element: Element) -> None:
    """Write numbers as long as can be seen: in points, to a hundredth, or where many to a tenth."""
    digits = 1 if element.tag == "use" or len(element.get("d", "")) > LONG else 2
    for key in ("d", "x", "y", "width", "height", "points", "transform"):
        if value := element.get(key):
            element.set(key, NUMBER.sub(partial(_rounded, digits), value))
    if "d" in element.attrib:
        element.set("d", re.sub(r"\s*([A-Za-z,])\s*", r"\1", element.attrib["d"]).strip())
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    _say_once(element)


def _rounded(digits: int, found: re.Match[str]) -> str:
    return f"{float(found[0]):.{digits}f}".rstrip("0").rstrip(".")


def _say_once(element: Element) -> None:
    """Give markers of one style that style together."""
    styles = {child.get("style", "") for child in element}
    markers = all(child.tag == "use" for child in element)
    if markers and len(styles) == 1 and not element.get("style"):
        element.set("style", styles.pop())
        for child in element:
            child.attrib.pop("style", None)


def _restyle(element: Element, colours: set[str]) -> None:
    """Have the page give colours and letters; text has a colour of its own, always legible."""
    kind = "t" if element.tag in ("text", "tspan") or _is_of_text(element) else "d"

    def variable(found: re.Match[str]) -> str:
        colours.add(kind + found[1].lower())
        return f"var(--{kind}{found[1].lower()},{found[0]})"

    if style := element.get("style"):
        style = re.sub(r"font-family: [^;]*;? ?|stroke-linecap: butt;? ?", "", style)
        style = re.sub(r"font: (?:\w+ )*?([\d.]+px) [^;]*", r"font-size: \1", style)
        element.set("style", COLOUR.sub(variable, style).replace(": ", ":").replace("; ", ";"))


def _ungroup(element: Element) -> None:
    """Put a group's elements in its place where it says nothing of them."""
    for place, child in reversed(list(enumerate(element))):
        _ungroup(child)
        if child.tag == "g" and not child.attrib:
            element[place : place + 1] = list(child)


def _is_of_markers(element: Element) -> bool:
    """Whether a group holds many markers that differ in nothing but their places."""
    looks = {tuple(sorted(_look(one).items())) for one in element}
    return len(element) >= MANY and len(looks) == 1 and element[0].tag == "use"


def _look(element: Element) -> dict[str, str]:
    return {key: value for key, value in element.items() if key not in ("x", "y")}


def _mark_a_path(group: Element, name: str) -> None:
    """Draw a group's many markers on the points of one path, which takes a quarter of the letters.

    They look as before: each is painted for itself, so that where many lie it is darker.
    """
    points = "L".join(f"{one.get('x')} {one.get('y')}" for one in group)
    look = _look(group[0])
    group[:] = []
    all_seen = {"id": name, "overflow": "visible", "markerUnits": "userSpaceOnUse"}
    ElementTree.SubElement(ElementTree.SubElement(group, "marker", all_seen), "use", look)
    own = {"d": f"M{points}", "style": f"fill:none;stroke:none;marker:url(#{name})"}
    ElementTree.SubElement(group, "path", own)


def _is_of_text(element: Element) -> bool:
    return len(element) > 0 and all(child.tag == "text" for child in element)


def _palette(colours: set[str]) -> str:
    """Return the style sheet of these variables, on a light page and on a dark one."""
    light, dark = [], []
    for name in sorted(colours):
        colour = f"#{name[1:]}"
        if colour == LIGHT:
            dark.append(f"--{name}:{DARK if name[0] == 'd' else LIGHT}")
        elif name[0] == "t":
            light.append(f"--{name}:{legible(colour, LIGHT, TEXT)}")
            dark.append(f"--{name}:{in_the_dark(colour, TEXT)}")
        else:
            dark.append(f"--{name}:{in_the_dark(colour)}")
    return f"html{{{';'.join(light)}}}html[data-theme=dark]{{{';'.join(dark)}}}"


def _size(root: Element) -> None:
    """Let the drawing shrink with the page, but not so far that its letters can't be read."""
    width = float(root.attrib.pop("width").removesuffix("pt")) * POINT
    root.attrib.pop("height")
    styles = " ".join(text.get("style", "") for text in root.iter("text"))
    letters = [float(size) * POINT for size in SIZE.findall(styles)]
    least = min(width, width * READABLE / min(letters)) if letters else 0
    root.set("style", f"fill:currentcolor;width:{width:.0f}px;min-width:{least:.0f}px")


def visit_image(self: HTML5Translator, node: nodes.image) -> None:
    """Write a drawing of Matplotlib's into the page, any other picture as ever."""
    path = Path(self.builder.srcdir, node["uri"])
    if path.suffix == ".svg" and path.is_file():
        text = path.read_text(encoding="utf-8")
        if "<dc:title>Matplotlib" in text.partition("</metadata>")[0]:
            number = sum(part.startswith(BEGIN) for part in self.body)
            self.body.append(drawing(text, f"d{number}", node.get("alt", "")))
            raise nodes.SkipNode
    HTML5Translator.visit_image(self, node)


def depart_image(self: HTML5Translator, node: nodes.image) -> None:
    """End a picture."""
    HTML5Translator.depart_image(self, node)


def setup(app: Sphinx) -> None:
    """Register the writer."""
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
