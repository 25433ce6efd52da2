"""The layout of the packages below a folder: who may import whom, what is too long, what is lost.

Every checker takes the folder that holds `analysis`, `book` and `models`, and returns what is
wrong, each in a line; an empty list is a tidy house.
"""

import ast
import re
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from imports import Source, arrows, hidden, imports, room, sources

PARTS = ("appendix", "architectures", "learning_rate", "regularization")

#: Rooms from the ground up. A room imports from lower rungs only; rooms on one rung do not import
#: each other.
LADDERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "models": (
        ("evidence", "fields", "files", "settings"),
        ("fingerprint",),
        ("equivalence",),
        ("data",),
        ("networks",),
        ("specs",),
        ("rates", "records"),
        ("progress",),
        ("training",),
        ("runs",),
        ("sweeps",),
        ("cli",),
        ("__main__",),
    ),
    "book": (
        ("builder", "settings"),
        ("report",),
        ("benchmark",),  # the chapter on performance shows its result
        PARTS,
        ("commands",),
        ("__main__",),
    ),
}

#: Imports that cannot be followed, and need not be.
MAY_HIDE = {
    (
        "analysis.reading",
        "import_module()",
    ): "its own modules, which need torch, when asked for",
    ("book.builder.forge", "resolve_name()"): "libraries that a book's configuration names",
    ("book.commands.command_line", "import_module()"): "a command, which stands beside it",
    ("book.builder.options", "resolve_name()"): "what a book's configuration names",
    ("book.commands.first_epoch", "import models"): "whichever is there: it looks where that is",
    ("book.commands.trees", "import models"): "the folder that it lies in",
}

#: Who may not import what. `analysis` and `models` are two witnesses of the same numbers, and the
#: builder could build another book.
STRANGERS = {
    "analysis": ("book", "models"),
    "models": ("analysis", "book"),
    "book.builder": ("analysis", "models"),
}

MEDIAN, NINE_OF_TEN, LONGEST = 7, 16, 35  # lines of a function, without its docstring
MODULE = 300  # lines of a module, with its docstrings


@dataclass(frozen=True)
class Function:
    """A function's place, and its lines without its docstring."""

    module: str
    name: str
    lines: int


# Circles, ladders and strangers


def circles(root: Path) -> list[str]:
    """A circle of modules that import each other, and one of rooms, where there is one."""
    rooms = defaultdict(set)
    for name, other in arrows(root):
        if room(name) != room(other):
            rooms[room(name)].add(room(other))
    return _circle("modules", imports(root)) + _circle("rooms", rooms)


def _circle(what: str, graph: Mapping[str, frozenset[str] | set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [f"{what} in a circle: {' ← '.join(error.args[1])}"]
    return []


def steps_up(root: Path) -> list[str]:
    """Imports that do not go down their package's ladder, and rooms that stand on none."""
    found = []
    for package in LADDERS:
        rungs = _rungs(package)
        mine = {room(name) for name in sources(root) if name.startswith(f"{package}.")}
        found += [f"{name} stands on no rung of the ladder" for name in sorted(mine - rungs.keys())]
        for name, other in arrows(root):
            here, there = rungs.get(room(name)), rungs.get(room(other))
            if here is not None and there is not None and room(name) != room(other):
                found += [f"{name} imports {other}, which is not below it"] if there >= here else []
    return found


def _rungs(package: str) -> dict[str, int]:
    """Every room's height; the package itself, which each of its modules imports, is lowest."""
    ladder = enumerate(LADDERS[package], start=1)
    rungs = {f"{package}.{name}": height for height, names in ladder for name in names}
    return {package: 0, **rungs}


def empty_rungs(root: Path) -> list[str]:
    """Rungs of a ladder where nothing stands: the ladder is out of date."""
    known = {room(name) for name in sources(root)}
    rungs = [name for package in LADDERS for name in _rungs(package)]
    return [f"there is no {name}" for name in rungs if name not in known]


def strangers(root: Path) -> list[str]:
    """Imports between packages that must not know each other."""
    return [
        f"{name} imports {other}, but {one} knows nothing of {stranger}"
        for name, other in arrows(root)
        for one, others in STRANGERS.items()
        for stranger in others
        if _within(name, one) and _within(other, stranger)
    ]


def hidden_imports(root: Path) -> list[str]:
    """Imports that no checker here can follow, but for those that have a reason."""
    return [
        f"{name} says {what}: import the module itself, from its package"
        for name, what in hidden(root)
        if (name, what) not in MAY_HIDE
    ]


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


# Chapters


def borrowed(root: Path) -> list[str]:
    """Imports of a chapter's own module by another chapter, or by what its part shares."""
    owners = _owners(root)
    return [
        f"{name} imports {other}, which is the chapter {owners[other]}'s own"
        for name, other in arrows(root)
        if _part(name) and other in owners and owners.get(name) != owners[other]
    ]


def _owners(root: Path) -> dict[str, str]:
    """The chapter (`book.part.stem`) of every notebook and of every module that is named for one.

    A module is named for a chapter if it has its stem, or begins with it in the singular, as
    `exercise_answers` for `exercises`; the longest stem that fits is meant.
    """
    known = sources(root).values()
    chapters = sorted(one.name.removesuffix(".ipynb") for one in known if one.is_notebook)
    owners = {}
    for one in known:
        fitting = [chapter for chapter in chapters if _named_for(one, chapter)]
        if _part(one.name) and fitting:
            owners[one.name] = max(fitting, key=len)
    return owners


def _named_for(one: Source, chapter: str) -> bool:
    name = one.name.removesuffix(".ipynb")
    return name == chapter or name.startswith(f"{chapter.removesuffix('s')}_")


def _part(name: str) -> bool:
    return room(name).removeprefix("book.") in PARTS


# Names and sizes


def same_stems(root: Path) -> list[str]:
    """Modules of one package that bear the same name; a notebook beside its module is meant so."""
    places = defaultdict(list)
    for name, one in sources(root).items():
        if not one.is_notebook and not one.stem.startswith("__"):
            places[name.partition(".")[0], one.stem].append(name)
    return [f"{' and '.join(names)} have one name" for names in places.values() if len(names) > 1]


def functions(root: Path) -> list[Function]:
    """Every function of the packages' modules, those inside of others too."""
    return [
        Function(name, node.name, _lines(node))
        for name, one in sources(root).items()
        if not one.is_notebook
        for node in ast.walk(one.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, blank ones too, the docstring not."""
    first = function.body[0]
    docstring = ast.get_docstring(function) is not None
    words = first.end_lineno - first.lineno + 1 if docstring else 0
    return function.end_lineno - function.lineno + 1 - words


def long_functions(root: Path) -> list[str]:
    """Functions that are too long, one by one and on the whole."""
    every = functions(root)
    found = [
        f"{one.module}.{one.name} has {one.lines} lines, at most {LONGEST} are allowed"
        for one in every
        if one.lines > LONGEST
    ]
    return found + _on_the_whole([one.lines for one in every])


def _on_the_whole(lines: Sequence[int]) -> list[str]:
    if not lines:
        return []
    found = []
    if (median := statistics.median(lines)) > MEDIAN:
        found.append(f"the median function has {median:g} lines, at most {MEDIAN} are allowed")
    if sum(count <= NINE_OF_TEN for count in lines) < 0.9 * len(lines):
        found.append(f"more than a tenth of the functions have over {NINE_OF_TEN} lines")
    return found


def long_modules(root: Path) -> list[str]:
    """Modules of too many lines."""
    lines = {
        name: len(one.path.read_text().splitlines())
        for name, one in sources(root).items()
        if not one.is_notebook
    }
    return [
        f"{name} has {count} lines, at most {MODULE} are allowed"
        for name, count in lines.items()
        if count > MODULE
    ]


# What the documents say


def lost_paths(root: Path) -> list[str]:
    """Paths that README's "Where things are" or CONTRIBUTING name, and that nothing is found at."""
    places = re.search(
        r"^## Where things are$(.*?)(?=^## |\Z)", _text(root, "README.md"), re.M | re.S
    )
    documents = {
        "README.md": places[1] if places else "",
        "CONTRIBUTING.md": _text(root, "CONTRIBUTING.md"),
    }
    found = [] if places else ['README.md has no section "Where things are"']
    for document, text in documents.items():
        lost = [path for path in _paths(text) if not any(root.glob(path))]
        found += [f"{document} names {path}, which does not exist" for path in lost]
    return found


def _text(root: Path, name: str) -> str:
    return (root / name).read_text()


def _paths(text: str) -> list[str]:
    """Paths in backticks or links: names with a slash, or with an ending that files here have."""
    spans = re.findall(r"`([^`\n]+)`", text) + re.findall(r"\]\(([^)#:]+)\)", text)
    path = r"\.?\w[\w.*-]*/[\w.*/-]*|\w[\w.-]*\.(?:cff|ipynb|json|md|py|toml|txt|ya?ml)"
    return sorted({span.rstrip("/") for span in spans if re.fullmatch(path, span)})
