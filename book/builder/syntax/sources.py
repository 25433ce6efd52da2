"""A Python file as its statements at the top: what each binds, and what it means."""

import ast
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from book.builder.syntax import references
from book.builder.syntax.references import References, chain_of
from book.builder.syntax.scopes import (
    Definition,
    Function,
    Import,
    Scope,
    bound,
    imported_names,
    own,
)

DIGITS = 16  # of a digest
HOOKS = ("__init_subclass__", "__set_name__")
UNWRITTEN = ("ctx", "kind", "type_comment")  # what a syntax tree holds besides its meaning


@dataclass(eq=False)
class Statement:
    """A statement at the top of a file, one of several names that are imported, or a cell's.

    Attributes:
        names: What it binds.
        imports: As what it imports some of these names.
        extends: The dispatched function that it adds a case to.
    """

    node: ast.stmt
    place: int
    source: "Source" = field(repr=False)
    names: set[str] = field(default_factory=set)
    imports: dict[str, set[Import]] = field(default_factory=dict)
    extends: str | None = None

    def __post_init__(self) -> None:
        for node in own([self.node]):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name, meant in imported_names(node):
                    self.imports.setdefault(name, set()).add(meant)
            elif own_name := bound(node):
                self.names.add(own_name)
        self.names.update(self.imports)

    def add_globals(self) -> None:
        """Count what functions in it set at the top as bound by it."""
        for node in ast.walk(self.node):
            if isinstance(node, Function):
                scope = Scope.of(node)
                self.names |= scope.outer
                for name in scope.outer & set(scope.imports):
                    self.imports.setdefault(name, set()).update(scope.imports[name])

    @cached_property
    def references(self) -> References:
        """What it refers to."""
        found = references.of(self.node)
        if self.names == {"__all__"}:
            found.texts.clear()
        return found

    @cached_property
    def at_import(self) -> References:
        """What it refers to when the file is imported."""
        return references.of(self.node, bodies=False)

    @property
    def is_import(self) -> bool:
        """Whether it is an import, and not of what the language will be."""
        future = isinstance(self.node, ast.ImportFrom) and self.node.module == "__future__"
        return isinstance(self.node, ast.Import | ast.ImportFrom) and not future

    @property
    def only_binds(self) -> bool:
        """Whether it binds names and, by its form, does nothing else."""
        if isinstance(self.node, ast.AnnAssign):
            return isinstance(self.node.target, ast.Name)
        if isinstance(self.node, ast.Assign):
            parts = [part for target in self.node.targets for part in ast.walk(target)]
            return not any(isinstance(part, ast.Attribute | ast.Subscript) for part in parts)
        is_type = type(self.node).__name__ == "TypeAlias"
        return isinstance(self.node, Definition) or self.is_import or is_type

    @cached_property
    def may_act(self) -> bool:
        """Whether it may do more than bind names, as far as can be said without other modules."""
        if self.is_import or not self.only_binds:
            return not self.is_import
        found = self.at_import
        is_made = isinstance(self.node, ast.ClassDef) and (self.node.bases or self.node.keywords)
        return bool(found.acts or found.decorators or found.run or is_made) and not self.extends

    @cached_property
    def has_hooks(self) -> bool:
        """Whether it is a class that learns of each class that is made of it."""
        if not isinstance(self.node, ast.ClassDef):
            return False
        made = any(bound(part) in HOOKS for part in self.node.body)
        return made or ("type",) in map(chain_of, self.node.bases)

    @cached_property
    def digest(self) -> str:
        """A digest of its meaning, and of which definitions that it needs come after it."""
        return digest(f"{_written(self.node)} {self.source.needed_later(self)}")


class Source:
    """A file's statements, in order and by the names that they bind."""

    def __init__(self, tree: ast.Module, *, is_main: bool = False) -> None:
        self.statements = [
            Statement(node, place, self) for place, node in enumerate(_flat(tree.body, is_main))
        ]
        if any(isinstance(node, ast.Global) for node in ast.walk(tree)):
            for statement in self.statements:
                statement.add_globals()
        self.bound: dict[str, list[Statement]] = {}
        for statement in self.statements:
            for name in statement.names:
                self.bound.setdefault(name, []).append(statement)
        for statement in self.statements:
            if dispatched := self._dispatched(statement.node):
                statement.extends = dispatched
                self.bound[dispatched].append(statement)

    @cached_property
    def imports(self) -> list[Import]:
        """What it imports when it is imported itself, in order."""
        simple = Definition | ast.Assign | ast.AnnAssign | ast.Expr
        holding = [
            one.at_import.imports
            for one in self.statements
            if isinstance(one.node, ast.ClassDef) or not isinstance(one.node, simple)
        ]
        return [one for some in holding for one in sorted(some, key=repr)]

    def _dispatched(self, node: ast.stmt) -> str | None:
        """Return the function of this file that a definition is registered with, if any."""
        decorators = getattr(node, "decorator_list", [])
        if len(decorators) != 1:
            return None
        called = decorators[0].func if isinstance(decorators[0], ast.Call) else decorators[0]
        chain = chain_of(called) or ()
        is_case = chain[1:] == ("register",) and self._is_dispatched(chain[0])
        return chain[0] if is_case else None

    def _is_dispatched(self, name: str) -> bool:
        nodes = [one.node for one in self.bound.get(name, [])]
        chains = [chain_of(one) for node in nodes for one in getattr(node, "decorator_list", [])]
        return ("singledispatch",) in chains or ("functools", "singledispatch") in chains

    def is_ordered(self, statement: Statement) -> bool:
        """Whether its place matters: others bind the same name, or add cases to it."""
        return bool(statement.extends) or any(len(self.bound[name]) > 1 for name in statement.names)

    def needed_later(self, statement: Statement) -> list[str]:
        """Return the names from further down that a statement may need when it is executed."""
        if not statement.at_import.chains:
            return []
        seen = {statement}
        stack = list(self._named(statement.at_import))
        while stack:
            one = stack.pop()
            if one not in seen:
                seen.add(one)
                stack += self._named(one.references)
        return sorted(name for one in seen if one.place > statement.place for name in one.names)

    def _named(self, found: References) -> Iterator[Statement]:
        for chain in found.chains:
            yield from self.bound.get(chain[0], ())


@functools.lru_cache(maxsize=2000)
def read(content: bytes) -> Source | None:
    """Return a file's statements; None where it is no Python, or half-written."""
    try:
        return Source(ast.parse(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def digest(content: str | bytes) -> str:
    """Return a digest of a text or of bytes."""
    content = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def _flat(body: list[ast.stmt], is_main: bool) -> Iterator[ast.stmt]:
    """Yield the statements that are executed, each imported name as one of its own."""
    for node in body:
        if isinstance(node, ast.If) and _is_never(node.test, is_main):
            yield from _flat(node.orelse, is_main)
        elif isinstance(node, ast.Import):
            yield from (ast.Import([alias]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield ast.ImportFrom(node.module, [alias], node.level)
        elif not isinstance(node, ast.Pass) and not _is_text(node):
            yield node


def _is_never(test: ast.expr, is_main: bool) -> bool:
    """Whether a condition never holds: types are being checked, or the module is the program."""
    chain = chain_of(test) or ()
    if chain[-1:] == ("TYPE_CHECKING",):
        return True
    return not is_main and ast.unparse(test) == "__name__ == '__main__'"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _written(node: object) -> str:
    """Return a syntax tree as text, alike in all versions of Python, without docstrings."""
    if isinstance(node, list):
        return f"[{' '.join(map(_written, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = [type(node).__name__]
    for name in node._fields:
        value = getattr(node, name, None)
        if name == "body" and isinstance(value, list) and value and _is_text(value[0]):
            value = value[1:]
        if name not in UNWRITTEN and value is not None and value != []:
            parts.append(f"{name}={_written(value)}")
    return f"({' '.join(parts)})"
