"""`python -m models train`: its outcome in one line of JSON, and a user's mistakes in one line of
words.
"""

import json
import os
import signal
import subprocess
import sys

import pytest
from processes import wait_for

from models.cli import main
from models.specs import RunSpec

QUICK = [
    "train",
    "--train-size",
    "200",
    "--epochs",
    "2",
    "--batch-size",
    "50",
    "--norm",
    "batch",
    "--device",
    "cpu",
]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "models", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_the_outcome_is_the_last_line_of_stdout(own_folders):
    first = run(*QUICK)
    assert first.returncode == 0, first.stderr
    outcome = json.loads(first.stdout.splitlines()[-1])
    assert {"key", "history", "seconds", "examples_per_second", "cached", "record"} <= set(outcome)
    assert outcome["cached"] is False
    assert "resumed_from_epoch" not in outcome
    assert [epoch["epoch"] for epoch in outcome["history"]] == [1, 2]
    assert os.path.exists(outcome["record"])
    assert "epoch 1/2" in first.stderr
    assert "epoch 2/2" in first.stderr

    again = run(*QUICK)
    assert json.loads(again.stdout) == {**outcome, "cached": True}
    assert again.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "epochs: expected at least 1, got '0'"),
        (["--epochs", "x"], "epochs: expected a whole number, got 'x'"),
        (["--lr", "-1"], "lr: expected more than 0, got '-1'"),
        (["--lr", "nan"], "lr: expected a finite number, got 'nan'"),
        (
            ["--dataset", "imagenet"],
            "dataset: expected one of mnist5k, mnist, fashion-mnist, cifar10, got 'imagenet'",
        ),
        (
            ["--norm", "batc"],
            "norm: expected one of none, batch, layer, group, instance, batch-unlearned",
        ),
        (
            ["--norm", "batch", "--norm-layers", "fc9"],
            "norm_layers: expected some of lenet5's conv1, conv2, fc1, fc2",
        ),
        (["--epoch", "3"], "unrecognized arguments: --epoch 3; did you mean --epochs?"),
        (["--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
        (["--lr"], "argument --lr: expected one argument"),
        (["--train-size", "3"], "train_size: expected 10 to 4000 for mnist5k, got 3"),
    ],
)
def test_a_bad_argument_is_one_line_and_status_2(arguments, message, own_folders, capsys):
    try:
        status = main(["train", *arguments])
    except SystemExit as exit_:
        status = exit_.code
    output = capsys.readouterr()
    assert status == 2
    assert message in output.err
    assert output.err.count("\n") == 1
    assert output.out == ""


@pytest.mark.parametrize("arguments", [[], ["trian"], ["train", "--epochs", "0"]])
def test_a_mistake_gives_no_traceback(arguments):
    failed = run(*arguments)
    assert failed.returncode == 2
    assert len(failed.stderr.splitlines()) == 1


def test_a_bad_argument_is_refused_before_torch_is_loaded():
    program = (
        "import sys; from models.cli import main\n"
        "main(['train', '--lr', '0']); sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode
        == 0
    )


def test_damaged_data_are_an_error_in_words(own_folders, monkeypatch):
    raw = own_folders / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{part}-ubyte").write_bytes(b"torn")
    monkeypatch.setenv("CONVBOOK_DATA", str(own_folders))
    failed = run("train", "--dataset", "mnist", "--epochs", "1")
    assert failed.returncode == 2
    assert "damaged" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_an_error_in_words(own_folders, monkeypatch):
    own_folders.chmod(0o500)
    failed = run(*QUICK)
    own_folders.chmod(0o700)
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr


def test_a_cache_that_is_a_file_is_an_error_in_words(own_folders):
    (own_folders / "cache").write_text("in the way")
    failed = run(*QUICK)
    assert failed.returncode == 2
    assert "cannot read or write" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_disk_that_takes_no_more_is_told_with_the_file_and_how_to_choose_another(own_folders):
    program = (
        "import resource, sys; from models.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"  # as a disk is full
        "sys.exit(main(sys.argv[1:]))"
    )
    failed = subprocess.run(
        [sys.executable, "-c", program, *QUICK], capture_output=True, text=True, check=False
    )
    cache = own_folders / "cache"
    assert failed.returncode == 2
    said = failed.stderr.splitlines()[-1]
    assert said.startswith(f"models train: error: cannot read or write {cache / 'checkpoints'}")
    assert "epoch-000001.safetensors: " in said
    assert said.endswith(f" (CONVBOOK_CACHE chooses another folder than {cache})")
    assert not [path for path in cache.rglob("*") if path.suffix in (".safetensors", ".part")]


def test_ctrl_c_says_where_the_run_resumes_and_it_does(own_folders):
    command = [sys.executable, "-m", "models", *QUICK, "--train-size", "1000", "--epochs", "40"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    checkpoints = own_folders / "cache" / "checkpoints"
    wait_for(lambda: any(checkpoints.glob("*/epoch-*.safetensors")))
    process.send_signal(signal.SIGINT)
    reported = process.communicate(timeout=300)[1]
    assert process.returncode == 130
    assert "Traceback" not in reported
    epoch = int(reported.split("resumes from epoch ")[1].split()[0])
    assert epoch >= 1
    outcome = json.loads(run(*command[3:]).stdout)
    assert outcome["resumed_from_epoch"] == epoch
    assert len(outcome["history"]) == 40


def test_every_field_of_a_spec_has_a_flag_with_its_help():
    text = " ".join(run("train", "--help").stdout.split())
    for name, field in RunSpec.model_fields.items():
        assert f"--{name.replace('_', '-')} " in text
        assert field.description.split()[0] in text
