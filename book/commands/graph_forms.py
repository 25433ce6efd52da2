"""What chapters depend on, as a picture, a table and a graph: chapters against packages.

Eighty modules drawn one by one would be a hairball; how many of each package a chapter uses fits a
page.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from tabulate import tabulate

from book.commands.dependencies import Dependencies

#: What a chapter uses beside modules, by the heading of its column.
OTHERS = ("files", "variables", "runs")
CELL = 0.34  # inches a column and a row
LETTER = 0.08  # inches a letter
INK, PALE = "#10375c", "#f4f7fa"


def packages(found: Sequence[Dependencies]) -> list[str]:
    """Return the packages that any of the chapters uses."""
    return sorted({package for one in found for package in one.packages})


def counts(one: Dependencies, columns: Sequence[str]) -> list[int]:
    """Return how many modules of each package a chapter uses, then how many of each other kind."""
    modules = [len(one.packages.get(package, ())) for package in columns]
    return [*modules, len(one.data), len(one.variables), one.runs]


def table(found: Sequence[Dependencies]) -> str:
    """Return a Markdown table."""
    columns = packages(found)
    rows = [
        [one.docname, *(count or "" for count in counts(one, columns)), _reads(one)]
        for one in found
    ]
    headers = ["chapter", *columns, *OTHERS, "reads"]
    return tabulate(rows, headers, tablefmt="github") + "\n"


def _reads(one: Dependencies) -> str:
    return ", ".join(f"{name} ({what})" for name, what in one.chapters.items())


def dot(found: Sequence[Dependencies]) -> str:
    """Return a graph for Graphviz, with how many modules on each arrow to a package."""
    lines = ["digraph book {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for one in found:
        lines.append(f'  "{one.docname}" [style=filled, fillcolor="{PALE}"];')
        for package, names in one.packages.items():
            lines.append(f'  "{one.docname}" -> "{package}" [label={len(names)}];')
        for name, what in one.chapters.items():
            lines.append(f'  "{one.docname}" -> "{name}" [style=dashed, label="{what}"];')
    return "\n".join([*lines, "}\n"])


def draw(found: Sequence[Dependencies], output: Path) -> None:
    """Draw a square for each chapter and package, darker for more modules, as SVG."""
    columns = packages(found)
    headings = [*columns, *OTHERS]
    rows = [counts(one, columns) for one in found]
    left = LETTER * max(len(one.docname) for one in found)
    right = 0.3 + LETTER * max(len(_beside(one)) for one in found)
    top = 0.3 + LETTER * max(map(len, headings))
    wide, high = CELL * len(headings), CELL * len(rows)
    size = (left + wide + right, high + top)
    figure = Figure(figsize=size)
    ax = figure.add_axes((left / size[0], 0, wide / size[0], high / size[1]))
    _fill(ax, rows)
    _label(ax, headings, found, len(columns))
    with matplotlib.rc_context({"svg.hashsalt": "book", "svg.fonttype": "none"}):
        figure.savefig(output, format="svg", metadata={"Date": None})


def _beside(one: Dependencies) -> str:
    """Return what stands beside a chapter's row."""
    if not one.known:
        return "never executed"
    return f"reads {_reads(one)}" if one.chapters else ""


def _fill(ax: Axes, rows: Sequence[Sequence[int]]) -> None:
    """Write the counts on squares, each as dark as its share of the most in its column."""
    most = [max(1, *column) for column in zip(*rows, strict=True)]
    for y, row in enumerate(rows):
        for x, count in enumerate(row):
            share = count / most[x]
            red, green, blue = (1 - share * (1 - part) for part in to_rgb(INK))
            colour = (red, green, blue) if count else to_rgb(PALE)
            ax.add_patch(Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, color=colour))
            ink = "white" if share > 0.5 else INK
            ax.text(
                x + 0.5, y + 0.5, str(count or ""), ha="center", va="center", color=ink, fontsize=8
            )


def _label(ax: Axes, headings: Sequence[str], found: Sequence[Dependencies], modules: int) -> None:
    """Name the columns and rows, and part the packages from the rest."""
    ax.set(xlim=(0, len(headings)), ylim=(len(found), 0))
    ax.xaxis.tick_top()
    ax.set_xticks([x + 0.5 for x in range(len(headings))], headings, rotation=90, fontsize=9)
    ax.set_yticks([y + 0.5 for y in range(len(found))], [one.docname for one in found], fontsize=9)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.axvline(modules, color=INK, lw=1)
    for y, one in enumerate(found):
        ax.text(len(headings) + 0.2, y + 0.5, _beside(one), va="center", fontsize=8)
