"""`python -m book graph`: what chapters used, as they say themselves. A real small book."""

import xml.etree.ElementTree

import pytest
from books import build, write_book, write_chapter

from book.__main__ import main
from book.commands import graph
from book.commands.dependencies import Dependencies

USES_HELPER = "from helper import double\nfrom myst_nb import glue\n\nglue('twice', double(number))"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two chapters that were executed, of which one shows what the other glued, and one not yet."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "part").mkdir()
    (folder / "tools").mkdir()
    (folder / "tools" / "__init__.py").touch()
    (folder / "tools" / "more.py").write_text("def more(number):\n    return number + 1\n")
    (folder / "helper.py").write_text("def double(number):\n    return 2 * number\n")
    write_book(folder, ["part/first", "part/second"])
    write_chapter(folder / "part" / "first.ipynb", USES_HELPER)
    words = "#: Twice is {glue:text}`first.ipynb::twice`."
    write_chapter(folder / "part" / "second.ipynb", "from tools import more", words)
    assert build(folder).returncode == 0
    write_book(folder, ["part/first", "part/second", "third"])
    write_chapter(folder / "third.ipynb", "1 + 1")
    return folder


@pytest.fixture
def inside(built, monkeypatch):
    monkeypatch.chdir(built)
    return built


def test_of_many_files_in_a_folder_a_tree_tells_how_many():
    many = tuple(f"records/{number}.json" for number in range(graph.MOST_LISTED + 1))
    one = Dependencies("part/first", True, (), ("table.csv", *many), (), 0, {})
    assert graph.tree(one) == (
        "part/first\n"
        "├── 0 modules of the book\n"
        "├── 32 other files\n"
        "│   ├── table.csv\n"
        "│   └── records: 31 files\n"
        "└── 0 runs"
    )


@pytest.mark.slow
def test_a_tree_shows_what_a_chapter_used(inside, capsys):
    assert main(["graph", "first", "second"]) == 0
    assert capsys.readouterr().out == (
        "part/first\n"
        "├── 1 module of the book\n"
        "│   └── (root): helper\n"
        "└── 0 runs\n"
        "\n"
        "part/second\n"
        "├── 2 modules of the book\n"
        "│   └── tools: __init__, more\n"
        "├── 1 chapter\n"
        "│   └── part/first (glue)\n"
        "└── 0 runs\n"
    )
    assert main(["graph", "third"]) == 0
    assert "third\n└── never executed" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "path", "using"),
    [
        ("tools.more", "tools/more.py", "part/second"),
        ("tools/more.py", "tools/more.py", "part/second"),
        ("tools", "tools/__init__.py", "part/second"),
        ("helper", "helper.py", "part/first"),
        ("part/first", "part/first.ipynb", "part/second"),
        ("first", "part/first.ipynb", "part/second"),
    ],
)
def test_in_reverse_it_says_who_uses_a_file(name, path, using, inside, capsys):
    assert main(["graph", "--reverse", name]) == 0
    assert capsys.readouterr().out == (
        f"{path}: used by 1 of 3 chapters\n  {using}\n  never executed, so not known: third\n"
    )


@pytest.mark.slow
def test_the_picture_the_table_and_the_graph_show_the_same(inside, tmp_path, capsys):
    written = {}
    for suffix in ("svg", "md", "dot"):
        output = tmp_path / f"graph.{suffix}"
        assert main(["graph", "-o", str(output)]) == 0
        written[suffix] = output.read_text()
        assert "part/second" in written[suffix]
        assert "tools" in written[suffix]
    assert "| part/second |          |       2 |" in written["md"]
    assert '"part/second" -> "tools" [label=2];' in written["dot"]
    assert '"part/second" -> "part/first" [style=dashed, label="glue"];' in written["dot"]
    words = set(xml.etree.ElementTree.fromstring(written["svg"]).itertext())
    assert {"part/second", "tools", "2", "reads part/first (glue)", "never executed"} <= words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reverse", "nothing"], "expected a file, module or chapter"),
        (["-o", "graph.png"], "expected a file whose name ends in .svg, .dot, .md; got graph.png"),
        (["frist"], "unknown chapter 'frist'; did you mean first?"),
        (["-o", "nowhere/graph.svg"], "cannot read or write"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, inside, capsys):
    assert main(["graph", *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
