"""A derivation for other programs: a JSON document, and the schema that it keeps to.

A document's `numbers` says which type every count in it has: `integer`, or `text` where the
document holds closed forms, fractions, or integers past 2^53, which not every reader of JSON keeps.
So a field has one type throughout a document. An intensity alone is a fraction: a number that isn't
whole where the others are integers, and text where they are.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from analysis.footprint import Memory
from analysis.notation import Number
from analysis.rows import Derivation, Kind, Row, Status

VERSION = 1
"""Goes up when a field is renamed, removed or gets another meaning; a new field changes nothing."""

SAFE = 2**53
"""The integers that a double keeps, as most readers of JSON do, end here."""

COUNTS = {
    "activations": "numbers in the output, for the whole batch",
    "weights": "learned weights without biases; a norm's scale",
    "biases": "learned biases; a norm's shift",
    "parameters": "weights and biases",
    "buffers": "moving statistics: kept, not learned",
    "macs": "multiply-accumulates of convolutions and matrix products, for the whole batch",
    "flops": "2 x macs",
}
"""What a row and the total count."""

MOVED = {
    "traffic": "numbers read (inputs and parameters) and written (the output); 0 in a row that was "
    "folded, and in the input's",
}
"""What a row counts besides."""

INTENSITY = "flops / (4 x traffic): FLOPs for each byte moved, in single precision; 0 without them"

AXES = {
    "output": "(height, width, channels) or (units,), without the batch",
    "receptive_field": "input pixels that an output position sees, along each axis",
    "ungated": "the same without multiplicative gates (squeeze-and-excitation)",
    "start": "the first input pixel that the first position sees; negative in the padding",
    "jump": "input pixels between what neighbouring positions see, along each axis",
}


def as_json(derivation: Derivation, show_calculation: bool = False, **more: Any) -> str:
    """Write the numbers for other programs, as JSON (`SCHEMA` describes it).

    `more` is added at the top level: `memory`, `convention`, `notes`.
    """
    return as_text(document(derivation, show_calculation, **more))


def as_text(content: Mapping[str, Any]) -> str:
    """Write a document."""
    return json.dumps(content, indent=2, ensure_ascii=False)


def document(
    derivation: Derivation,
    show_calculation: bool = False,
    *,
    memory: Memory | None = None,
    convention: Mapping[str, Any] | None = None,
    notes: Iterable[str] = (),
) -> dict[str, Any]:
    """Return a derivation as plain dictionaries, lists, numbers and text."""
    made = content(derivation, show_calculation)
    made["notes"] = [*notes]
    if convention is not None:
        made["convention"] = dict(convention)
    if memory is not None:
        made["memory"] = _memory(memory)
    return typed(made)


def content(derivation: Derivation, show_calculation: bool = False) -> dict[str, Any]:
    """Return the document of a derivation alone, its numbers and closed forms as they are."""
    made: dict[str, Any] = {
        "schema": "convbook-analysis",
        "version": VERSION,
        "network": derivation.network.name,
        "numbers": "integer",
        "batch": derivation.network.batch,
        "input": [*derivation.rows[0].output],
        "rows": [_row(row, show_calculation) for row in derivation.rows],
        "total": {key: getattr(derivation.total, key) for key in COUNTS},
    }
    if derivation.at_least:
        made["total_is"] = "at least"
    return made


def _row(row: Row, show_calculation: bool) -> dict[str, Any]:
    content: dict[str, Any] = {
        "layer": row.layer,
        "kind": row.kind,
        "output": [*row.output],
        **{key: getattr(row, key) for key in (*COUNTS, *MOVED)},
        "intensity": row.intensity(),
        "receptive_field": [axis.value for axis in row.receptive_field_shown],
        "ungated": [axis.value for axis in row.ungated_shown or row.receptive_field_shown],
        "start": [axis.value for axis in row.start_shown],
        "jump": [axis.value for axis in row.jump_shown],
        "status": row.status,
        "note": row.note,
    }
    if show_calculation:
        content["calculation"] = _calculations(row)
    return content


def _calculations(row: Row) -> dict[str, list[str]]:
    """Return how each number comes about, in a list for all: axes have one each."""
    shown = ("activations", "weights", "biases", "buffers", "macs")
    return {
        **{key: [getattr(row, f"{key}_shown").text] for key in shown},
        "output": [side.text for side in row.sides_shown],
        "receptive_field": [axis.text for axis in row.receptive_field_shown],
        "start": [axis.text for axis in row.start_shown],
        "jump": [axis.text for axis in row.jump_shown],
    }


def _memory(memory: Memory) -> dict[str, Any]:
    parts = {name.replace(" ", "_"): part.value for name, part in memory.parts.items()}
    mode = "inference" if memory.alive else "training"
    written: dict[str, Any] = {"mode": mode, "bytes": parts, "total": memory.total.value}
    if not memory.alive:
        written["layers"] = [{"layer": one, "saved": part.value} for one, part in memory.layers]
    return written | ({"total_is": "at least"} if memory.beside else {})


def typed(content: dict[str, Any]) -> dict[str, Any]:
    """Give all numbers of a document one type, and say which.

    >>> typed({"numbers": "integer", "batch": 2**60})
    {'numbers': 'text', 'batch': '1152921504606846976'}
    """
    if all(isinstance(one, int) and abs(one) <= SAFE for one in _numbers(content)):
        return _divided(content)
    text: dict[str, Any] = _mapped({**content, "numbers": "text"}, str)
    return text | ({"version": content["version"]} if "version" in content else {})


def _divided(content: dict[str, Any]) -> dict[str, Any]:
    """Write fractions, which are intensities, as numbers that aren't whole."""
    rows = [{**row, "intensity": float(row["intensity"])} for row in content.get("rows", ())]
    return content | ({"rows": rows} if rows else {})


def _numbers(value: Any) -> Iterable[Number]:
    if isinstance(value, Mapping):
        value = [one for key, one in value.items() if key != "intensity"]
    elif not isinstance(value, list):
        yield from () if isinstance(value, str) else (value,)
        return
    for one in value:
        yield from _numbers(one)


def _mapped(value: Any, change: Callable[[Any], str]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [_mapped(one, change) for one in value]
    return value if isinstance(value, str) else change(value)


def _object(properties: dict[str, Any], optional: Iterable[str] = ()) -> dict[str, Any]:
    required = [key for key in properties if key not in {*optional}]
    return {"type": "object", "properties": properties, "required": required}


def _list(items: dict[str, Any], description: str = "") -> dict[str, Any]:
    return {"type": "array", "items": items} | ({"description": description} if description else {})


_TEXT = {"type": "string"}
_NUMBER = {"$ref": "#/$defs/number"}
_COUNTED = {key: {**_NUMBER, "description": words} for key, words in COUNTS.items()}
_ROW = _object(
    {
        "layer": _TEXT,
        "kind": {"enum": [*get_args(Kind)]},
        **{key: _list(_NUMBER, words) for key, words in AXES.items()},
        **_COUNTED,
        **{key: {**_NUMBER, "description": words} for key, words in MOVED.items()},
        "intensity": {"type": ["number", "string"], "description": INTENSITY},
        "status": {"enum": [*get_args(Status)], "description": "of the receptive field"},
        "note": {**_TEXT, "description": "what to know before trusting the row, or empty"},
        "calculation": {"type": "object", "additionalProperties": _list(_TEXT)},
    },
    optional=["calculation"],
)
_AT_LEAST = {
    "enum": ["at least"],
    "description": "said where something is not counted: an operator without a rule, a workspace",
}
_CONVENTION = _object(
    {"name": _TEXT, "counts": _TEXT, "unit": _TEXT, "total": _NUMBER, "total_is": _AT_LEAST},
    optional=["total_is"],
)
_MEMORY = _object(
    {
        "mode": {"enum": ["training", "inference"]},
        "bytes": {"type": "object", "additionalProperties": _NUMBER},
        "total": _NUMBER,
        "layers": _list(
            _object({"layer": _TEXT, "saved": _NUMBER}),
            "in training: the bytes that a layer adds to what is saved for the backward pass, of "
            "those that add any; those of a module are named as they run in training",
        ),
        "total_is": _AT_LEAST,
    },
    optional=["layers", "total_is"],
)
_TYPE = {
    "enum": ["integer", "text"],
    "description": "the type of every count; text for closed forms and past 2^53",
}
_DERIVATION = _object(
    {
        "schema": {"const": "convbook-analysis"},
        "version": {"const": VERSION},
        "network": _TEXT,
        "numbers": _TYPE,
        "batch": _NUMBER,
        "input": _list(_NUMBER, AXES["output"]),
        "rows": _list(_ROW),
        "total": _object(_COUNTED),
        "total_is": _AT_LEAST,
        "notes": _list(_TEXT),
        "convention": _CONVENTION,
        "memory": _MEMORY,
    },
    optional=["convention", "memory", "total_is"],
)
_CHANGE = {"type": "array", "minItems": 2, "maxItems": 2}
_DIFFERENCE = _object(
    {
        "schema": {"const": "convbook-analysis-difference"},
        "version": {"const": VERSION},
        "numbers": _TYPE,
        "changed": _list(
            {**_CHANGE, "items": _TEXT}, "names of layers that differ; empty where there is none"
        ),
        "total": _object({key: {**_CHANGE, "items": _NUMBER} for key in COUNTS}),
        "one": {"$ref": "#/$defs/derivation"},
        "two": {"$ref": "#/$defs/derivation"},
    }
)
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "convbook-analysis",
    "$defs": {
        "number": {
            "type": ["integer", "string"],
            "description": "integer throughout, or text throughout: see `numbers`",
        },
        "derivation": _DERIVATION,
        "difference": _DIFFERENCE,
    },
    "oneOf": [{"$ref": "#/$defs/derivation"}, {"$ref": "#/$defs/difference"}],
}
"""The documents that `as_json` and `Difference.document` write, as a JSON Schema."""
