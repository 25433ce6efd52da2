"""What happens when a module is imported, besides that names are bound."""

import ast
import sys

from book.builder.syntax.modules import Module, Modules, Used
from book.builder.syntax.references import Chain, chain_of
from book.builder.syntax.scopes import Definition, Import
from book.builder.syntax.sources import Statement


class Effects:
    """Which statements and imports of some modules do more than bind names."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self._eager: dict[Used, bool] = {}
        self._new: dict[Module, bool] = {}

    def is_eager(self, module: Module, statement: Statement) -> bool:
        """Whether a statement may do more than bind its names when it is executed.

        Calls of libraries for a value that is kept are trusted, their decorators are not.
        """
        if (module, statement) not in self._eager:
            self._eager[module, statement] = statement.may_act and (
                not statement.only_binds or self._acts(module, statement)
            )
        return self._eager[module, statement]

    def _acts(self, module: Module, statement: Statement) -> bool:
        found = statement.at_import
        return (
            found.acts
            or not all(self._is_trusted(module, one) for one in found.decorators)
            or self._is_watched(module, statement, set())
            or self._runs_effects(module, statement)
        )

    def _is_trusted(self, module: Module, decorator: Chain | None) -> bool:
        """Whether a decorator is Python's own, or a function of the book."""
        if decorator is None:
            return False
        found = self.modules.find(module, decorator)
        defined = all(
            isinstance(one.node, Definition) or one.is_import for _, one in found.statements
        )
        return defined and all(_is_pythons(name) for name in found.libraries)

    def _is_watched(self, module: Module, statement: Statement, seen: set[Used]) -> bool:
        """Whether a class is made of one that learns of it."""
        if not isinstance(statement.node, ast.ClassDef) or (module, statement) in seen:
            return False
        seen.add((module, statement))
        of = [*statement.node.bases, *(one.value for one in statement.node.keywords)]
        chains = [chain for one in of if (chain := chain_of(one))]
        bases = [one for chain in chains for one in self.modules.find(module, chain).statements]
        return any(base.has_hooks or self._is_watched(where, base, seen) for where, base in bases)

    def _runs_effects(self, module: Module, statement: Statement) -> bool:
        """Whether something that a statement may call acts."""
        seen = {(module, statement)}
        found = [self.modules.find(module, chain) for chain in statement.at_import.run]
        while found:
            one = found.pop()
            if one.values:
                return True
            for used in {*one.statements} - seen:
                seen.add(used)
                if used[1].references.acts or used[1].has_hooks:
                    return True
                found += self.modules.reached(*used)
        return False

    def of_import(self, module: Module, meant: Import) -> str | None:
        """Return the name of what an import executes, where that may do more than bind names.

        That is so of libraries, and of modules of the book that the chapter did not import yet.
        What the others do counts by itself.
        """
        full = module.full_name(meant)
        if _is_pythons(full):
            return None
        packages = self.modules.named.get(full, [])
        names = [] if packages else [full]
        if meant.name and not any(one.may_bind(meant.name) for one in packages):
            names.append(f"{full}.{meant.name}")
        new = [there for name in names if (there := self._new_module(name))]
        if new:
            return full if any(map(self._has_effects, new)) else None
        return None if packages else full

    def _new_module(self, name: str) -> Module | None:
        return None if name in self.modules.named else self.modules.there(name)

    def _has_effects(self, module: Module) -> bool:
        """Whether a new module, or another that it imports, does more than bind names."""
        if module not in self._new:
            self._new[module] = False  # while it is looked at: modules may import each other
            several = (self.of_import(module, meant) for meant in module.imports)
            self._new[module] = self.acts(module) or any(several)
        return self._new[module]

    def acts(self, module: Module) -> bool:
        """Whether a module itself does more than bind names."""
        return any(self.is_eager(module, one) for one in module.statements)


def _is_pythons(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names
