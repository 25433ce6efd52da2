"""`python -m book status`, and what all commands say to a mistake. Real small books."""

import json
import shutil
import subprocess
import sys

import nbformat
import pytest
from books import book, build, edit, write_book, write_chapter

from book.__main__ import main
from book.commands.command_line import COMMANDS
from models import records

USES_HELPER = "from helper import double\n\nprint('doubled:', double(number))"
CHECKED = "from book.report import parameters\n\nparameters.check(number=parameters.whole(1))"


@pytest.fixture
def folder(own_folders, monkeypatch):
    write_book(own_folders, ["part/first", "part/second"])
    (own_folders / "part").mkdir()
    (own_folders / "helper.py").write_text("def double(number):\n    return 2 * number\n")
    write_chapter(own_folders / "part" / "first.ipynb", CHECKED, USES_HELPER)
    write_chapter(own_folders / "part" / "second.ipynb", CHECKED, "print('second says', number)")
    monkeypatch.delenv("CONVBOOK_PROFILE", raising=False)
    return own_folders


@pytest.fixture
def inside(folder, monkeypatch):
    """The working directory is the book's."""
    monkeypatch.chdir(folder)
    return folder


def rows(text):
    """The table's rows by chapter: state, time, runs, to train, by other code."""
    lines = [
        line.split()
        for line in text.splitlines()
        if line.startswith("part/") and not line.endswith(":")
    ]
    return {name: (" ".join(rest[:-4]), *rest[-4:]) for name, *rest in lines}


# status


def test_a_book_that_was_never_built_says_so(inside, capsys):
    assert main(["status", "--why"]) == 0
    told = capsys.readouterr().out
    assert set(rows(told)) == {"part/first", "part/second"}
    assert rows(told)["part/first"] == ("never executed", "–", "0", "0", "0")
    assert told.splitlines()[-1] == "2 of 2 chapters would execute: 2 of them never timed"
    assert not (inside / "_build").exists(), "nothing is executed"


def test_status_loads_neither_torch_nor_sphinx(inside):
    program = "import sys; from book.__main__ import main; main(['status'])\n"
    program += "sys.exit(bool({'torch', 'sphinx'} & {*sys.modules}))"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.slow
def test_status_says_why_before_anything_runs(inside, capsys):
    build(inside)
    assert main(["status", "--why"]) == 0
    told = capsys.readouterr().out
    assert {row[0] for row in rows(told).values()} == {"fresh"}
    assert told.splitlines()[-1] == "all 2 chapters are fresh"
    assert main(["status", "first"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "the chapter is fresh"
    assert main(["status", "--check"]) == 0
    capsys.readouterr()

    copy = inside / "_build" / ".jupyter_cache" / "executed" / "part" / "first.ipynb"
    executed = json.loads(copy.read_text())
    executed["metadata"]["convbook"]["libraries"]["nbformat"] = "1.0"
    copy.write_text(json.dumps(executed))
    assert main(["status", "--check"]) == 0, "other versions alone execute nothing"
    assert f"nbformat 1.0 then, {nbformat.__version__} now: not executed for that; " in (
        capsys.readouterr().out
    )

    edit(inside / "helper.py", "2 * number", "3 * number")
    edit(inside / "part" / "second.ipynb", "second says", "second shouts")
    assert main(["status", "--why"]) == 0
    told = capsys.readouterr().out
    assert main(["status", "--check"]) == 1
    capsys.readouterr()
    assert {row[0] for row in rows(told).values()} == {"stale"}
    assert "part/first:\n  helper.py changed\n" in told
    assert "part/second:\n  its code changed\n" in told
    assert "2 of 2 chapters would execute: about 0:" in told.splitlines()[-1]

    edit(
        inside / "part" / "second.ipynb",
        "print('second shouts', number)",
        "raise ValueError('the reason')",
    )
    assert "chapters: 1 executed, 0 reused, 1 failed" in build(inside).stdout
    assert main(["status", "second", "--why"]) == 0
    told = capsys.readouterr().out
    assert rows(told)["part/second"][0] == "failed"
    assert "  it failed the last time\n  ValueError: the reason\n" in told
    assert set(rows(told)) == {"part/second"}


@pytest.mark.slow
def test_status_counts_runs_that_are_gone_or_of_other_code(inside, capsys):
    cell = "from book.report import experiments\nfrom models.specs import RunSpec\n"
    cell += "experiments.ask({'a': RunSpec(train_size=200, epochs=1)}, number)"
    write_chapter(inside / "part" / "first.ipynb", cell)
    assert book(inside, "publish", "first").returncode == 0
    assert main(["status", "first"]) == 0
    assert rows(capsys.readouterr().out)["part/first"][2:] == ("2", "0", "0")

    shutil.rmtree(inside / "cache")
    gone, old = sorted((inside / "published").iterdir())
    gone.unlink()
    record = records.read(old)
    made = record.provenance.model_copy(update={"code_fingerprint": "0" * 64})
    records.write(record.model_copy(update={"provenance": made}), old.parent)
    assert main(["status", "first", "--why"]) == 0
    told = capsys.readouterr().out
    assert rows(told)["part/first"][2:] == ("2", "1", "1")
    assert f"run {gone.stem} changed" in told


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["status", "frist"],
            "unknown chapter 'frist'; did you mean first? this book has part/first, part/second",
        ),
        (["verify", "nothing"], "unknown chapter 'nothing'; this book has part/first, part/second"),
        (["publish"], "expected a CHAPTER; this book has part/first, part/second"),
        (["run", "t"], "unknown chapter 't'"),
        (
            ["run", "first", "-p", "nubmer", "1"],
            "unknown parameter 'nubmer'; did you mean 'number'?",
        ),
        (["run", "first", "-p", "number", "[1"], "expected a value as YAML writes it"),
        (["run", "first", "-p", "number"], "argument -p: expected 2 arguments"),
        (["build", "thrid"], "unknown chapter 'thrid'"),
        (["build", "--force", "thrid"], "unknown chapter 'thrid'"),
        (["build", "--profile", "lvie"], "unknown profile 'lvie'; known: live"),
        (["build", "--profile", "mine.yml"], "expected a file with a parameter set, but"),
        (["build", "--builder", "epub"], "invalid choice: 'epub'"),
        (["build", "first", "--frozen"], "--frozen executes nothing: leave out the chapters"),
        (["build", "--frozen", "--force-all"], "--frozen executes nothing: leave out the chapters"),
        (["build", "--allow-stale"], "--allow-stale needs --frozen"),
        (["build", "--force", "first", "--force-all"], "not allowed with argument"),
        (
            ["run", "first", "-o", "part/first.ipynb"],
            "is the chapter itself: give another file with -o",
        ),
        (
            ["run", "first", "-o", "nowhere/first.ipynb"],
            "expected a folder to write first.ipynb to, but",
        ),
        (["verify", "--sample", "0"], "expected a whole number of at least 1, got '0'"),
        (["verify", "--sample", "1", "--all"], "not allowed with argument"),
        (["verify"], "none of these chapters uses a published run"),
        (["stats"], "invalid choice: 'stats'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments, message, inside, capsys):
    try:
        status = main(arguments)
    except SystemExit as exit_:
        status = exit_.code
    told = capsys.readouterr()
    assert status == 2
    assert message in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_two_chapters_of_one_name_must_be_told_apart(inside, capsys):
    (inside / "other").mkdir()
    shutil.copy(inside / "part" / "first.ipynb", inside / "other")
    with (inside / "_toc.yml").open("a") as toc:
        toc.write("  - file: other/first\n")
    assert main(["status", "first"]) == 2
    assert "chapter 'first' may be any of part/first, other/first" in capsys.readouterr().err
    assert main(["status", "other/first"]) == 0


@pytest.mark.parametrize("damage", ["format: jb-book\n", "root: [", ""])
def test_a_damaged_table_of_contents_is_an_error_in_words(damage, inside, capsys):
    (inside / "_toc.yml").write_text(damage)
    assert main(["status"]) == 2
    assert f"{inside / '_toc.yml'} is no table of contents" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["build", "graph", "preview", "status"])
def test_outside_a_book_there_is_nothing_to_do(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 2
    assert "expected a book (_config.yml and _toc.yml)" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_profile_is_named_with_the_known_ones(inside, monkeypatch, capsys):
    monkeypatch.setenv("CONVBOOK_PROFILE", "lvie")
    assert main(["status"]) == 2
    assert "unknown profile 'lvie'; known: live" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    assert f"example: python -m book {command} " in " ".join(capsys.readouterr().out.split())
