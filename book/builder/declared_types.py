"""Whether a value is of the type that a `parameters` cell declares, read from its syntax tree."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from book.builder.errors import BookError


@dataclass(frozen=True)
class Kind:
    """What a declared type accepts: the words for it, and the test."""

    words: str
    accepts: Callable[[Any], bool]


def _is_number(value: Any, *types: type) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)


ANYTHING = Kind("anything", lambda value: True)  # of a type that this module does not know
NONE = Kind("None", lambda value: value is None)
KINDS = {
    "int": Kind("a whole number", lambda value: _is_number(value, int)),
    "float": Kind("a number", lambda value: _is_number(value, int, float)),
    "str": Kind("a text", lambda value: isinstance(value, str)),
    "bool": Kind("true or false", lambda value: isinstance(value, bool)),
    "list": Kind("a list", lambda value: isinstance(value, list)),
    "dict": Kind("a mapping", lambda value: isinstance(value, dict)),
    "None": NONE,
}


def check_types(source: str, given: Mapping[str, Any]) -> None:
    """Refuse values of other types than a `parameters` cell declares; untyped ones take any.

    Raises:
        BookError: Names the parameter, what was expected and what came.

    >>> check_types("epochs: int = 20  # passes", {"epochs": "many"})
    Traceback (most recent call last):
    ...
    book.builder.errors.BookError: epochs must be a whole number; got 'many'
    """
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, kinds = node.target.id, list(_kinds(node.annotation))
            if name in given and not any(kind.accepts(given[name]) for kind in kinds):
                expected = " or ".join(kind.words for kind in kinds)
                raise BookError(f"{name} must be {expected}; got {given[name]!r}")


def _kinds(annotation: ast.expr) -> Iterator[Kind]:
    """Yield the kinds of which a value must be one."""
    match annotation:
        case ast.Constant(value=str() as text):
            yield from _kinds(ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from (*_kinds(left), *_kinds(right))
        case ast.Subscript(value=generic, slice=inside):
            yield from _of_generic(_name(generic), inside)
        case _:
            yield KINDS.get(_name(annotation), ANYTHING)


def _of_generic(name: str, inside: ast.expr) -> Iterator[Kind]:
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if name == "Literal":
        yield _literal([ast.literal_eval(part) for part in parts])
    elif name in ("Optional", "Union"):
        yield from (kind for part in parts for kind in _kinds(part))
        yield from [NONE] if name == "Optional" else []
    else:
        yield KINDS.get(name.lower(), ANYTHING)


def _literal(values: list[Any]) -> Kind:
    words = f"one of {', '.join(map(repr, values))}" if len(values) > 1 else repr(values[0])
    typed = [(type(value), value) for value in values]
    return Kind(words, lambda value: (type(value), value) in typed)


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name, as `Optional` of `typing.Optional`."""
    return ast.unparse(node).rpartition(".")[2]
