"""The fingerprint of the training code: what changes it, and that a move does not."""

import shutil
from pathlib import Path

import pytest

import models
from models.fingerprint import ALIASES, DECISIVE, code_fingerprint, fingerprint

MOVES = {
    "models.training.schedules": "models.training.rates",
    "models.data.sources": "models.data.places",
}


@pytest.fixture
def root(tmp_path):
    """A folder with a copy of the package."""
    package = Path(models.__file__).parent
    shutil.copytree(package, tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def rename(root, old, new):
    """Move a module, and what imports its names with it."""
    place = {name: root / f"{name.replace('.', '/')}.py" for name in (old, new)}
    place[old].rename(place[new])
    for path in (root / "models").rglob("*.py"):
        path.write_text(path.read_text().replace(f"from {old} import", f"from {new} import"))


def test_a_copy_of_the_package_has_its_fingerprint(root):
    assert fingerprint(root, DECISIVE, ALIASES) == code_fingerprint()


@pytest.mark.parametrize("old", MOVES)
def test_a_move_with_an_alias_leaves_the_fingerprint_and_one_without_does_not(root, old):
    new = MOVES[old]
    rename(root, old, new)
    modules = [new if name == old else name for name in DECISIVE]
    assert fingerprint(root, modules, {new: old}) == code_fingerprint()
    assert fingerprint(root, modules, {}) != code_fingerprint()


@pytest.mark.parametrize("name", DECISIVE)
def test_a_statement_more_in_any_decisive_module_changes_it(root, name):
    path = root / f"{name.replace('.', '/')}.py"
    path.write_text(path.read_text() + "\nMORE = 1\n")
    assert fingerprint(root, DECISIVE, ALIASES) != code_fingerprint()
