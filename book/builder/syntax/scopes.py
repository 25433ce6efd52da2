"""Python's scopes, as far as syntax tells: which names a piece of code binds where it stands."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

NAMED = Definition | ast.ExceptHandler | ast.MatchAs | ast.MatchStar
TYPES = ("TypeAlias", "TypeVar", "TypeVarTuple", "ParamSpec")  # since Python 3.12


@dataclass(frozen=True)
class Import:
    """A module that was imported, or its attribute `name`; `level` counts the dots before it."""

    module: str
    name: str | None = None
    level: int = 0


def imports(node: ast.AST) -> Iterator[Import]:
    """Yield what an import statement imports; the name `*` is all that a module has."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield Import(node.module or "", alias.name, node.level)


def imported_names(node: ast.AST) -> Iterator[tuple[str, Import]]:
    """Yield each name that an import statement binds, with what it stands for then."""
    for meant, alias in zip(imports(node), getattr(node, "names", ()), strict=False):
        if alias.asname or meant.name:
            yield alias.asname or alias.name, meant
        else:
            first = alias.name.partition(".")[0]
            yield first, Import(first)


def own(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield what is executed in the scope of `nodes` itself, not in functions and classes there."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Function):
            stack += [*getattr(node, "decorator_list", []), *defaults(node)]
        elif isinstance(node, ast.ClassDef):
            stack += [*node.decorator_list, *node.bases, *node.keywords]
        elif isinstance(node, Comprehension):
            stack += [one for one in ast.walk(node) if isinstance(one, ast.NamedExpr)]
        else:
            stack += ast.iter_child_nodes(node)


def bound(node: ast.AST) -> str | None:
    """Return the name that a node by itself binds where it stands, imports apart."""
    if isinstance(node, ast.Name):
        return None if isinstance(node.ctx, ast.Load) else node.id
    if isinstance(node, ast.MatchMapping):
        return node.rest
    if isinstance(node, NAMED):
        return node.name
    name = getattr(node, "name", None) if type(node).__name__ in TYPES else None
    return getattr(name, "id", name)


def defaults(node: Function) -> list[ast.expr]:
    """Return a function's default values."""
    return [*node.args.defaults, *(one for one in node.args.kw_defaults if one)]


def arguments(node: Function) -> list[ast.arg]:
    """Return all arguments that a function takes."""
    given = node.args
    extra = [one for one in (given.vararg, given.kwarg) if one]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *extra]


@dataclass
class Scope:
    """The names that belong to a function, those that it takes from the module, and its imports."""

    names: set[str]
    outer: set[str] = field(default_factory=set)
    imports: dict[str, set[Import]] = field(default_factory=dict)

    @classmethod
    def of(cls, node: Function) -> "Scope":
        """Return the scope of a function's body."""
        types = {one.name for one in getattr(node, "type_params", [])}
        scope = cls({one.arg for one in arguments(node)} | types)
        for inner in own(node.body if isinstance(node.body, list) else [node.body]):
            if isinstance(inner, ast.Global):
                scope.outer.update(inner.names)
            elif isinstance(inner, ast.Import | ast.ImportFrom):
                for name, meant in imported_names(inner):
                    scope.imports.setdefault(name, set()).add(meant)
            elif own_name := bound(inner):
                scope.names.add(own_name)
        return scope
