"""`python -m book verify`: published runs, trained again, compared, re-stamped where they agree."""

import json
import re
import shutil

import pytest
import torch
from books import write_book, write_chapter
from hypothesis import given
from hypothesis import strategies as st

from book.__main__ import main
from book.commands.agreement import DIFFERS, IDENTICAL, WITHIN, WITHIN_SO_FAR, Judge
from book.commands.checks import Check, report
from book.commands.retraining import Start
from book.commands.spread import Spreads
from book.commands.verify import draw
from models import records
from models.fingerprint import code_fingerprint
from models.progress import Silent
from models.records import Record
from models.runs import obtain
from models.runs.store import Store
from models.specs import RunSpec

SPEC = RunSpec(train_size=200, epochs=2, batch_size=50, norm="batch")
OLD = "0" * 64


@pytest.fixture(scope="module", autouse=True)
def one_thread_for_all():
    """One thread for torch: so small a training is no faster with two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Record:
    """A run trained here, now."""
    store = Store(tmp_path_factory.mktemp("cache"))
    return obtain.obtain(SPEC, store=store, progress=Silent(), device="cpu").record


@pytest.fixture(scope="module")
def seeds(trained, tmp_path_factory) -> list[Record]:
    """The same run with other seeds."""
    store = Store(tmp_path_factory.mktemp("seeds"))
    specs = [SPEC.with_(seed=seed) for seed in range(1, 4)]
    return [obtain.obtain(spec, store=store, progress=Silent()).record for spec in specs]


@pytest.fixture(scope="module")
def judge(seeds):
    """Who judges one run by the spread between the other seeds."""
    return Judge.of(Spreads(seeds), runs=1).verdict


@pytest.fixture(autouse=True)
def folder(trained, own_folders, no_network, monkeypatch):
    """A book that has published this run; nothing else is to be found, and no network."""
    write_book(own_folders, ["words"])
    write_chapter(own_folders / "words.ipynb", "print('words')")
    monkeypatch.chdir(own_folders)
    monkeypatch.setenv("CONVBOOK_DATA", str(own_folders / "data"))
    records.write(trained, own_folders / "published")
    return own_folders


def verify(*arguments: str) -> int:
    return main(["verify", "--device", "cpu", *arguments])


def changed(record: Record, *, diverged: bool = False, **changes) -> Record:
    """The record with other numbers at the end of its last epoch, or in its provenance."""
    ends = {
        name: value for name, value in changes.items() if name in type(record.final).model_fields
    }
    made = {name: value for name, value in changes.items() if name not in ends}
    return record.model_copy(
        update={
            "diverged": diverged,
            "history": (*record.history[:-1], record.final.model_copy(update=ends)),
            "provenance": record.provenance.model_copy(update=made),
        }
    )


def on_disk(folder) -> Record:
    return records.read(folder / "published" / f"{SPEC.key}.json")


# The command


def test_a_record_of_older_code_that_is_re_earned_is_stamped_with_todays_code(
    trained, folder, capsys
):
    records.write(changed(trained, code_fingerprint=OLD), folder / "published")
    assert verify() == 0
    told = capsys.readouterr()
    assert re.search(r"retraining 1 run; as recorded, that takes \d+:\d\d", told.err)
    assert f"1/1: run {SPEC.key}, 0:0" in told.err
    assert "epoch 2/2" in told.err
    row = next(line for line in told.out.splitlines() if line.startswith(SPEC.key))
    assert "lenet5 on mnist5k, norm batch, seed 0" in row
    assert "+0.0000" in row
    assert row.split()[-4:-2] == ["identical", "yes"]
    assert told.out.splitlines()[-1] == "verified: 1 of 1 agree"

    stamped = on_disk(folder)
    assert records.is_current(stamped)
    note = stamped.provenance.verified
    assert set(note) == {"date", "fingerprint", "device", "verdict"}
    assert (note["fingerprint"], note["verdict"]) == (code_fingerprint(), "identical")
    assert changed(stamped, verified=None) == changed(trained, verified=None), (
        "its numbers, date and machine stay"
    )


def test_the_first_epochs_alone_are_compared_to_the_bit_and_the_table_says_how_many(folder, capsys):
    long = obtain.obtain(SPEC.with_(epochs=3), progress=Silent(), device="cpu").record
    records.write(changed(long, code_fingerprint=OLD), folder / "published")
    assert verify("--all", "--epochs", "2") == 0
    told = capsys.readouterr()
    row = next(line for line in told.out.splitlines() if line.startswith(long.key))
    assert "2 of 3" in row
    assert f"{long.history[1].test_accuracy:.4f}" in row
    assert "identical so far" in row
    assert "epoch 2/3" in told.err
    assert "epoch 3/3" not in told.err
    assert records.is_current(records.read(folder / "published" / f"{long.key}.json"))
    first = long.history[0].model_copy(
        update={"train_loss": long.history[0].train_loss * (1 + 1e-9)}
    )
    records.write(
        long.model_copy(update={"history": (first, *long.history[1:])}), folder / "published"
    )
    assert verify("--all", "--epochs", "1") == 1
    assert "but not the same bits" in capsys.readouterr().out


def test_on_another_processor_bits_cannot_be_compared_which_is_said_once(
    trained, seeds, folder, capsys
):
    for record in (trained, *seeds):
        off = changed(record, device_name="Another Processor", code_fingerprint=OLD)
        first = off.history[0].model_copy(
            update={"train_loss": off.history[0].train_loss * (1 + 1e-6)}
        )
        records.write(
            off.model_copy(update={"history": (first, *off.history[1:])}), folder / "published"
        )
    assert verify("--all", "--epochs", "1") == 0
    told = capsys.readouterr()
    assert told.err.count("cannot be compared here") == 1
    assert "the bits of 4 of 4 runs cannot be compared here" in told.err
    assert "on another processor (Another Processor, not " in told.err
    assert told.out.count(WITHIN_SO_FAR) == 4
    assert "verified: 4 of 4 agree" in told.out
    assert not records.is_current(on_disk(folder)), "an epoch within tolerance earns no stamp"


def test_no_two_runs_look_alike_in_the_table(trained):
    others = [{}, {"lr": 0.3}, {"order": "activation-norm-dropout"}, {"seed": 1}, {"passes": 2}]
    checks = []
    for changes in others:
        spec = SPEC.with_(**changes)
        record = trained.model_copy(update={"key": spec.key, "spec": spec})
        checks.append(Check(spec.key, record, record, IDENTICAL))
    names = [line.split("  ")[1] for line in report(checks).splitlines()[2:7]]
    assert names == [
        "lenet5 on mnist5k, norm batch, seed 0",
        "lenet5 on mnist5k, norm batch, lr 0.3, seed 0",
        "lenet5 on mnist5k, norm batch, order activation-norm-dropout, seed 0",
        "lenet5 on mnist5k, norm batch, seed 1",
        "lenet5 on mnist5k, norm batch, passes 2, seed 0",
    ]


def test_a_dry_run_trains_nothing(folder, capsys):
    assert verify("--all", "--epochs", "1", "--dry-run") == 0
    told = capsys.readouterr()
    assert "retraining 1 run, the first epoch of each" in told.err
    assert "epoch 1/" not in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--equivalence", "--all"), "expected --equivalence without --all"),
        (("words", "--equivalence"), "expected --equivalence without CHAPTER"),
        (("--minutes", "3"), "expected --minutes with --equivalence only"),
    ],
)
def test_options_that_say_nothing_together_are_refused(arguments, reason, capsys):
    assert verify(*arguments) == 2
    assert reason in capsys.readouterr().err


def test_only_runs_of_other_code_are_drawn_when_asked_for(trained, folder, capsys):
    assert verify("--all", "--outdated") == 0
    assert "the code of all these runs is today's or shown" in capsys.readouterr().out
    records.write(changed(trained, code_fingerprint=OLD), folder / "published")
    assert verify("--all", "--outdated", "--epochs", "1") == 0
    assert "verified: 1 of 1 agree" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_a_gpu_that_is_not_there_is_said_before_anything_else(capsys):
    assert main(["verify", "--device", "cuda"]) == 2
    told = capsys.readouterr()
    assert told.err == (
        "python -m book verify: error: "
        "device: expected cpu, for torch finds no CUDA here, got cuda\n"
    )
    assert told.out == ""


def test_a_current_record_is_verified_and_left_as_it_is(folder, capsys):
    before = (folder / "published" / f"{SPEC.key}.json").read_bytes()
    assert verify("--all") == 0
    assert "identical" in capsys.readouterr().out
    assert (folder / "published" / f"{SPEC.key}.json").read_bytes() == before


@pytest.mark.parametrize(
    "made", [{}, {"code_fingerprint": OLD}, {"device_name": "another processor"}]
)
def test_a_tampered_record_differs_whoever_made_it(made, trained, folder, capsys):
    forged = changed(trained, test_accuracy=trained.final.test_accuracy + 0.2, **made)
    records.write(forged, folder / "published")
    assert verify() == 1
    told = capsys.readouterr().out
    assert "DIFFERS" in told
    assert f"{SPEC.key}: " in told
    assert "verified: 0 of 1 agree" in told
    assert on_disk(folder) == forged, "it is not re-stamped"


def test_neither_the_cache_nor_the_published_record_is_believed(trained, folder):
    forged = changed(trained, test_accuracy=0.99)
    records.write(forged, folder / "published")
    records.write(forged, folder / "cache" / "runs")
    assert verify() == 1
    assert [path.name for path in (folder / "cache").rglob("*") if path.is_file()] == [
        f"{SPEC.key}.json"
    ]


def test_a_run_that_can_no_longer_be_is_reported_and_the_others_are_verified(folder, capsys):
    path = folder / "published" / f"{SPEC.key}.json"
    gone = path.with_name("0123456789abcdef0123.json")
    gone.write_text(path.read_text().replace('"lenet5"', '"lenet6"').replace(SPEC.key, gone.stem))
    assert verify("--all") == 1
    told = capsys.readouterr().out
    assert "NOT RETRAINED" in told
    assert "network: expected one of lenet5, " in told
    assert "got 'lenet6'" in told
    assert "verified: 1 of 2 agree" in told


def test_data_of_another_digest_are_reported(trained, folder, capsys):
    other = RunSpec(**{**trained.spec.model_dump(exclude_unset=True), "dataset_digest": "f" * 64})
    records.write(
        trained.model_copy(update={"key": other.key, "spec": other}), folder / "published"
    )
    assert verify("--all") == 1
    assert "expected the digest ffff" in capsys.readouterr().out


def test_missing_data_are_an_error_before_any_training(trained, folder, capsys):
    needs_mnist = SPEC.with_(dataset="mnist")
    records.write(
        trained.model_copy(update={"key": needs_mnist.key, "spec": needs_mnist}),
        folder / "published",
    )
    assert verify("--all") == 2
    told = capsys.readouterr()
    assert "the data set mnist was not found. Looked for" in told.err
    assert "epoch" not in told.err
    assert told.out == ""


def test_data_that_only_the_users_cache_has_are_found(trained, folder, capsys):
    needs_mnist = SPEC.with_(dataset="mnist")
    shutil.rmtree(folder / "published")
    records.write(
        trained.model_copy(update={"key": needs_mnist.key, "spec": needs_mnist}),
        folder / "published",
    )
    raw = folder / "cache" / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").write_bytes(b"torn")
    assert verify() == 2
    assert f"expected four idx files (.gz or not), but {raw}" in capsys.readouterr().err


def test_nothing_published_is_said_so(folder, capsys):
    shutil.rmtree(folder / "published")
    assert verify() == 2
    assert "none of these chapters uses a published run" in capsys.readouterr().err


@pytest.mark.slow
def test_the_runs_of_one_chapter_are_verified(folder, capsys):
    cell = "from book.report import experiments\nfrom models.specs import RunSpec\n"
    fields = SPEC.model_dump(exclude_unset=True)
    cell += f"experiments.ask({{'plain': RunSpec.model_validate({fields!r})}}, 1)"
    write_chapter(folder / "words.ipynb", cell)
    other = folder / "published" / "0123456789abcdef0123.json"
    other.write_text("no record of this chapter")
    assert verify("words", "--all") == 0
    assert "verified: 1 of 1 agree" in capsys.readouterr().out


# The verdict


def test_the_same_machine_and_code_must_give_the_same_bits(trained, judge):
    assert judge(trained, trained) == (IDENTICAL, "")
    off = changed(trained, train_loss=trained.final.train_loss + 1e-7)
    assert judge(off, trained)[0] == DIFFERS
    for elsewhere in (
        {"device_name": "another"},
        {"processor_features": "fewer"},
        {"processor_features": None},
        {"threads": 64},
        {"code_fingerprint": OLD},
        {"versions": {}},
    ):
        assert judge(changed(off, **elsewhere), trained) == (WITHIN, "")


def test_a_record_stamped_within_tolerance_is_not_held_to_the_bits_of_a_code_that_did_not_make_it(
    trained, seeds, folder, judge
):
    off = changed(trained, train_loss=trained.final.train_loss + 1e-7, code_fingerprint=OLD)
    for record in (off, *seeds):
        records.write(record, folder / "published")
    assert verify("--all") == 0
    stamped = on_disk(folder)
    assert (records.is_current(stamped), stamped.provenance.verified["verdict"]) == (
        True,
        "within tolerance",
    )
    assert judge(stamped, trained) == (WITHIN, "")
    assert judge(changed(stamped, verified={"verdict": IDENTICAL}), trained)[0] == DIFFERS


@pytest.mark.parametrize(("share", "verdict"), [(0.98, WITHIN), (1.02, DIFFERS)])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("column", ["train_loss", "test_loss", "test_accuracy"])
def test_elsewhere_a_run_may_differ_by_as_much_as_seeds_do(
    share, verdict, sign, column, trained, seeds
):
    spreads = Spreads(seeds)
    judge = Judge.of(spreads, runs=1)
    measure = {"train": "training"}.get(column[:5], "held-out") + f" {column.split('_')[1]}"
    old = getattr(trained.final, column)
    spread = spreads.of(trained, measure, SPEC.epochs, old)
    new = old + sign * share * spread.tolerance(judge.level / 6)
    recorded = changed(trained, device_name="another")
    assert judge.verdict(recorded, changed(trained, **{column: new}))[0] == verdict


def test_a_forged_record_does_not_widen_its_own_tolerance(trained, seeds):
    forged = changed(trained, train_loss=trained.final.train_loss + 100, device_name="other")
    alone, among = (Judge.of(Spreads(known), runs=1) for known in (seeds, [*seeds, forged]))
    assert alone.verdict(forged, trained)[0] == DIFFERS
    assert among.verdict(forged, trained) == alone.verdict(forged, trained)


def test_a_run_that_diverged_only_once_differs(trained, judge):
    elsewhere = changed(trained, device_name="another")
    assert judge(elsewhere, changed(trained, diverged=True)) == (
        DIFFERS,
        "only one of the two diverged",
    )
    both = changed(elsewhere, diverged=True), changed(trained, diverged=True, train_loss=None)
    assert judge(*both) == (WITHIN, "")


def test_a_loss_that_is_a_number_only_once_differs(trained, judge):
    lost = changed(trained, device_name="another", train_loss=None)
    verdict, reason = judge(lost, trained)
    assert verdict == DIFFERS
    assert reason.startswith("training loss: recorded none, retrained ")


def test_a_new_diagnostic_does_not_make_old_records_differ(trained, judge):
    more = trained.model_copy(update={"diagnostics": {**trained.diagnostics, "new": 1}})
    assert judge(trained, more) == (IDENTICAL, "")
    assert judge(more, trained)[0] == DIFFERS


def test_a_start_is_judged_after_its_last_epoch(trained, judge):
    start = Start(
        key=trained.key,
        diverged=False,
        history=trained.history[:1],
        provenance=trained.provenance,
    )
    elsewhere = changed(trained, device_name="another")
    assert judge(elsewhere, start) == ("identical so far", "")
    far = start.history[0].model_copy(update={"train_loss": 100.0})
    verdict, reason = judge(elsewhere, start.model_copy(update={"history": (far,)}))
    assert verdict == DIFFERS
    assert "retrained 100.0000, tolerance " in reason


def test_a_stamped_record_is_strict_json_with_its_note(trained, folder):
    records.write(changed(trained, code_fingerprint=OLD), folder / "published")
    assert verify("--seed", "7") == 0
    stored = json.loads((folder / "published" / f"{SPEC.key}.json").read_text())
    assert (
        stored["provenance"]["verified"]["fingerprint"] == stored["provenance"]["code_fingerprint"]
    )


# The sample

GROUPS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=5, unique=True), max_size=5)


@given(GROUPS, st.integers())
def test_a_sample_has_a_run_of_every_chapter_and_a_seed_repeats_it(groups, seed):
    drawn = draw(groups, seed)
    assert drawn == draw(groups, seed)
    assert all(set(group) & set(drawn) for group in groups if group)
    assert len(set(drawn)) == len(drawn) <= len(groups)


@given(GROUPS, st.integers(), st.integers(1, 20))
def test_a_sample_of_n_has_n_different_runs_if_there_are_so_many(groups, seed, sample):
    keys = {key for group in groups for key in group}
    drawn = draw(groups, seed, sample)
    assert len(set(drawn)) == len(drawn) == min(sample, len(keys))
    assert set(drawn) <= keys
