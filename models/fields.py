"""What specs are made of: types of fields that take text from a command line, and clear errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.fields import FieldInfo

Item = TypeVar("Item")

BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
MOST_SHOWN = 60  # characters of what came
KINDS = {
    "bool": "true or false",
    "finite": "a finite number",
    "float": "a number",
    "int": "a whole number",
    "string": "text",
    "too": "at least one value",
    "tuple": "a list",
}  # what is expected, by the first word of pydantic's name for the error


class SpecError(ValueError):
    """A run that cannot be: the message is one line for the user."""


def _split(value: object) -> object:
    """Make a comma-separated string, as a command line gives it, a list."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _canonical(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(values)))


def _no_bool(value: object) -> object:
    """Refuse `True` as the number 1: a parameter given in the wrong place should not pass."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {value}")
    return value


#: What an optimizer in float32 can take: Adam's first step is ten times its learning rate.
LARGEST_FACTOR = 1e37
LARGEST_COUNT = 2**31 - 1  # beyond what any run has of anything

Number = Annotated[float, BeforeValidator(_no_bool)]
Count = Annotated[int, BeforeValidator(_no_bool), Field(le=LARGEST_COUNT)]
Factor = Annotated[Number, Field(le=LARGEST_FACTOR)]
Positive = Annotated[Factor, Field(gt=0)]
Rate = Annotated[Number, Field(ge=0, lt=1)]
Listed = Annotated[tuple[Item, ...], BeforeValidator(_split), AfterValidator(_canonical)]


class Spec(BaseModel):
    """A frozen set of fields that knows no other.

    Raises:
        SpecError: A field is unknown or impossible; the message names it, what was expected and
            what came.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise SpecError(explain(error, type(self).model_fields)) from None


def expect_one_of(known: Iterable[str], field: str, name: str) -> None:
    """Refuse a name that a vocabulary does not hold.

    Raises:
        ValueError: It does not; the message says the field and the names that it may have.
    """
    if name not in known:
        raise ValueError(f"{field}: expected one of {', '.join(known)}, got {name!r}")


def explain(error: ValidationError, fields: Mapping[str, FieldInfo]) -> str:
    """Return a validation error in one line: each field, what was expected and what came."""
    return "; ".join(_explain_one(dict(item), fields) for item in error.errors())


def _explain_one(item: dict[str, Any], fields: Mapping[str, FieldInfo]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    field = str(item["loc"][0]) if item["loc"] else ""
    if kind == "value_error":
        return f"{field}: {context['error']}" if field else str(context["error"])
    if kind == "extra_forbidden":
        near = get_close_matches(field, fields, n=1)
        return f"{field}: unknown field" + (f"; did you mean {near[0]}?" if near else "")
    if kind == "literal_error":
        choices = [leaf for leaf in leaves(fields[field].annotation) if isinstance(leaf, str)]
        return f"{field}: expected one of {', '.join(choices)}, got {shown(item['input'])}"
    return f"{field}: expected {_expected(kind, context)}, got {shown(item['input'])}"


def _expected(kind: str, context: dict[str, Any]) -> str:
    for bound, words in BOUNDS.items():
        if bound in context:
            limit = context[bound]
            return f"{words} {int(limit) if limit == int(limit) < 1e15 else limit}"
    return KINDS.get(kind.split("_")[0], kind.replace("_", " "))


def leaves(annotation: Any) -> list[Any]:
    """Return the plain types and the literal values that a type is made of.

    >>> from typing import Literal
    >>> leaves(Literal["a", "b"] | None), leaves(tuple[int, ...])
    (['a', 'b', <class 'NoneType'>], [<class 'int'>, Ellipsis])
    """
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return leaves(arguments[0])
    if not arguments:
        return [annotation]
    return [leaf for argument in arguments for leaf in leaves(argument)]


def shown(value: object) -> str:
    """Return what came, in a line that is not too long."""
    try:
        text = repr(value) if isinstance(value, str | dict | list) else str(value)
    except ValueError:  # Python writes no number of thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
