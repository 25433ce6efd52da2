"""Stand-in until the branch lands."""

import ast
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path


def digests(cells: Sequence[str], modules: Mapping[str, Path]) -> dict[str, str]:
    found = {}
    for name, path in modules.items():
        try:
            tree = ast.parse(path.read_bytes())
            for node in ast.walk(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    if ast.get_docstring(node, clean=False) is not None:
                        node.body = node.body[1:]
            content = ast.dump(tree)
        except SyntaxError:
            content = path.read_text()
        found[name] = hashlib.sha256(content.encode()).hexdigest()[:16]
    return found
