"""Where runs are kept: the published ones come first, and a corrupt one counts as absent."""

import json
import warnings

import pytest
from recorded import ended

from models import records
from models.records import UnsealedRecord
from models.runs.store import Store
from models.specs import RunSpec

SPEC = RunSpec(epochs=2)
RECORD = ended(SPEC, test_accuracy=0.9)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "own", tmp_path / "published")


def torn(folder):
    path = records.write(RECORD, folder)
    path.write_text(path.read_text()[:100])
    return path


def found(store):
    """The file that `find` finds, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = store.find(SPEC)
    return run.path if run else None


def test_a_run_that_is_nowhere_is_not_found(store):
    assert store.locate(SPEC.key) is None
    assert store.find(SPEC) is None
    assert Store(store.own).find(SPEC) is None


def test_a_published_run_comes_before_the_users_own(store):
    own, published = (records.write(RECORD, folder) for folder in (store.runs, store.published))
    assert store.locate(SPEC.key) == store.find(SPEC).path == published
    assert Store(store.own).locate(SPEC.key) == Store(store.own).find(SPEC).path == own


@pytest.mark.parametrize("good_one_too", [False, True])
def test_locate_and_find_agree_on_a_corrupt_file(good_one_too, store):
    corrupt = torn(store.published)
    good = records.write(RECORD, store.runs) if good_one_too else None
    assert store.locate(SPEC.key) == good
    assert corrupt.exists(), "locate changes nothing"
    assert found(store) == store.locate(SPEC.key) == good


def test_a_corrupt_file_is_named_and_set_aside(store):
    path = torn(store.runs)
    with pytest.warns(UserWarning, match=rf"{SPEC.key}\.json.*now {SPEC.key}\.json\.corrupt"):
        assert store.find(SPEC) is None
    assert [file.name for file in store.runs.iterdir()] == [f"{path.name}.corrupt"]


def test_a_corrupt_published_file_is_named_and_left_where_it_is(store):
    path = torn(store.published)
    with pytest.warns(
        UserWarning, match=rf"published record is corrupt: .*{SPEC.key}\.json.*restore"
    ):
        assert store.find(SPEC) is None
    assert [file.name for file in store.published.iterdir()] == [path.name]


def unsealed(folder):
    """A record as it was before records held a digest of themselves."""
    path = records.write(RECORD, folder)
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))
    return path


def test_an_old_record_of_the_users_own_is_found_and_holds_its_digest_from_then_on(store):
    path = unsealed(store.runs)
    with pytest.raises(UnsealedRecord, match="expected a sha256 of itself, got none"):
        records.read(path)
    assert store.locate(SPEC.key) == path
    assert store.find(SPEC).record == RECORD
    assert records.read(path) == RECORD


def test_a_published_record_without_its_digest_is_not_believed(store):
    path = unsealed(store.published)
    before = path.read_bytes()
    assert store.locate(SPEC.key) is None
    with pytest.warns(UserWarning, match="expected a sha256 of itself, got none"):
        assert store.find(SPEC) is None
    assert path.read_bytes() == before


def test_a_record_with_an_edited_number_is_neither_located_nor_found(store):
    path = records.write(RECORD, store.runs)
    assert store.locate(SPEC.key) == path
    path.write_text(path.read_text().replace('"test_accuracy": 0.9', '"test_accuracy": 0.99'))
    assert store.locate(SPEC.key) is None
    assert found(store) is None


def test_a_file_of_another_run_is_not_located(store):
    path = records.write(RECORD, store.runs)
    other = path.rename(store.record_file(SPEC.with_(seed=1).key))
    assert store.locate(other.stem) is None
