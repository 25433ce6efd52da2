"""Rules for operators that work position by position, and for those that sum over dimensions."""

from typing import Any

from torch import Tensor

from analysis.reading.axes import NOWHERE, along, merged
from analysis.reading.calls import Call, marks_of, rule, words
from analysis.reading.marks import Marks, View, meet, plain_marks
from analysis.reading.sizes import Shape, fixed, values

ACTIVATIONS = words(
    "relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish hardsigmoid "
    "hardtanh sigmoid tanh softplus softsign softshrink hardshrink tanhshrink threshold "
    "logsigmoid glu_"
)
ARITHMETIC = words(
    "sub rsub subtract div divide true_divide floor_divide pow neg negative exp exp2 expm1 log "
    "log2 log10 log1p sqrt rsqrt square abs absolute sign sgn sin cos tan asin acos atan atan2 "
    "sinh cosh erf erfc erfinv floor ceil round trunc frac reciprocal remainder fmod clamp clip "
    "clamp_min clamp_max maximum minimum where masked_fill lerp addcmul addcdiv eq ne lt le gt ge "
    "logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not "
    "bitwise_xor isnan isinf isfinite nan_to_num truediv floordiv rtruediv radd rmul rpow mod and "
    "or xor invert bernoulli uniform normal fill zero exponential triu tril copysign hypot xlogy "
    "sinc deg2rad float_power logit expit"
)
SAME = words(
    "detach clone contiguous to float double half bfloat16 long int bool type type_as cpu cuda "
    "alias requires_grad_ detach_ copy_ empty_like zeros_like ones_like full_like rand_like "
    "randn_like randint_like data"
)


def broadcast(shapes: list[Shape]) -> tuple[Shape, list[list[int]]]:
    """Return the common shape, and for each of its dimensions which operands fill it.

    A size stands for itself before a 1 does; of two equal ones that with a formula is taken.
    """
    length = max(map(len, shapes), default=0)
    padded = [(1,) * (length - len(shape)) + shape for shape in shapes]
    common, fillers = [], []
    for sizes in zip(*padded, strict=True):
        wide = [i for i, size in enumerate(sizes) if fixed(size) != 1]
        filling = wide or [i for i, size in enumerate(sizes) if type(size) is not int] or [0]
        best = next((i for i in filling if type(sizes[i]) is not int), filling[0])
        common.append(sizes[best])
        fillers.append(filling)
    return tuple(common), fillers


def joined(operands: list[Marks]) -> Marks:
    """Join operands element by element: the hull of what they see, a gate's apart."""
    if len(operands) == 1:
        return operands[0]
    shape, fillers = broadcast([marks.shape for marks in operands])
    axes = []
    for dim, filling in enumerate(fillers):
        own = [dim - len(shape) + len(operands[i].shape) for i in filling]
        axes.append(merged(operands[i].axes[d] for i, d in zip(filling, own, strict=True)))
    located = [marks for marks in operands if is_map(marks)]
    return Marks(
        shape,
        tuple(axes),
        meet(marks.view for marks in operands),
        meet(marks.bare for marks in (located or operands)),
    )


def is_map(marks: Marks) -> bool:
    """Return whether an operand has positions along the image's axes: a gate has one for all."""
    return any(
        parts and fixed(size) != 1 for size, parts in zip(marks.shape, marks.axes, strict=True)
    )


def operands(call: Call) -> list[Marks]:
    """Return the marks of every tensor argument, or of a number."""
    return [marks_of(tensor) for tensor in call.tensors] or [plain_marks(())]


def _pointwise(call: Call) -> Marks:
    return joined(operands(call))


def _product(call: Call) -> Marks:
    return joined(operands(call))


def _sum(call: Call) -> Marks:
    """Mark a sum, which is no gate: without gates it still sees all of its operands."""
    marks = operands(call)
    both = joined(marks)
    return Marks(both.shape, both.axes, both.view, meet(one.bare for one in marks))


def _first(call: Call) -> Marks:
    return call.marks(0)


rule("activation", *ACTIVATIONS)(_pointwise)
rule("other", *ARITHMETIC)(_pointwise)
rule("multiply", "mul", "multiply")(_product)
rule("add", "add")(_sum)
rule(None, *SAME)(_first)
rule("dropout", "dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d",
     "dropout3d", "feature_dropout")(_first)  # fmt: skip


@rule("activation", "softmax", "log_softmax", "softmin", "gumbel_softmax", "normalize")
def _along_a_dimension(call: Call) -> Marks:
    marks = call.marks(0)
    names = {"normalize": 2}
    dim = call.argument(names.get(getattr(call.function, "__name__", ""), 1), "dim", -1)
    return marks.mixed([dim if dim is not None else -1])


@rule("other", "cumsum", "cumprod", "logcumsumexp")
def _accumulated(call: Call) -> Marks:
    """Mark running sums: the last position sees all before it."""
    return call.marks(0).mixed([call.argument(1, "dim")])


@rule("activation", "glu")
def _gated(call: Call) -> Marks:
    marks, dim = call.marks(0), call.argument(1, "dim", -1)
    shape = list(marks.shape)
    shape[dim] = shape[dim] // 2
    return marks.reshaped(tuple(shape), marks.axes)


def _norm_facts(call: Call) -> dict[str, Any]:
    name = call.function.__name__
    place = {"layer_norm": 2, "group_norm": 2, "rms_norm": 2}.get(name, 3)
    return {"norm": name, "affine": call.argument(place, "weight") is not None}


@rule("norm", "batch_norm", "local_response_norm", facts=_norm_facts)
def _statistics_kept(call: Call) -> Marks:
    return call.marks(0)


@rule("norm", "instance_norm", "group_norm", facts=_norm_facts)
def _statistics_over_the_map(call: Call) -> Marks:
    marks = call.marks(0)
    return marks.normalized(range(1, len(marks.shape)))


@rule("norm", "layer_norm", "rms_norm", facts=_norm_facts)
def _statistics_over_the_last(call: Call) -> Marks:
    marks = call.marks(0)
    normalized = call.argument(1, "normalized_shape")
    return marks.normalized(range(-len(normalized), 0))


REDUCTIONS = words(
    "sum mean prod amax amin std var norm logsumexp all any argmax argmin count_nonzero nansum "
    "nanmean median vector_norm"
)


@rule("other", *REDUCTIONS)
def _reduced(call: Call) -> Marks:
    """Mark a sum, mean or extreme over dimensions: all of them unless some are named."""
    dims = call.argument(1, "dim", call.options.get("axis"))
    if getattr(call.function, "__name__", "") in ("norm", "vector_norm"):
        dims = call.argument(2, "dim")
    keep = bool(call.options.get("keepdim", call.argument(2, "keepdim", False) is True))
    marks = call.marks(0)
    return reduced(marks, _dims(dims, len(marks.shape)), keep)


@rule("other", "max", "min")
def _extreme(call: Call) -> Marks | tuple[Marks, ...]:
    if isinstance(call.argument(1, "other"), Tensor):
        return joined(operands(call))
    marks = call.marks(0)
    dims = call.argument(1, "dim")
    smaller = reduced(marks, _dims(dims, len(marks.shape)), bool(call.argument(2, "keepdim")))
    return smaller if dims is None else (smaller, smaller)


@rule("other", "var_mean", "std_mean")
def _two_moments(call: Call) -> tuple[Marks, ...]:
    marks = call.marks(0)
    dims = _dims(call.argument(1, "dim"), len(marks.shape))
    smaller = reduced(marks, dims, bool(call.options.get("keepdim")))
    return smaller, smaller


@rule("other", "topk", "sort", "kthvalue")
def _ordered(call: Call) -> tuple[Marks, ...]:
    marks = call.marks(0)
    dim = call.argument(2, "dim", -1)
    dim = dim if isinstance(dim, int) else -1
    shape = list(marks.shape)
    shape[dim] = call.argument(1, "k") if len(call.out[0].shape) and call.options.get("k") else (
        marks.shape[dim]
        if call.out[0].shape[dim] == fixed(marks.shape[dim])
        else call.argument(1, "k")
    )  # fmt: skip
    ordered = marks.mixed([dim]).reshaped(tuple(shape), marks.axes)
    return ordered, ordered


def reduced(marks: Marks, dims: tuple[int, ...], keep: bool) -> Marks:
    """Return marks without the dimensions that a reduction removes, or with 1 in their place."""
    gone = {dim % len(marks.shape) for dim in dims} if marks.shape else set()
    pooled = [_pooled_windows(view, marks, gone) for view in (marks.view, marks.bare)]
    mixed = _mixed_but_pooled(marks, dims, pooled)
    kept = [
        (1, NOWHERE) if dim in gone else (size, axes)
        for dim, (size, axes) in enumerate(zip(marks.shape, marks.axes, strict=True))
        if keep or dim not in gone
    ]
    view, bare = (_counted(one, marks, gone) for one in (mixed.view, mixed.bare))
    return Marks(tuple(size for size, _ in kept), tuple(axes for _, axes in kept), view, bare)


def _mixed_but_pooled(marks: Marks, dims: tuple[int, ...], pooled: list[View]) -> Marks:
    if pooled == [marks.view, marks.bare]:
        return marks.mixed(dims)
    whole = [dim for dim in dims if any(not window for _, window in along([marks.axes[dim]]))]
    return Marks(marks.shape, marks.axes, *pooled).mixed(whole)


def _counted(view: View, marks: Marks, gone: set[int]) -> View:
    for axis, window in along(marks.axes[dim] for dim in gone) if view.sights else ():
        if not window:
            view = view.on(axis, view.sights[axis].everywhere(1))
    return view


def _pooled_windows(view: View, marks: Marks, gone: set[int]) -> View:
    """Return what is seen where windows are reduced to one position each, as a pool does."""
    for axis, window in along(marks.axes[dim] for dim in gone) if view.sights else ():
        kept = [size for dim, size in enumerate(marks.shape) if dim not in gone
                and (axis, 0) in along([marks.axes[dim]])]  # fmt: skip
        if window and kept:
            pooled = view.sights[axis].through(kept[0], window, window)
            view = view.on(axis, pooled.at_best("upper bound"))
    return view


def _dims(dims: Any, count: int) -> tuple[int, ...]:
    if dims is None or (isinstance(dims, tuple | list) and not dims):
        return tuple(range(count))
    return tuple(dims) if isinstance(dims, tuple | list) else (dims,)


FACTORIES = words("zeros ones empty rand randn full arange linspace eye randperm tensor randint")


@rule(None, *FACTORIES, "new_zeros", "new_ones", "new_empty", "new_full", "new_tensor",
      "scalar_tensor", "as_tensor", "from_numpy", "empty_strided")  # fmt: skip
def _made(call: Call) -> Marks:
    """Mark new data: sizes among the arguments where they are the shape."""
    wanted = _numbers((*call.arguments, *call.options.values()))
    real = tuple(call.out.shape)
    return plain_marks(_with_formulas(real, wanted))


def _numbers(value: Any) -> list[int]:
    if isinstance(value, tuple | list):
        return [number for one in value for number in _numbers(one)]
    return [value] if isinstance(value, int) and type(value) is not bool else []


def _with_formulas(real: Shape, wanted: list[int]) -> Shape:
    for start in range(len(wanted) - len(real) + 1):
        if values(wanted[start : start + len(real)]) == real:
            return tuple(wanted[start : start + len(real)])
    return real


def resolved(real: Shape, known: list[Shape]) -> Shape:
    """Give each size of a shape that nobody derived the formula of an equal one nearby.

    The same axis of a shape as long comes first: height and width of a square are told apart.
    """
    for shape in known:
        if values(shape) == real:
            return shape
    formulas = {fixed(size): size for shape in known for size in shape if type(size) is not int}
    alike = [shape for shape in known if len(shape) == len(real)]

    def formula(axis: int, size: int) -> int:
        here = (shape[axis] for shape in alike if fixed(shape[axis]) == size)
        return next(here, formulas.get(size, size))

    return tuple(formula(axis, size) for axis, size in enumerate(real))


def unruled(call: Call, real: Shape) -> Marks:
    """Mark an operator without a rule as if it worked element by element, then everywhere."""
    marks = operands(call)
    shape = resolved(real, [one.shape for one in marks])
    seeing = meet(one.view for one in marks)
    view = View(tuple(sight.everywhere() for sight in seeing.sights)).at_best("global")
    same = next((one for one in marks if values(one.shape) == real), None)
    return Marks(shape, same.axes if same else (NOWHERE,) * len(real), view, view)
