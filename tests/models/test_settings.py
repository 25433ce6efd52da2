"""What the environment says, read in one module: folders absolute, mistakes in one line."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from models import settings
from models.runs.store import Store
from models.settings import SettingError, Settings, declared_published

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks GNU's OpenMP what it read")
WAITING = {"OMP_WAIT_POLICY": "active"}
READS = re.compile(r"\bos\.(environ|getenv|putenv)\b")


@pytest.fixture
def declared(monkeypatch):
    """What the installed books declare, as importlib.metadata would find it."""
    points: list[importlib.metadata.EntryPoint] = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: list(points))
    declared_published.cache_clear()
    yield points
    declared_published.cache_clear()


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", None, ".cache/convbook"),
        ("linux", "XDG_CACHE_HOME", "own/convbook"),
        ("darwin", None, "Library/Caches/convbook"),
        ("win32", "LOCALAPPDATA", "own/convbook"),
    ],
)
def test_the_cache_folder_is_where_the_platform_keeps_caches(
    platform: str,
    variable: str | None,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("CONVBOOK_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "own"))
    assert Settings.from_environment().cache == tmp_path / expected


@pytest.mark.parametrize("name", ["CACHE", "DATA", "RUNS"])
def test_a_users_own_folder_is_made_absolute(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = Settings.from_environment({f"CONVBOOK_{name}": "mine"})
    assert {"CACHE": chosen.cache, "DATA": chosen.data, "RUNS": chosen.published}[name] == (
        tmp_path / "mine"
    )


def test_what_is_not_set_or_empty_is_not_chosen(declared):
    names = ("DATA", "CACHE", "RUNS", "CLUSTER", "WORKERS")
    empty = {"OMP_NUM_THREADS": "", **{f"CONVBOOK_{name}": "" for name in names}}
    chosen = Settings.from_environment({})
    assert chosen == Settings.from_environment(empty) == Settings(cache=chosen.cache)


def test_cluster_workers_and_threads_are_read():
    chosen = Settings.from_environment(
        {"CONVBOOK_CLUSTER": "tcp://a:1", "CONVBOOK_WORKERS": "3", "OMP_NUM_THREADS": "2"}
    )
    assert (chosen.cluster, chosen.workers, chosen.threads) == ("tcp://a:1", 3, 2)


@pytest.mark.parametrize("workers", ["0", "-1", "two", "1.5"])
def test_a_mistake_is_one_line(workers):
    with pytest.raises(SettingError) as caught:
        Settings.from_environment({"CONVBOOK_WORKERS": workers})
    assert str(caught.value) == (
        f"CONVBOOK_WORKERS: expected a whole number of at least 1, got '{workers}'"
    )


@pytest.mark.parametrize("threads", ["4,2", "0", "many"])
def test_openmps_other_forms_of_threads_say_nothing_here(threads):
    assert Settings.from_environment({"OMP_NUM_THREADS": threads}).threads is None


def test_the_books_entry_point_declares_its_published_records(declared, own_folders, monkeypatch):
    monkeypatch.setenv("CONVBOOK_RUNS", "")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    group = project["entry-points"][settings.PUBLISHED_GROUP]
    declared += [
        importlib.metadata.EntryPoint(name, value, settings.PUBLISHED_GROUP)
        for name, value in group.items()
    ]
    store = Store.default()
    assert store == Store(own_folders / "cache", ROOT / "book" / "runs")
    key = next(store.published.glob("*.json")).stem
    assert store.locate(key) == store.published / f"{key}.json"


def test_without_a_book_nothing_is_published(declared, own_folders, monkeypatch):
    monkeypatch.delenv("CONVBOOK_RUNS")
    assert Store.default() == Store(own_folders / "cache")


def test_the_users_choice_comes_before_the_books(declared, own_folders):
    declared.append(
        importlib.metadata.EntryPoint("book", "no.such:module", settings.PUBLISHED_GROUP)
    )
    assert Store.default().published == own_folders / "published"


def test_no_other_module_reads_the_environment():
    """Handing the whole of it to a process that is started is no reading."""
    allowed = {
        "__init__.py": "sets OMP_WAIT_POLICY, which OpenMP reads",
        "settings.py": "reads it",
        "sweeps/cluster.py": "hands it to the process of a local cluster",
        "training/randomness.py": "sets CUBLAS_WORKSPACE_CONFIG, which CUDA reads",
    }
    package = Path(settings.__file__).parent
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if READS.search(path.read_text())
    }
    assert found <= set(allowed)


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize(("chosen", "policy"), [({}, "PASSIVE"), (WAITING, "ACTIVE")])
def test_torch_gets_threads_that_sleep_where_nobody_has_chosen(chosen, policy):
    kept = {name: value for name, value in os.environ.items() if name not in WAITING}
    asked = subprocess.run(
        [sys.executable, "-c", "import models.training.loop"],
        env=kept | chosen | {"OMP_DISPLAY_ENV": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"OMP_WAIT_POLICY = '{policy}'" in asked.stderr
