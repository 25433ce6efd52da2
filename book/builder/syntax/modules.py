"""The modules that a kernel imported, and what a name in one of them leads to."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from book.builder.syntax import sources
from book.builder.syntax.references import Chain
from book.builder.syntax.scopes import Import
from book.builder.syntax.sources import Source, Statement

PACKAGE = "__init__.py"
GIVEN = ("__file__", "__name__", "__package__", "__path__", "__spec__")  # by Python


@dataclass(eq=False)
class Module:
    """A module: its path from the book's root, its name and its content, perhaps unreadable."""

    path: str
    name: str
    content: bytes = b""
    source: Source | None = None

    @classmethod
    def read(cls, path: str, name: str, file: Path) -> "Module":
        """Return the module in a file."""
        content = file.read_bytes()
        return cls(path, name, content, sources.read(content) if file.suffix == ".py" else None)

    @property
    def is_foreign(self) -> bool:
        """Whether it is no Python, as a compiled extension is."""
        return bool(self.path) and not self.path.endswith(".py")

    @property
    def statements(self) -> Sequence[Statement]:
        """Its statements; none where it can't be read."""
        return self.source.statements if self.source else ()

    @property
    def imports(self) -> Sequence[Import]:
        """What it imports when it is imported."""
        return self.source.imports if self.source else ()

    def bound(self, name: str) -> Sequence[Statement]:
        """Return the statements that bind a name."""
        return self.source.bound.get(name, ()) if self.source else ()

    def may_bind(self, name: str) -> bool:
        """Whether a name may be one of the module's own, not Python's."""
        return bool(self.bound(name) or self.bound("*"))

    def full_name(self, meant: Import) -> str:
        """Return the full name of the module that an import in this one names."""
        if not meant.level:
            return meant.module
        parts = self.name.split(".")
        package = parts[: len(parts) - meant.level + self.path.endswith(PACKAGE)]
        return ".".join([*package, *([meant.module] if meant.module else [])])


Used: TypeAlias = tuple[Module, Statement]


@dataclass
class Found:
    """What a chain of names leads to.

    Attributes:
        statements: The statements that bind its names, with their modules.
        values: Modules that are handed on as values.
        libraries: Full names of what comes from elsewhere.
        missing: Names that a module was asked for and lacks.
    """

    statements: list[Used] = field(default_factory=list)
    values: list[Module] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Modules:
    """Modules by path and by name.

    A name is that by which the module is imported from the root, or from the folder that its
    outermost package lies in.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.listed: list[Module] = []
        self.named: dict[str, list[Module]] = defaultdict(list)
        self._root = _root(files)
        self._tops = {path.stem for path in self._root.glob("*")}
        self._there: dict[str, Module | None] = {}
        self._reached: dict[Used, list[Found]] = {}
        for path, file in files.items():
            names = _names(path, files)
            module = Module.read(path, names[-1], file)
            self.listed.append(module)
            for name in dict.fromkeys(names):
                self.named[name].append(module)
        self._folders = {above for name in self.named for above in _above(name)}

    def there(self, name: str) -> Module | None:
        """Return a module of the book that was not imported, by its name from the root."""
        if name.partition(".")[0] not in self._tops:
            return None
        if name not in self._there:
            path = name.replace(".", "/")
            files = [(one, self._root / one) for one in (f"{path}.py", f"{path}/{PACKAGE}")]
            known = [Module.read(one, name, file) for one, file in files if file.is_file()]
            self._there[name] = known[0] if known else None
        return self._there[name]

    def inside(self, name: str) -> list[Module]:
        """Return the modules in the folder of a name."""
        return self.below(f"{name}.") if name in self._folders else []

    def below(self, beginning: str) -> list[Module]:
        """Return the modules whose names begin so."""
        return [one for one in self.listed if one.name.startswith(beginning)]

    def imported(self, module: Module, meant: Import) -> list[Module]:
        """Return the modules that an import imports, in order: first the packages above it."""
        name = module.full_name(meant)
        names = [*_above(name), name, *([f"{name}.{meant.name}"] if meant.name else [])]
        return [one for each in names for one in self.named.get(each, ())]

    def find(self, module: Module, chain: Chain) -> Found:
        """Return what a chain of names leads to, seen from inside a module."""
        return self._search(module, chain, of_itself=True)

    def reached(self, module: Module, statement: Statement) -> list[Found]:
        """Return what each name that a statement of a module refers to leads to."""
        if (module, statement) not in self._reached:
            chains = [one for one in statement.references.chains if module.may_bind(one[0])]
            found = [self.find(module, chain) for chain in chains]
            found += [self.meant(module, *one) for one in statement.references.imported]
            self._reached[module, statement] = found
        return self._reached[module, statement]

    def attribute(self, module: Module, name: str) -> Found:
        """Return what an attribute of a module leads to."""
        return self._search(module, (name,), of_itself=False)

    def meant(self, module: Module, meant: Import, attributes: Chain) -> Found:
        """Return what attributes of something imported lead to."""
        search = _Search(self)
        search.follow(module, meant, attributes)
        return search.found

    def _search(self, module: Module, chain: Chain, *, of_itself: bool) -> Found:
        search = _Search(self)
        search.attribute(module, chain, of_itself=of_itself)
        return search.found


class _Search:
    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self.found = Found()
        self.seen: set[tuple[Module, Chain]] = set()

    def attribute(self, module: Module, chain: Chain, *, of_itself: bool = False) -> None:
        """Follow the first name of a chain, as an attribute of a module, and the rest."""
        if (module, chain) in self.seen:
            return
        self.seen.add((module, chain))
        name, *rest = chain
        if name == "__dict__" and not of_itself:
            self.found.values.append(module)
            return
        before = len(self.found.statements)
        bound = module.bound(name)
        self._follow_all(module, bound, name, tuple(rest))
        for star in module.bound("*"):  # it may bind the name anew
            for meant in star.imports["*"]:
                self._follow_star(module, star, meant, chain)
        inner = [] if of_itself else self._submodules(module, bound, name)
        for submodule in inner:
            self.enter(submodule, tuple(rest))
        if not of_itself and not inner and len(self.found.statements) == before:
            self._elsewhere(module, name)

    def _follow_all(
        self, module: Module, bound: Sequence[Statement], name: str, rest: Chain
    ) -> None:
        for statement in bound:
            self.found.statements.append((module, statement))
            for meant in statement.imports.get(name, ()):
                self.follow(module, meant, rest)

    def _submodules(self, module: Module, bound: Sequence[Statement], name: str) -> list[Module]:
        """Return the submodules that a name may stand for, unless it was imported from them."""
        full = f"{module.name}.{name}"
        meant = [one for each in bound for one in each.imports.get(name, [None])]
        hidden = bound and all(one and module.full_name(one) == full for one in meant)
        return [] if hidden else self.modules.named.get(full, [])

    def _elsewhere(self, module: Module, name: str) -> None:
        """Look for an attribute that a module doesn't bind."""
        dynamic = module.bound("__getattr__")
        self.found.statements += [(module, one) for one in dynamic]
        if not dynamic and name not in GIVEN:
            self.found.missing.append(f"{module.name}.{name}")

    def _follow_star(self, module: Module, star: Statement, meant: Import, chain: Chain) -> None:
        for source in self.modules.named.get(module.full_name(meant), ()):
            self.found.statements.append((module, star))
            self.found.statements += [(source, one) for one in source.bound("__all__")]
            self.attribute(source, chain)

    def follow(self, module: Module, meant: Import, rest: Chain) -> None:
        """Follow attributes of something that a module imports."""
        name = module.full_name(meant)
        packages = self.modules.named.get(name, ())
        if meant.name == "*":
            self.found.values += packages
            return
        chain = (meant.name, *rest) if meant.name else rest
        if not meant.name or not packages:
            self._walk(name, chain)
            return
        for package in packages:
            self.attribute(package, chain)

    def _walk(self, name: str, rest: Chain) -> None:
        """Follow attributes of the module of a name, or of a folder of modules."""
        for count in range(len(rest) + 1):
            known = self.modules.named.get(".".join([name, *rest[:count]]), ())
            for module in known:
                self.enter(module, rest[count:])
            if known:
                return
        full = ".".join([name, *rest])
        self.found.values += self.modules.inside(full)
        self.found.libraries.append(full)

    def enter(self, module: Module, rest: Chain) -> None:
        """Follow attributes of a module; without any it is a value."""
        if rest:
            self.attribute(module, rest)
        else:
            self.found.values.append(module)


def _names(path: str, files: Mapping[str, Path]) -> list[str]:
    """Return the names that a module of this path may have, its own by its packages last."""
    parts = PurePosixPath(path.removesuffix(f"/{PACKAGE}")).with_suffix("").parts
    folder = PurePosixPath(path).parent
    top = len(folder.parts)
    while top and str(PurePosixPath(*folder.parts[:top], PACKAGE)) in files:
        top -= 1
    in_package = top < len(folder.parts)
    names = [".".join(parts), ".".join(parts[top:])]
    return names if in_package else names[::-1]


def _above(name: str) -> list[str]:
    """Return the names of the packages above a module."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _root(files: Mapping[str, Path]) -> Path:
    """Return the folder that the paths start from."""
    path, file = next(iter(files.items()), ("none", Path("none")))
    return file.parents[len(PurePosixPath(path).parts) - 1]
