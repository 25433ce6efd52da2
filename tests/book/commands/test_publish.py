"""`python -m book publish`: a chapter's records go into the book, which then needs no training.
Real small books.
"""

import shutil

import pytest
from books import book, build, last_line, write_book, write_chapter

pytestmark = pytest.mark.slow

TRAINS = """\
from book.report import experiments
from models.specs import RunSpec

spec = RunSpec(train_size=200, epochs=epochs, batch_size=50)
results = experiments.ask({"plain": spec}, 1)
print("accuracy", experiments.final(results["plain"], "test_accuracy"))"""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A small book, its training chapter published by a user."""
    folder = tmp_path_factory.mktemp("book")
    write_book(folder, ["training", "words"])
    write_chapter(
        folder / "training.ipynb",
        TRAINS,
        parameters="epochs: int = 1  # passes over the training set",
    )
    write_chapter(folder / "words.ipynb", "print('no run')")
    done = book(folder, "publish", "training", **places(folder))
    assert done.returncode == 0, done.stderr
    assert "training: executing, because never executed" in done.stderr
    assert "epoch 1/1" in done.stderr
    assert done.stdout == "training: records used: 1, newly published: 1\n"
    return folder


@pytest.fixture
def folder(published, tmp_path):
    return shutil.copytree(published, tmp_path / "book")


def places(folder):
    return {"CONVBOOK_RUNS": str(folder / "runs"), "CONVBOOK_CACHE": str(folder / "cache")}


def records(folder):
    return sorted(folder.rglob("*.json"))


def test_records_are_published_without_their_weights(folder):
    (record,) = records(folder / "runs")
    (own,) = records(folder / "cache" / "runs")
    assert record.read_bytes() == own.read_bytes()
    assert list((folder / "runs").iterdir()) == [record]


def test_publishing_again_executes_and_copies_nothing(folder):
    again = book(folder, "publish", "training", **places(folder))
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == "training: records used: 1, newly published: 0\n"


def test_a_published_book_is_built_without_training(folder):
    shutil.rmtree(folder / "cache")
    shutil.rmtree(folder / "_build")
    built = build(folder, **places(folder))
    assert last_line(built) == "chapters: 2 executed, 0 reused, 0 failed"
    assert "epoch 1/1" not in built.stderr
    assert "accuracy" in (folder / "_build" / "html" / "training.html").read_text()
    assert not records(folder / "cache")


def test_a_deleted_published_record_comes_back_from_the_cache(folder):
    shutil.rmtree(folder / "runs")
    again = book(folder, "publish", "training", **places(folder))
    assert again.stdout == "training: records used: 1, newly published: 1\n"
    assert len(records(folder / "runs")) == 1


def test_a_record_that_no_chapter_uses_is_named_and_pruned_once_all_chapters_are_fresh(folder):
    (kept,) = records(folder / "runs")
    old = kept.with_name("0123456789abcdef0123.json")
    shutil.copy(kept, old)
    noted = book(folder, "publish", "training", **places(folder))
    assert noted.returncode == 0
    assert (
        f"note: published, but used by no chapter as last executed here: {old.stem}\n"
        in noted.stdout
    )

    refused = book(folder, "publish", "--prune", **places(folder))
    assert refused.returncode == 2
    assert "nothing pruned" in refused.stderr
    assert "words (never executed)" in refused.stderr
    assert old.exists()

    pruned = book(folder, "publish", "words", "--prune", **places(folder))
    assert pruned.returncode == 0, pruned.stderr
    assert pruned.stdout.splitlines() == [
        "words: records used: 0, newly published: 0",
        f"pruned: {old.stem}",
    ]
    assert records(folder / "runs") == [kept]


def test_of_many_records_that_no_chapter_uses_a_few_are_named_and_all_counted(folder):
    (kept,) = records(folder / "runs")
    for number in range(12):
        shutil.copy(kept, kept.with_name(f"{number:020}.json"))
    noted = book(folder, "publish", "words", **places(folder))
    first = ", ".join(f"{number:020}" for number in range(3))
    assert noted.stdout.splitlines()[-1] == (
        "note: published, but used by no chapter as last executed here: "
        f"12 runs: {first} and 9 more"
    )


def test_a_copy_executed_with_other_parameters_is_not_what_is_published(folder):
    shutil.rmtree(folder / "runs")
    changed = folder / "training.ipynb"
    changed.write_text(changed.read_text().replace("epochs: int = 1", "epochs: int = 2"))
    done = book(folder, "publish", "training", **places(folder))
    assert "executing, because its code changed" in done.stderr
    (record,) = records(folder / "runs")
    assert '"epochs": 2' in record.read_text()


def test_a_chapter_that_fails_publishes_nothing(folder):
    write_chapter(
        folder / "training.ipynb",
        TRAINS,
        "raise ValueError('the reason')",
        parameters="epochs: int = 1",
    )
    shutil.rmtree(folder / "runs")
    failed = book(folder, "publish", "training", **places(folder))
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1] == (
        "python -m book publish: error: chapter training failed: ValueError: the reason"
    )
    assert not records(folder / "runs")


def test_a_chapter_is_executed_with_as_many_threads_as_the_user_allows(tmp_path):
    write_book(tmp_path, ["threads"])
    write_chapter(tmp_path / "threads.ipynb", "import torch\n\nassert torch.get_num_threads() == 1")
    done = book(tmp_path, "publish", "threads", OMP_NUM_THREADS="1", **places(tmp_path))
    assert done.returncode == 0, done.stderr
