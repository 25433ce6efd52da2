"""What a piece of Python refers to outside itself, and whether it does more than give a value.

Where it is not known what a name stands for, it counts as one from outside.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from book.builder.syntax.scopes import (
    Comprehension,
    Definition,
    Function,
    Import,
    Scope,
    arguments,
    defaults,
    imports,
    own,
)

Chain: TypeAlias = tuple[str, ...]
"""A name and the attributes asked of it: `a.b.c` is `("a", "b", "c")`."""

OWN_NAME = "\0"  # stands for `__name__` in the name of a module to load
LOADERS = ("import_module", "__import__")
MAKERS = ("__init__", "__new__", "__post_init__")  # what they set of `self` is of a new object
EFFECTS = frozenset(
    (
        *("add", "append", "apply", "breakpoint", "clear", "configure", "delattr", "delete"),
        *("disable", "discard", "enable", "eval", "exec", "extend", "input", "insert", "install"),
        *("next", "open", "patch", "pop", "popitem", "print", "push", "register", "remove"),
        *("reset", "reverse", "seed", "send", "set", "setattr", "setdefault", "sort", "start"),
        *("subscribe", "throw", "update", "use", "write"),
    )
)
"""Words in the names of functions that are called for more than their value."""


@dataclass
class References:
    """What a piece of code refers to and does.

    Attributes:
        chains: Names from outside, with the attributes asked of them.
        imported: What it imports itself and uses, with the attributes asked of that.
        imports: What it imports itself.
        names: All names and attributes in it.
        texts: Its texts: each could be a name.
        loads: Beginnings of the names of modules that it loads by name.
        decorators: The chain of each decorator, None where it is no chain.
        run: The chains in what is called, or executed otherwise.
        acts: Whether it may change something that others see.
    """

    chains: set[Chain] = field(default_factory=set)
    imported: set[tuple[Import, Chain]] = field(default_factory=set)
    imports: set[Import] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    loads: set[str] = field(default_factory=set)
    decorators: list[Chain | None] = field(default_factory=list)
    run: set[Chain] = field(default_factory=set)
    acts: bool = False


def of(node: ast.AST, *, bodies: bool = True) -> References:
    """Return what a node refers to; without the `bodies` of functions, when it is defined."""
    reader = _Reader(bodies)
    reader.visit(node)
    reader.found.acts |= any(map(_says_effect, reader.found.names))
    return reader.found


def chain_of(node: ast.AST) -> Chain | None:
    """Return the chain of a name with attributes; None for anything else."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else None


def _says_effect(name: str) -> bool:
    """Return whether a function's name says that it changes something."""
    words = re.findall(r"[A-Z]?[a-z]+", name)
    return name != "set" and any(word.lower() in EFFECTS for word in words)


class _Reader(ast.NodeVisitor):
    def __init__(self, bodies: bool) -> None:
        self.bodies = bodies
        self.found = References()
        self.scopes: list[Scope] = []
        self.making = False  # inside a method that makes an object
        self.running = 0  # calls around this

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._refer((node.id,))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = chain_of(node)
        new = self.making and chain is not None and chain[:-1] == ("self",)
        if isinstance(node.ctx, ast.Load):
            self.found.names.add(node.attr)
        elif not new:
            self.found.acts = True
        if chain is None:
            self.visit(node.value)
        else:
            self._refer(chain)

    def _refer(self, chain: Chain) -> None:
        """Take a chain down as one from outside, unless its name is a function's own."""
        name, *attributes = chain
        for scope in reversed(self.scopes):
            if name in scope.outer:
                break
            for meant in scope.imports.get(name, ()):
                self.found.imported.add((meant, tuple(attributes)))
            if name in scope.names or name in scope.imports:
                return
        self.found.chains.add(chain)
        self.found.names.update(chain)
        if self.running:
            self.found.run.add(chain)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.texts.add(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self.running += 1
        chain = chain_of(node.func) or ("",)
        if chain[-1] in LOADERS and node.args:
            self.found.loads.add(_beginning(node.args[0]))
            self.found.acts = True
            self._visit_all([*node.args, *node.keywords])
        elif chain == ("vars",) and node.args:  # of an object
            self._visit_all(node.args)
        elif not (chain == ("locals",) and self.scopes):
            self.generic_visit(node)
        self.running -= 1

    def visit_BinOp(self, node: ast.BinOp) -> None:
        runs = not isinstance(node.op, ast.BitOr)  # of types, as a rule
        self.running += runs
        self.generic_visit(node)
        self.running -= runs

    def visit_Compare(self, node: ast.Compare) -> None:
        if isinstance(node.ops[0], ast.In | ast.NotIn) and _is_registry(node.comparators[0]):
            self.visit(node.left)  # asks whether a module is there
        else:
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._refer((node.target.id,))
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.found.acts |= not isinstance(node.ctx, ast.Load)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):  # such as a docstring
            return
        self.found.acts |= not isinstance(node.value, ast.Yield | ast.YieldFrom)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.found.acts = True

    visit_Nonlocal = visit_Global  # noqa: N815

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.found.imports.update(imports(node))

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_arg(self, node: ast.arg) -> None:
        self._visit_annotation(node.annotation)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_annotation(node.annotation)
        self._visit_all([node.target, *([node.value] if node.value else [])])

    def _visit_annotation(self, node: ast.expr | None) -> None:
        """Visit an annotation, also one that is written as a text."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return
        if node is not None:
            self.visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_decorators(node)  # the names in a class hide none of the module in its methods
        for inner in own(node.body):
            self.found.imported.update((meant, ()) for meant in imports(inner))
        self._visit_all(
            [*node.bases, *node.keywords, *getattr(node, "type_params", []), *node.body]
        )

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_decorators(node)
        self._visit_annotation(node.returns)
        self._visit_function(node, node.body, making=node.name in MAKERS)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_function(node, [node.body], making=False)

    def _visit_decorators(self, node: Definition) -> None:
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            self.found.decorators.append(chain_of(called))
            self.running += 1
            self.visit(decorator)
            self.running -= 1

    def _visit_function(self, node: Function, body: Iterable[ast.AST], *, making: bool) -> None:
        self._visit_all([*defaults(node), *arguments(node)])
        if self.bodies:
            before, self.making = self.making, making
            self.scopes.append(Scope.of(node))
            self._visit_all([*getattr(node, "type_params", []), *body])
            self.scopes.pop()
            self.making = before

    def visit_ListComp(self, node: Comprehension) -> None:
        self.running += 1
        self.visit(node.generators[0].iter)  # outside, where the loop's names are not known yet
        targets = [one for each in node.generators for one in ast.walk(each.target)]
        self.scopes.append(Scope({one.id for one in targets if isinstance(one, ast.Name)}))
        self.generic_visit(node)
        self.scopes.pop()
        self.running -= 1

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _is_registry(node: ast.expr) -> bool:
    return chain_of(node) == ("sys", "modules")


def _beginning(node: ast.expr) -> str:
    """Return what is known of how a text begins; nothing where nothing is."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    known = ""
    for part in node.values if isinstance(node, ast.JoinedStr) else ():
        if isinstance(part, ast.Constant):
            known += str(part.value)
        elif isinstance(part, ast.FormattedValue) and chain_of(part.value) == ("__name__",):
            known += OWN_NAME
        else:
            break
    return known
