"""Rules for matrix products: linear layers, matmul and its kin, einsum, attention, recurrences."""

from typing import Any

from torch import Tensor

from analysis.reading.axes import NOWHERE, Axes, merged
from analysis.reading.calls import Call, Product, marks_of, rule, shape_of
from analysis.reading.marks import Marks, meet
from analysis.reading.pointwise import broadcast
from analysis.reading.sizes import Shape, fixed


def _linear_products(call: Call, after: Marks) -> tuple[Product, ...]:
    return ((*call.marks(0).shape, after.shape[-1]),)


def _linear_facts(call: Call) -> dict[str, Any]:
    return {"bias": call.argument(2, "bias") is not None}


@rule("fc", "linear", products=_linear_products, facts=_linear_facts)
def _linear(call: Call) -> Marks:
    marks, weight = call.marks(0), shape_of(call.argument(1, "weight"))
    mixed = marks.mixed([-1])
    units = (weight[0],) if len(weight) > 1 else ()
    axes = (*mixed.axes[:-1], *(NOWHERE for _ in units))
    return mixed.reshaped((*mixed.shape[:-1], *units), axes)


def contracted(left: Marks, right: Marks) -> tuple[Marks, Product]:
    """Return a matrix product under torch's broadcasting, and the factors of its count."""
    one, two = len(left.shape) == 1, len(right.shape) == 1
    rows = () if one else left.shape[-2:-1]
    columns = () if two else right.shape[-1:]
    leads = [left.shape[:-2], right.shape[:-2]]
    lead, _ = broadcast([shape for shape in leads if shape] or [()])
    axes = _product_axes(left, right, len(lead), one, two)
    marks = meet_mixed(left.mixed([-1]), right.mixed([-1 if two else -2]))
    after = Marks((*lead, *rows, *columns), axes, marks.view, marks.bare)
    return after, (*lead, *rows, left.shape[-1], *columns)


def _product_axes(left: Marks, right: Marks, lead: int, one: bool, two: bool) -> Axes:
    batch = []
    for dim in range(lead):
        own = [m.axes[dim - lead - 2] for m in (left, right) if len(m.shape) - 2 >= lead - dim]
        batch.append(merged(own))
    return (*batch, *(() if one else left.axes[-2:-1]), *(() if two else right.axes[-1:]))


def meet_mixed(left: Marks, right: Marks) -> Marks:
    """Return what two operands see together."""
    return Marks((), (), meet((left.view, right.view)), meet((left.bare, right.bare)))


def _matmul_operands(call: Call) -> tuple[Marks, Marks]:
    left, right = (t for t in call.tensors[:2])
    pair = marks_of(left), marks_of(right)
    return pair[::-1] if getattr(call.function, "__name__", "") == "__rmatmul__" else pair


def _matmul_products(call: Call, after: Marks) -> tuple[Product, ...]:
    return (contracted(*_matmul_operands(call))[1],)


@rule("matmul", "matmul", "mm", "bmm", "mv", "dot", "inner_", "rmatmul", products=_matmul_products)
def _matmul(call: Call) -> Marks:
    return contracted(*_matmul_operands(call))[0]


def _added_products(call: Call, after: Marks) -> tuple[Product, ...]:
    return (contracted(call.marks(1, "mat1"), call.marks(2, "mat2"))[1],)


@rule("matmul", "addmm", "baddbmm", "addmv", products=_added_products)
def _added_matmul(call: Call) -> Marks:
    after, _ = contracted(call.marks(1, "mat1"), call.marks(2, "mat2"))
    both = meet_mixed(after, call.marks(0))
    return Marks(after.shape, after.axes, both.view, both.bare)


def _equation(call: Call) -> tuple[list[str], str, list[Marks]]:
    """Return the letters of each operand and the result, ellipses spelled out, and the operands."""
    inputs, arrow, result = str(call.arguments[0]).replace(" ", "").partition("->")
    given = call.arguments[1:]
    tensors = given[0] if given and isinstance(given[0], tuple | list) else given
    marks = [marks_of(tensor) for tensor in tensors]
    pairs = list(zip(inputs.split(","), marks, strict=True))
    letters = [_spelled(part, len(one.shape)) for part, one in pairs]
    if not arrow:
        joined = "".join(letters)
        result = "".join(sorted(one for one in set(joined) if joined.count(one) == 1))
    spare = [len(one.shape) - _named(part) for part, one in pairs if "..." in part]
    longest = max(spare, default=0)
    return letters, _spelled(result, _named(result) + longest), marks


def _named(part: str) -> int:
    return len(part.replace("...", ""))


def _spelled(part: str, dims: int) -> str:
    """Spell the ellipsis as capitals from the end of an alphabet, aligned right."""
    count = dims - _named(part)
    return part.replace("...", "ΑΒΓΔΕΖΗΘ"[8 - count :] if count else "")


def _einsum_sizes(letters: list[str], marks: list[Marks]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for part, one in zip(letters, marks, strict=True):
        for letter, size in zip(part, one.shape, strict=True):
            known = sizes.get(letter, 1)
            if fixed(known) == 1 or (type(known) is int and type(size) is not int):
                sizes[letter] = size
    return sizes


def _einsum_products(call: Call, after: Marks) -> tuple[Product, ...]:
    """Count pair by pair, as torch contracts; what one operand alone has is summed before."""
    letters, result, marks = _equation(call)
    sizes = _einsum_sizes(letters, marks)
    products: list[Product] = []
    current = letters[0]
    for i, part in enumerate(letters[1:], start=1):
        later = set("".join(letters[i + 1 :])) | set(result)
        left = [a for a in current if a in part or a in later]
        right = [a for a in part if a in current or a in later]
        involved = dict.fromkeys([*left, *right])
        if any(letter not in later for letter in involved):
            products.append(tuple(sizes[letter] for letter in involved))
        current = "".join(letter for letter in involved if letter in later)
    return tuple(products)


def _einsum_facts(call: Call) -> dict[str, Any]:
    letters, result, _ = _equation(call)
    return {"equation": (tuple(letters), result)}


@rule("matmul", "einsum", products=_einsum_products, facts=_einsum_facts)
def _einsum(call: Call) -> Marks:
    letters, result, marks = _equation(call)
    sizes = _einsum_sizes(letters, marks)
    axes: dict[str, Any] = {}
    mixed = []
    for part, one in zip(letters, marks, strict=True):
        for letter, axis in zip(part, one.axes, strict=True):
            axes[letter] = axes.get(letter) or axis
        mixed.append(one.mixed([dim for dim, letter in enumerate(part) if letter not in result]))
    return Marks(
        tuple(sizes[letter] for letter in result),
        tuple(axes[letter] for letter in result),
        meet(one.view for one in mixed),
        meet(one.bare for one in mixed),
    )


def _attention_products(call: Call, after: Marks) -> tuple[Product, ...]:
    query, key, value = (call.marks(i, name) for i, name in enumerate(("query", "key", "value")))
    lead, _ = broadcast([query.shape[:-1], (*key.shape[:-2], 1)])
    positions = key.shape[-2]
    return (*lead, positions, query.shape[-1]), (*lead, positions, value.shape[-1])


@rule("attention", "scaled_dot_product_attention", products=_attention_products)
def _attention(call: Call) -> Marks:
    query, key, value = (call.marks(i, name) for i, name in enumerate(("query", "key", "value")))
    mask = call.argument(3, "attn_mask")
    others = [key.mixed([-2]), value.mixed([-2])]
    seen = [query, *others] + ([marks_of(mask)] if isinstance(mask, Tensor) else [])
    shape, axes = (*query.shape[:-1], value.shape[-1]), (*query.axes[:-1], NOWHERE)
    return Marks(shape, axes, meet(m.view for m in seen), meet(m.bare for m in seen))


def _recurrent(call: Call) -> tuple[Shape, list[Tensor], int, bool, bool]:
    """Return input shape, weights, layers, both directions, batch first; packed or padded."""
    packed = isinstance(call.arguments[2], Tensor | tuple) and isinstance(call.arguments[1], Tensor)
    packed = packed and not isinstance(call.arguments[2], bool) and len(call.arguments) >= 9
    packed = packed and isinstance(call.arguments[3], list | tuple)
    place = 3 if packed else 2
    weights, _, layers, _, _, both = call.arguments[place : place + 6]
    first = bool(call.arguments[place + 6]) if not packed else False
    return shape_of(call.arguments[0]), list(weights), layers, both, first


def _recurrent_products(call: Call, after: Marks) -> tuple[Product, ...]:
    """Count each weight once per step and sequence; the steps are those of the padded length."""
    shape, weights, *_ = _recurrent(call)
    return tuple((*shape[:-1], *shape_of(w)) for w in weights if w.dim() == 2)


@rule("rnn", "lstm", "gru", "rnn_tanh", "rnn_relu", products=_recurrent_products)
def _recurrence(call: Call) -> tuple[Marks, ...]:
    shape, _, layers, both, batch_first = _recurrent(call)
    directions = 2 if both else 1
    marks = call.marks(0)
    time = 1 if batch_first and len(shape) == 3 else 0
    mixed = marks.mixed([time, -1])
    batch = shape[1 - time : 2 - time] if len(shape) == 3 else ()
    states = [tuple(state.shape) for state in call.out[1:]]
    output = (*shape[:-1], call.out[0].shape[-1])
    axes = (*mixed.axes[:-1], NOWHERE)
    spread = [
        Marks(
            (layers * directions, *batch, state[-1]),
            (NOWHERE,) * len(state),
            mixed.view,
            mixed.bare,
        )
        for state in states
    ]
    return Marks(output, axes, mixed.view, mixed.bare), *spread


def _cell_products(call: Call, after: Marks) -> tuple[Product, ...]:
    shape = call.marks(0).shape
    return tuple((*shape[:-1], *shape_of(call.arguments[i])) for i in (2, 3))


@rule("rnn", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell", products=_cell_products)
def _cell(call: Call) -> Marks | tuple[Marks, ...]:
    marks = call.marks(0).mixed([-1])
    hidden = shape_of(call.arguments[3])[-1]
    after = Marks(
        (*marks.shape[:-1], hidden), (NOWHERE,) * len(marks.shape), marks.view, marks.bare
    )
    return (after, after) if isinstance(call.out, tuple) else after


@rule("embedding", "embedding")
def _embedding(call: Call) -> Marks:
    """Mark an embedding, whose function takes the indices first."""
    indices, weight = (
        marks_of(call.argument(i, name)) for i, name in enumerate(("input", "weight"))
    )
    return Marks(
        (*indices.shape, weight.shape[-1]), (*indices.axes, NOWHERE), indices.view, indices.bare
    )


def _bilinear_products(call: Call, after: Marks) -> tuple[Product, ...]:
    return ((*call.marks(0).shape[:-1], *shape_of(call.argument(2, "weight"))),)


@rule("fc", "bilinear", products=_bilinear_products)
def _bilinear(call: Call) -> Marks:
    left, right, weight = call.marks(0), call.marks(1), shape_of(call.argument(2, "weight"))
    both = meet_mixed(left, right)
    return Marks((*left.shape[:-1], weight[0]), left.axes, both.view, both.bare)
