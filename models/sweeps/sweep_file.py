"""A sweep written down in YAML: fields that all runs share, and a grid of those that vary.

    base: {network: lenet5, dataset: mnist5k, epochs: 3}
    grid:
      norm: [none, batch]
      seed: [0, 1, 2]

The last field of the grid varies fastest. A list of such blocks is read one after the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from models.fields import shown
from models.specs import MOST_RUNS, RunSpec, SpecError, combinations

PARTS = ("base", "grid")


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error: the second would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise SpecError(f"line {node.start_mark.line + 1}: {name} stands twice")
        return super().construct_mapping(node, deep)


def read(path: Path) -> list[RunSpec]:
    """Return the runs that a file asks for, in its order.

    Raises:
        SpecError: The file is not there, no YAML, or asks for what cannot be; the message says what
            and where.
    """
    try:
        return _runs(yaml.load(path.read_text(encoding="utf-8"), _Loader))
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path}: no YAML: not text in UTF-8") from None
    except RecursionError:
        raise SpecError(f"{path}: no YAML: nested too deeply") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:  # a SpecError, or a number or date that YAML cannot make
        raise SpecError(f"{path}: {error}") from None


def _runs(content: Any) -> list[RunSpec]:
    """Return the runs of all blocks, one after the other."""
    blocks = content if isinstance(content, list) else [content]
    if not blocks:
        raise SpecError("expected base and grid, got nothing")
    specs: list[RunSpec] = []
    for number, block in enumerate(blocks, start=1):
        specs += _specs(block, f"block {number}: " if len(blocks) > 1 else "")
        if len(specs) > MOST_RUNS:
            raise SpecError(f"expected at most {MOST_RUNS:,} runs, got {len(specs):,} so far")
    return specs


def _specs(block: Any, place: str) -> list[RunSpec]:
    """Return the runs of one block."""
    if not isinstance(block, dict) or not block:
        raise SpecError(f"{place}expected base and grid, got {_shown(block)}")
    for part in block:
        _known(part, PARTS, place)
    base = _mapping(block.get("base", {}), f"{place}base")
    axes = _mapping(block["grid"], f"{place}grid") if "grid" in block else {}
    if "grid" in block and not axes:
        raise SpecError(f"{place}grid: expected at least one field with its values, got none")
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise SpecError(
                f"{place}grid: {name}: expected a list of at least one value, got {_shown(values)}"
            )
    return [_spec(base, combination, place) for combination in _combinations(axes, place)]


def _combinations(axes: dict[str, Any], place: str) -> Iterator[dict[str, Any]]:
    try:
        return combinations(axes)
    except SpecError as error:
        raise SpecError(f"{place}grid: {error}") from None


def _spec(base: dict[str, Any], combination: dict[str, Any], place: str) -> RunSpec:
    try:
        return RunSpec(**{**base, **combination})
    except SpecError as error:
        where = ", ".join(f"{name} {value}" for name, value in combination.items())
        raise SpecError(f"{place}{error}" + (f" (with {where})" if where else "")) from None


def _mapping(value: Any, place: str) -> dict[str, Any]:
    """Return a part's fields, every one of them a field of `RunSpec`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SpecError(f"{place}: expected fields with their values, got {_shown(value)}")
    for name in value:
        _known(name, tuple(RunSpec.model_fields), f"{place}: ")
    return value


def _known(name: Any, names: tuple[str, ...], place: str) -> None:
    if name not in names:
        near = get_close_matches(str(name), names, n=1)
        hint = f"; expected {' or '.join(names)}" if names == PARTS else ""
        hint = f"; did you mean {near[0]}?" if near else hint
        raise SpecError(f"{place}{name}: unknown field{hint}")


def _shown(value: Any) -> str:
    return "nothing" if value in (None, {}, []) else shown(value)
