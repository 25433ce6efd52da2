"""Labels beside the points of a scatter, each where it hides least."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

POINT = "the label of a point"  # what Matplotlib has as an artist's own label, and never shows
PLACES = (
    ((7, 0), "left", "center"),
    ((-7, 0), "right", "center"),
    ((0, 7), "center", "bottom"),
    ((0, -7), "center", "top"),
    ((5, 5), "left", "bottom"),
    ((-5, 5), "right", "bottom"),
    ((5, -5), "left", "top"),
    ((-5, -5), "right", "top"),
)
"""Where a label may stand beside its point, the best first; offsets in points."""
ROUNDS = 3  # in which a label may give way to one that came later


def label_points(figure: Figure, ax: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write each point's name beside it; the axes have their limits and scales."""
    for name, point in points.items():
        ax.annotate(name, point, (0, 0), textcoords="offset points", fontsize=9, label=POINT)
    figure.draw_without_rendering()  # else the places are not known yet
    place(ax)


def place(ax: Axes) -> bool:
    """Have each label of a point stand where it hides least; return whether any hides a thing."""
    texts = [text for text in ax.texts if text.get_label() == POINT]
    labels = [text for text in texts if isinstance(text, Annotation)]
    centres = [ax.transData.transform(label.xy) for label in labels]
    points = [Bbox([centre - 4, centre + 4]) for centre in centres]
    boxes: dict[Annotation, Bbox] = {}
    for label in labels * ROUNDS:
        others = [box for other, box in boxes.items() if other is not label]
        boxes[label] = _placed(ax, label, points + others)
    pairs = [*product(points, boxes.values()), *combinations(boxes.values(), 2)]
    return any(one.overlaps(other) for one, other in pairs)


def _placed(ax: Axes, label: Annotation, taken: Sequence[Bbox]) -> Bbox:
    """Move a label; return its box."""

    def hidden(place: tuple[tuple[int, int], str, str]) -> int:
        label.xyann, horizontal, vertical = place
        label.set(ha=horizontal, va=vertical)
        box = label.get_window_extent()
        beyond = box.x0 < ax.bbox.x0 or box.x1 > ax.bbox.x1
        return sum([2 * beyond, *(box.overlaps(other) for other in taken)])

    hidden(min(PLACES, key=hidden))
    return Bbox(label.get_window_extent().get_points())
