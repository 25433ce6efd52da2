"""What a chapter uses of the modules that its kernel imported: no more than it can reach.

A module is its statements at the top. A chapter uses those that its cells name, those that these
name, and so on; a class is used whole. Besides, it uses each that does more than bind a name when
its module is imported. Where syntax can't tell what is named, it uses a module whole, or all.

Not seen is what a library finds by itself, such as what an entry point of a package names.
"""

import gc
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from book.builder.syntax import magics
from book.builder.syntax.importing import Effects
from book.builder.syntax.modules import Found, Module, Modules, Used
from book.builder.syntax.references import OWN_NAME
from book.builder.syntax.scopes import Import, imports
from book.builder.syntax.sources import Source, Statement, digest

NAMESPACES = {("eval",), ("exec",), ("globals",), ("locals",), ("vars",)}
"""What gives code all names of its module."""

ANYTHING = {"__import__", "__subclasses__", "get_ipython", "run_cell"}
"""Names of what gives code anything that is imported."""

ANYTHING_OF = re.compile(
    r"(cloudpickle|dill|gc\.get_objects|pkgutil|runpy|shelve|importlib\.(import_module|reload)|joblib\.load"
    r"|importlib\.util\.module_from_spec|pickle\.(load|loads|Unpickler)|sys\.modules)\b"
)
"""The same, by their full names."""

AS_WRITTEN = {"__doc__", "getdoc", "getsource", "getsourcelines"}
"""Names of what gives code its own text."""

DOTTED = re.compile(r"[^\W\d]\w*([.:][^\W\d]\w*)+")


def digests(cells: Sequence[str], modules: Mapping[str, Path]) -> dict[str, str]:
    """Return for each module a digest of what a chapter's code cells use of it.

    Args:
        cells: The code of the chapter, magics included, in order.
        modules: The files of all modules of the book that its kernel imported, by their paths from
            the book's root, with slashes.
    """
    with _uncollected():
        uses = Uses(cells, modules)
        return {module.path: uses.digest(module) for module in uses.modules.listed}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile: syntax trees are many objects, all of which stay.

    That takes two fifths of the time off.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Uses:
    """The statements of modules that a chapter uses."""

    def __init__(self, cells: Sequence[str], files: Mapping[str, Path]) -> None:
        self.modules = Modules(files)
        self.effects = Effects(self.modules)
        self.used: set[Used] = set()
        self.whole: set[Module] = set()
        self.imported: set[Module] = set()
        self.missing: dict[Module, set[str]] = {}
        self.order: list[Module] = []  # in which they are imported, as far as syntax tells
        self.before: dict[Module, str] = {}  # which of those that act acts before one
        self.as_written = False
        self._stack: list[Used] = []
        program = magics.plain(cells)
        if program is None or any(one.is_foreign for one in self.modules.listed):
            self._take(self.modules.listed)
        if program is not None:
            self._run(Module("", "__main__", source=Source(program, is_main=True)))
        self._reach()
        self.unseen = [one for one in self.modules.listed if one not in self.imported]
        self._take(self.unseen)
        self._reach()

    def _run(self, main: Module) -> None:
        """Use all cells, and what happens when modules are imported."""
        self._import(main)
        acting = [one for one in self.order if self.effects.acts(one)]
        self.before = dict(zip(acting, ["", *(one.name for one in acting)], strict=False))
        self._stack += [(main, one) for one in main.statements]
        self._stack += [
            (module, one)
            for module in self.modules.listed
            for one in module.statements
            if self.effects.is_eager(module, one)
        ]

    def _import(self, module: Module) -> None:
        """Take down that a module is imported, and what it imports then."""
        if module not in self.imported:
            self.imported.add(module)
            for meant in module.imports:
                for target in self._targets(module, meant):
                    self._import(target)
            self.order.append(module)

    def _targets(self, module: Module, meant: Import) -> list[Module]:
        """Return the modules that an import imports; take down a name that it doesn't find."""
        for source in self.modules.named.get(module.full_name(meant), ()):
            if meant.name not in (None, "*") and not source.bound(meant.name):
                self._miss(module, self.modules.attribute(source, meant.name))
        return self.modules.imported(module, meant)

    def _miss(self, module: Module, found: Found) -> None:
        for name in found.missing:
            if not self.modules.there(name):
                self.missing.setdefault(module, set()).add(name)

    def _take(self, modules: Iterable[Module]) -> None:
        """Use modules whole, with all that they import, and those inside them."""
        stack = list(modules)
        while stack:
            module = stack.pop()
            if module not in self.whole:
                self.whole.add(module)
                self._import(module)
                self._stack += [(module, one) for one in module.statements]
                stack += self.modules.inside(module.name)
                for found in self._handed_on(module):
                    self._stack += found.statements
                    stack += found.values

    def _handed_on(self, module: Module) -> Iterator[Found]:
        """Yield what the imported names of a module stand for."""
        for statement in module.statements:
            for meant in (one for some in statement.imports.values() for one in some):
                yield self.modules.meant(module, meant, ())

    def _reach(self) -> None:
        """Use what the statements on the stack refer to, and so on."""
        while self._stack:
            one = self._stack.pop()
            if one not in self.used:
                self.used.add(one)
                self._follow(*one)

    def _follow(self, module: Module, statement: Statement) -> None:
        references = statement.references
        self.as_written |= bool(references.names & AS_WRITTEN) or ("help",) in references.chains
        if references.names & ANYTHING:
            self._take(self.modules.listed)
        if references.chains & NAMESPACES:
            self._take([module])
        for meant in references.imports:
            for target in self._targets(module, meant):
                self._import(target)
        for beginning in references.loads:
            self._load(module, beginning)
        for found in self.modules.reached(module, statement):
            self._use(module, found)
        for text in references.texts:
            self._name(module, text)

    def _use(self, module: Module, found: Found) -> None:
        self._stack += found.statements
        self._take(found.values)
        self._miss(module, found)
        if any(map(ANYTHING_OF.match, found.libraries)):
            self._take(self.modules.listed)

    def _load(self, module: Module, beginning: str) -> None:
        """Use whole what a module may load by a name that begins so."""
        name = "" if beginning.startswith(".") else beginning.replace(OWN_NAME, module.name)
        self._take(self.modules.below(name))

    def _name(self, module: Module, text: str) -> None:
        """Use what a text may name: something of its module, or anything by its full name."""
        if module.bound(text):
            self._stack += self.modules.find(module, (text,)).statements
        elif DOTTED.fullmatch(text):
            first, *rest = re.split("[.:]", text)
            found = self.modules.meant(module, Import(first), tuple(rest))
            self._take(found.values)
            self._stack += found.statements
            if module.bound(first):
                self._stack += self.modules.find(module, (first, *rest)).statements

    def digest(self, module: Module) -> str:
        """Return a digest of what the chapter uses of a module."""
        if self.as_written or module.source is None:
            return digest(module.content)
        order = [str(module in self.unseen), self.before.get(module, "")]
        others = {*self.missing.get(module, ())}
        for statement in module.statements:
            executed = (self.effects.of_import(module, one) for one in imports(statement.node))
            others.update(name for name in executed if name)
            if (module, statement) not in self.used:
                continue
            if module.source.is_ordered(statement) or self.effects.is_eager(module, statement):
                order.append(statement.digest)
            else:
                others.add(statement.digest)
        return digest(repr((order, sorted(others))))
