"""What the reader keeps of every tensor: its shape, where the image's axes lie, what it sees.

Along the height and the width (or whatever the spatial axes are) a `Sight` says what one position
sees of the input, with the recurrence of `analysis.receptive_field`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeAlias

from analysis.reading.axes import NOWHERE, Axes, along
from analysis.reading.sizes import Shape, fixed
from analysis.rows import STATUSES, Status

Step: TypeAlias = int | Fraction


@dataclass(frozen=True)
class Sight:
    """What the first of `count` positions along an axis sees: `size` pixels from `start` on.

    `jump` pixels lie between what neighbours see. Under the status *global* every position sees
    what all of them see. `loose`: how much earlier some start, and how much further some reach,
    than `jump` says: what sees several of them sees so much more. `here`: its numbers are those of
    this run's size alone, whatever formula they have.
    """

    size: Step
    jump: Step
    start: Step
    count: int
    status: Status = "exact"
    window: int = 0
    loose: tuple[Step, Step] = (0, 0)
    here: bool = False

    def through(
        self, count: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> "Sight":
        """Return the sight behind a sliding window.

        r' = r + d (k − 1) j, j' = j s, start' = start − p j.

        Who sees what all see sees no more through a window.
        """
        if self.status == "global":
            return replace(self, jump=self.jump * stride, count=count)
        whole = self.loosened() if kernel > 1 or padding else self
        return replace(
            whole,
            size=whole.size + dilation * (kernel - 1) * self.jump,
            jump=self.jump * stride,
            start=whole.start - padding * self.jump,
            count=count,
            window=0,
        )

    def enlarged(self, count: int, denser: "Denser") -> "Sight":
        """Return it at positions that lie denser, each seeing some of the old."""
        if self.status == "global":
            return replace(self, jump=_whole(denser.step * self.jump), count=count)
        old = self.loosened()
        return replace(
            old,
            size=_whole(old.size + (denser.taps - 1) * self.jump),
            jump=_whole(denser.step * self.jump),
            start=_whole(old.start + denser.first * self.jump),
            count=count,
            window=0,
            loose=(denser.early * self.jump, denser.late * self.jump),
        ).at_best("upper bound")

    def loosened(self) -> "Sight":
        """Return what holds for each of several positions at once, however unevenly placed."""
        early, late = self.loose
        if not early and not late:
            return self
        start, size = _whole(self.start - early), _whole(self.size + late)
        return replace(self, start=start, size=size, loose=(0, 0))

    def shifted(self, positions: int) -> "Sight":
        """Return it as many positions further on."""
        whole = self.loosened() if positions else self
        return replace(whole, start=whole.start + positions * self.jump, window=0)

    def windowed(self, positions: int) -> "Sight":
        """Return it where a position sees its whole window: as far to either side as it reaches.

        Mixed once, positions of a window see alike, and mixing them again adds nothing.
        """
        if self.window == positions or self.status == "global":
            return self
        wide = self.through(self.count, 2 * positions - 1, padding=positions - 1)
        return replace(wide, window=positions).at_best("not shift-invariant")

    def unwindowed(self) -> "Sight":
        """Return it where windows are joined to the map again, or cut otherwise."""
        return replace(self, window=0) if self.window else self

    def everywhere(self, count: int | None = None) -> "Sight":
        """Return it where every position sees what all see: r + (positions − 1) j."""
        if self.status == "global":
            return self if count is None else replace(self, count=count)
        size = self.size + self.loose[1] + (self.count - 1) * self.jump
        return replace(
            self, size=size, count=self.count if count is None else count, status="global"
        )

    def at_best(self, status: Status) -> "Sight":
        """Return the same with a status no better than this."""
        worst = max(self.status, status, key=STATUSES.index)
        return replace(self, status=worst)


def hull(sights: Sequence[Sight]) -> Sight:
    """Return what is seen where several meet; under unlike jumps no size holds everywhere."""
    if len(set(map(_sight_key, sights))) == 1:
        return sights[0]
    here = any(sight.here for sight in sights)
    worldwide = [sight for sight in sights if sight.status == "global"]
    local = [sight for sight in sights if sight.status != "global"]
    if worldwide:
        widest = max(worldwide, key=lambda sight: fixed_step(sight.size))
        count = max((sight.count for sight in sights), key=fixed)
        return replace(widest, count=count, jump=(local or worldwide)[0].jump, here=here)
    sights = [sight.loosened() for sight in sights]
    start = min(sight.start for sight in sights)
    end = max(sight.start + sight.size for sight in sights)
    jumps = {sight.jump for sight in sights}
    worst = max((sight.status for sight in sights), key=STATUSES.index)
    windows = {sight.window for sight in sights}
    window = windows.pop() if len(windows) == 1 else 0
    merged = replace(sights[0], size=end - start, start=start, jump=max(jumps), here=here)
    merged = replace(merged, status=worst, window=window)
    return merged if len(jumps) == 1 else merged.at_best("not shift-invariant")


def _whole(step: Step) -> Step:
    """Return a whole number as an integer."""
    return int(step) if isinstance(step, Fraction) and step.denominator == 1 else step


@dataclass(frozen=True)
class Denser:
    """Positions `step` of the old ones apart, each seeing `taps` of the old, from `first` on.

    `early` and `late`: how far the old positions that they see lie beside evenly placed ones.
    """

    step: Step
    taps: int
    first: int
    early: Step
    late: Step


def _sight_key(sight: Sight) -> tuple[Step, ...]:
    status = STATUSES.index(sight.status)
    place = sight.jump, sight.start, *sight.loose
    return fixed_step(sight.size), status, sight.window, sight.here, *place


def fixed_step(step: Step) -> Step:
    """Return the value of this run: asked so, no guard is written down."""
    return fixed(step) if isinstance(step, int) else step


@dataclass(frozen=True)
class View:
    """A sight per spatial axis; none where nothing of the input arrives."""

    sights: tuple[Sight, ...] = ()

    def changed(self, axes: Iterable[tuple[int, int]], positions: int | None = None) -> "View":
        """Return the same where positions along dimensions are mixed: all, or those of a window."""
        sights = list(self.sights)
        for axis, window in axes:
            sight = sights[axis]
            sights[axis] = sight.windowed(window) if window else sight.everywhere(positions)
        return View(tuple(sights))

    def at_best(self, status: Status) -> "View":
        """Return the same with a status no better than this along every axis."""
        return View(tuple(sight.at_best(status) for sight in self.sights))

    def unwindowed(self) -> "View":
        """Return the same where windows end."""
        return View(tuple(sight.unwindowed() for sight in self.sights))

    def on(self, axis: int, sight: Sight) -> "View":
        """Return the same with another sight along one axis."""
        return View(tuple(sight if i == axis else old for i, old in enumerate(self.sights)))


def meet(views: Iterable[View]) -> View:
    """Return the hull, axis by axis, of those that see anything."""
    seeing = [view for view in views if view.sights]
    if len(seeing) < 2 or all(view is seeing[0] for view in seeing):
        return seeing[0] if seeing else View()
    return View(tuple(hull(axis) for axis in zip(*(view.sights for view in seeing), strict=True)))


@dataclass(frozen=True, slots=True)
class Marks:
    """A tensor's shape, the axes along its dimensions, what it sees, and the same without gates."""

    shape: Shape
    axes: Axes
    view: View = field(default_factory=View)
    bare: View = field(default_factory=View)

    def reshaped(self, shape: Shape, axes: Axes) -> "Marks":
        """Return another shape that sees the same."""
        return Marks(shape, axes, self.view, self.bare)

    def on(self, axis: int, change: Callable[[Sight], Sight]) -> "Marks":
        """Return the same with the sight along one axis changed, where anything is seen."""
        views = [
            view.on(axis, change(view.sights[axis])) if view.sights else view
            for view in (self.view, self.bare)
        ]
        return Marks(self.shape, self.axes, *views)

    def mixed(self, dims: Iterable[int]) -> "Marks":
        """Return the same where positions along these dimensions are mixed."""
        parts = along(self.axes[dim] for dim in dims)
        if not parts:
            return self
        return Marks(self.shape, self.axes, self.view.changed(parts), self.bare.changed(parts))

    def normalized(self, dims: Iterable[int]) -> "Marks":
        """Return the same under statistics over these dimensions: seen, but not without gates."""
        return Marks(self.shape, self.axes, self.mixed(dims).view, self.bare)


def plain_marks(shape: Shape) -> Marks:
    """Return the marks of a tensor that nothing of the input reaches."""
    return Marks(shape, (NOWHERE,) * len(shape))
