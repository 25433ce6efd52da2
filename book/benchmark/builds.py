"""`python -m book.benchmark.builds`: how long our builds take beside those of others, here and now.

The contenders build the same book, in copies of their own, and take turns round after round:

- `ours`: this book as it is;
- `Sphinx`: the same site of the same executed chapters, with execution off;
- `cache`: the same chapters in Jupyter Book's own mode `cache`, with `--cache`;
- a commit of this repository, with `--against COMMIT`.

What counts is the median of the rounds, and ratios of medians of one run.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import nbformat
import yaml
from tabulate import tabulate

from book.benchmark.rounds import PACKAGES, BenchmarkError
from book.builder import overlay
from book.builder.chapters import find_book
from book.builder.notebooks import read_notebook
from models.cli import INTERRUPTED, Parser

EDITED = Path("book", "regularization", "batch_norm.ipynb")
STEPS = ("cold", "no change", "prose edit")
LEFT_OUT = shutil.ignore_patterns(".*", "_build", "__pycache__", "*.egg-info")

#: Seconds of each round, by contender and step.
Times = dict[str, dict[str, list[float]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="convbook-builds-") as folder:
            times = measure(Path(folder), options)
    except BenchmarkError as error:
        print(f"python -m book.benchmark.builds: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    print(report(times))
    return 0


def parser() -> Parser:
    """Return the command line's parser."""
    top = Parser(prog="python -m book.benchmark.builds", description=__doc__.partition("\n")[0])
    top.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    top.add_argument("--against", metavar="COMMIT", help="a revision as git names it")
    top.add_argument("--cache", action="store_true", help="Jupyter Book's cache mode too")
    return top


def measure(folder: Path, options: argparse.Namespace) -> Times:
    """Return the times of all contenders, prepared in `folder`.

    Raises:
        BenchmarkError: A build failed.
    """
    books = {"ours": copied(folder / "ours")}
    build(books["ours"])
    books["Sphinx"] = without_execution(books["ours"], folder / "sphinx")
    if options.cache:
        books["cache"] = in_cache_mode(folder / "cache")
    if options.against:
        books[options.against] = of_commit(options.against, folder / "against")
    times: Times = {name: {step: [] for step in STEPS} for name in books}
    for number in range(1, options.rounds + 1):
        for name, book in books.items():
            for step, seconds in round_of(book):
                print(f"round {number}: {name}, {step}: {seconds:.1f} s", file=sys.stderr)
                times[name][step].append(seconds)
    return times


def round_of(book: Path) -> Iterator[tuple[str, float]]:
    """Yield what each kind of build takes, in seconds."""
    shutil.rmtree(book / "_build", ignore_errors=True)
    yield "cold", build(book)
    yield "no change", build(book)
    _edit(book / EDITED)
    yield "prose edit", build(book)


def _edit(chapter: Path) -> None:
    """Add a sentence to a chapter's first words."""
    notebook = nbformat.read(chapter, as_version=4)
    words = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    words.source += "\nAnother sentence."
    nbformat.write(notebook, chapter)


def build(book: Path) -> float:
    """Build a book; return the seconds that it took.

    Raises:
        BenchmarkError: It failed.
    """
    program = Path(sys.executable).with_name("jupyter-book")
    environment = {**os.environ, "PYTHONPATH": str(book)}
    began = time.perf_counter()
    run = subprocess.run(
        [program, "build", "."],
        cwd=book,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        told = (run.stderr or run.stdout).strip().splitlines()[-1:]
        raise BenchmarkError(f"the book in {book.name} could not be built: {' '.join(told)}")
    return time.perf_counter() - began


def copied(folder: Path) -> Path:
    """Return a copy of this book, without what was built."""
    shutil.copytree(PACKAGES, folder, ignore=LEFT_OUT)
    return folder


def of_commit(commit: str, folder: Path) -> Path:
    """Return this book as it was at a commit.

    Raises:
        BenchmarkError: git knows no such commit.
    """
    run = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=PACKAGES, capture_output=True, check=False
    )
    if run.returncode:
        raise BenchmarkError(f"git has no commit {commit}: {run.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(run.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def without_execution(built: Path, folder: Path) -> Path:
    """Return a book of the same executed chapters that plain Sphinx renders."""
    copied(folder)
    for chapter in find_book(built).chapters():
        executed = read_notebook(chapter.executed)
        page = overlay.as_executed(executed, chapter.parameters)
        nbformat.write(page, folder / f"{chapter.docname}.ipynb")
    _configure(folder, "off")
    return folder


def in_cache_mode(folder: Path) -> Path:
    """Return a copy of this book that Jupyter Book's own cache executes."""
    copied(folder)
    _configure(folder, "cache")
    return folder


def _configure(book: Path, execution: str) -> None:
    """Take our extension out of a book's configuration."""
    path = book / "_config.yml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["execute"] = {"execute_notebooks": execution, "timeout": -1}
    del content["sphinx"]["local_extensions"]
    settings = content["sphinx"]["config"]
    ours = [name for name in settings if name.startswith("convbook_")]
    for name in ours:
        del settings[name]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def report(times: Times) -> str:
    """Return a table of medians with their ranges, and of ratios to ours."""
    ours = times["ours"]
    rows = []
    for name, seconds in times.items():
        cells = [_cell(seconds[step]) for step in STEPS]
        ratios = [f"{median(ours[step]) / median(seconds[step]):.2f}" for step in STEPS]
        rows.append([name, *cells, *ratios])
    headers = ["", *(f"{step}, s" for step in STEPS), *(f"ours : it, {step}" for step in STEPS)]
    return tabulate(rows, headers, disable_numparse=True)


def _cell(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.1f} ({min(seconds):.1f}–{max(seconds):.1f})"


if __name__ == "__main__":
    sys.exit(main())
