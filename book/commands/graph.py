"""`python -m book graph`: what each chapter depends on, as a tree, a table or a picture.

It is what the chapters' last executions used; nothing is executed.
"""

import argparse
import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence, Sized
from pathlib import Path

from book.builder.chapters import Book, find_book, named
from book.builder.errors import BookError
from book.commands.dependencies import Dependencies, dependencies

SUFFIXES = (".svg", ".dot", ".md")
MOST_LISTED = 30  # files of one folder that a tree names


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the chapters, and what to tell of them."""
    command.add_argument("chapters", nargs="*", metavar="CHAPTER", help="only these chapters")
    told = command.add_mutually_exclusive_group()
    where = "write a picture (.svg), a graph for Graphviz (.dot) or a table (.md) instead"
    told.add_argument("-o", dest="output", type=Path, metavar="FILE", help=where)
    reverse = "say which chapters use a file, a module (book.report.tables) or another chapter"
    told.add_argument("--reverse", metavar="FILE", help=reverse)


def main(options: argparse.Namespace) -> int:
    """Tell what was asked for.

    Raises:
        BookError: There is no such chapter or file, or nothing can be written under that name.
    """
    book = find_book(Path.cwd())
    chapters = book.chapters()
    chosen = {chapter.docname for chapter in named(chapters, options.chapters)}
    if options.output:
        check_output(options.output)
    found = [one for one in dependencies(chapters) if one.docname in chosen]
    if options.reverse:
        print(users(found, path_in(book, options.reverse)))
    elif options.output:
        write(found, options.output)
        print(f"wrote {options.output}: {_count(found, 'chapter')}")
    else:
        print("\n\n".join(map(tree, found)))
    return 0


def check_output(output: Path) -> None:
    """Refuse a file that cannot be written.

    Raises:
        BookError: Its name ends in nothing that is known.
    """
    if output.suffix not in SUFFIXES:
        raise BookError(
            f"expected a file whose name ends in {', '.join(SUFFIXES)}; got {output.name}"
        )


def write(found: Sequence[Dependencies], output: Path) -> None:
    """Write what chapters depend on, in the form that the file's name asks for."""
    from book.commands import graph_forms

    if output.suffix == ".svg":
        graph_forms.draw(found, output)
    else:
        form = graph_forms.dot if output.suffix == ".dot" else graph_forms.table
        output.write_text(form(found), encoding="utf-8")


def tree(one: Dependencies) -> str:
    """Return what a chapter depends on, a line a kind, its modules by package."""
    if not one.known:
        return f"{one.docname}\n└── never executed: what it uses is not known yet"
    branches = list(_branches(one))
    lines = [one.docname]
    for (head, leaves), last in zip(branches, [False] * (len(branches) - 1) + [True], strict=True):
        lines.append(f"{'└' if last else '├'}── {head}")
        bar = " " if last else "│"
        lines += [f"{bar}   {'└' if leaf is leaves[-1] else '├'}── {leaf}" for leaf in leaves]
    return "\n".join(lines)


def _branches(one: Dependencies) -> Iterator[tuple[str, list[str]]]:
    yield (
        f"{_count(one.modules, 'module')} of the book",
        [f"{package}: {', '.join(names)}" for package, names in one.packages.items()],
    )
    if one.data:
        yield _count(one.data, "other file"), list(_by_folder(one.data))
    if one.variables:
        yield _count(one.variables, "variable"), [f"${name}" for name in one.variables]
    if one.chapters:
        read = [f"{name} ({what})" for name, what in one.chapters.items()]
        yield _count(one.chapters, "chapter"), read
    yield _count(range(one.runs), "run"), []


def _by_folder(paths: Sequence[str]) -> Iterator[str]:
    """Yield paths, and in place of many in one folder how many there are."""
    folders = Counter(path.rpartition("/")[0] for path in paths)
    yield from (path for path in paths if folders[path.rpartition("/")[0]] <= MOST_LISTED)
    for folder, count in folders.items():
        if count > MOST_LISTED:
            yield f"{folder}: {count} files"


def _count(things: Sized, word: str) -> str:
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"


def path_in(book: Book, name: str) -> str:
    """Return the path from the book's root of a file, a module or a chapter that is named.

    Raises:
        BookError: There is none.
    """
    dotted = name.replace(".", "/")
    candidates = (name, dotted + ".py", f"{dotted}/__init__.py", f"{name}.ipynb")
    folders = (Path.cwd(), book.root)
    paths = [(folder / one).resolve() for one in candidates for folder in folders]
    for path in paths:
        if path.is_file() and path.is_relative_to(book.root.resolve()):
            return path.relative_to(book.root.resolve()).as_posix()
    with contextlib.suppress(BookError):
        return f"{named(book.chapters(), [name])[0].docname}.ipynb"
    raise BookError(f"expected a file, module or chapter of this book, but {name!r} is none")


def users(found: Sequence[Dependencies], path: str) -> str:
    """Return which chapters used a file, in words."""
    using = [one.docname for one in found if one.uses(path)]
    unknown = [one.docname for one in found if not one.known]
    lines = [f"{path}: used by {len(using)} of {len(found)} chapters", *using]
    if unknown:
        lines.append(f"never executed, so not known: {', '.join(unknown)}")
    return "\n".join([lines[0], *(f"  {line}" for line in lines[1:])])
