"""YAML files with names and values, in which nothing stands twice."""

from pathlib import Path
from typing import Any

import yaml

from book.builder.errors import BookError


class _Loader(yaml.SafeLoader):
    """YAML in which no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = sorted({str(name) for name in names if names.count(name) > 1})
        if doubled:
            problem = f"{doubled[0]!r} stands twice"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[Any, Any]:
    """Return the mapping that a file holds; an empty one where it says nothing.

    Raises:
        BookError: It cannot be read, is no YAML, no mapping, or has a key twice.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BookError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise BookError(f"{path} cannot be read: {error.strerror}") from None
    if not isinstance(content or {}, dict):
        raise BookError(f"{path}: expected names and values, got a {type(content).__name__}")
    return content or {}
