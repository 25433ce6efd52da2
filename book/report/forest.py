"""A forest plot: differences between variants in several settings, with their intervals."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from book.report import figures
from book.report.colours import BLACK, GREY
from book.report.comparisons import compare
from book.report.experiments import Results
from book.report.intervals import Interval
from book.report.methods import named


def draw(settings: Mapping[str, Results], pairs: Sequence[tuple[str, str]]) -> Figure:
    """Draw a panel a pair and a row a setting: the difference in test accuracy, points.

    It is the first variant's accuracy less the second's, seed by seed, in the first one's colour;
    in grey where its interval contains zero. Where there is no interval, each seed is a dot.
    """
    size = (6.4, 1.2 + 0.27 * len(settings))
    figure, axes = figures.new(len(pairs), sharex=True, sharey=True, size=size)
    for ax, (first, second) in zip(axes[0], pairs, strict=True):
        ax.axvline(0, color=BLACK, lw=0.8, ls=":")
        for row, results in enumerate(settings.values()):
            gap = compare(results, first, second).difference.affine(100)
            if gap.half_width is None:
                seeds = gap.points or (gap.mean,)
                ax.plot(seeds, [row] * len(seeds), ".", color=GREY, ms=5)
            else:
                figures.mean_dot(ax, row, gap, _colour(gap, first))
        ax.set_xlabel(f"{first}\n− {second}")
        ax.grid(visible=False, axis="y")
    axes[0][0].set_yticks(range(len(settings)), list(settings))
    axes[0][0].set_ylim(len(settings) - 0.5, -0.5)
    figure.supxlabel("difference in test accuracy, points", fontsize="medium")
    return figure


def _colour(difference: Interval, method: str) -> str:
    return GREY if difference.could_be_noise else named(method).colour
