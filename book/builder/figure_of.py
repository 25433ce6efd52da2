"""A figure of another page, shown once more by `{figure-of}`, as glue shows its numbers.

Its number and its caption stay with the page that draws it.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

SHOWN = "figures of other pages"  # in a page's metadata: the names of those that it shows


class Place(nodes.General, nodes.Element):
    """Where the picture of a figure is to stand; `name` is what `{numref}` calls that figure."""


class FigureOf(SphinxDirective):
    """Leave a place for the picture of a figure, which may not have been read yet."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the place, and note in the page's metadata what it shows."""
        (name,) = self.arguments
        self.env.metadata[self.env.docname].setdefault(SHOWN, []).append(name)
        place = Place(name=name)
        self.set_source_info(place)
        return [place]


class ShowFigures(SphinxPostTransform):
    """Puts the pictures in their places, before any is made into another format."""

    default_priority = 5

    def run(self, **kwargs: Any) -> None:
        """Replace every place by its picture; one without a picture goes, with a warning."""
        for place in list(self.document.findall(Place)):
            image = picture(self.env, place["name"])
            if image is None:
                logger.warning("undefined label: %r has no picture", place["name"], location=place)
                place.parent.remove(place)
            else:
                place.replace_self(nodes.figure("", image.deepcopy(), align="center"))


def picture(env: BuildEnvironment, name: str) -> nodes.image | None:
    """Return the picture of a figure of any page; None where there is none."""
    page, place = env.get_domain("std").anonlabels.get(name, ("", ""))  # type: ignore[attr-defined]
    figures = env.get_doctree(page).findall(nodes.figure) if page else ()
    images = (one.next_node(nodes.image) for one in figures if place in one["ids"])
    return next(images, None)


def pictures(env: BuildEnvironment) -> dict[str, str]:
    """Return where the pictures lie that pages show of others, by their figures' names."""
    names = {name for facts in env.metadata.values() for name in facts.get(SHOWN, ())}
    found = {name: picture(env, name) for name in names}
    return {name: image["uri"] if image else "" for name, image in found.items()}


def setup(app: Sphinx) -> None:
    """Register the directive and what fills its places."""
    app.add_node(Place)
    app.add_directive("figure-of", FigureOf)
    app.add_post_transform(ShowFigures)
