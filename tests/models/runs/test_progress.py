"""What a user sees while a network trains."""

import io
import subprocess
import sys

from models.data.loading import load
from models.progress import Bar, Lines, Silent
from models.specs import RunSpec
from models.training.loop import Training

SPEC = RunSpec(train_size=100, epochs=3, batch_size=50)


def train(progress) -> None:
    training = Training(SPEC, load("mnist5k"), progress=progress)
    progress.start(SPEC, 0)
    for _ in training.epochs():
        pass
    progress.close()


def test_lines_tell_each_epoch_with_its_losses_and_the_time_left():
    stream = io.StringIO()
    train(Lines(stream))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert all(f"epoch {number}/3" in line for number, line in enumerate(lines, start=1))
    assert all("train loss" in line and "test loss" in line for line in lines)
    assert lines[0].endswith(" left")
    assert lines[2].endswith(" in all")


def test_a_long_epoch_tells_its_batches(monkeypatch):
    monkeypatch.setattr("models.progress.LINE_EVERY", 0.0)
    stream = io.StringIO()
    train(Lines(stream))
    assert "epoch 2/3  50 of 100 examples" in stream.getvalue()


def test_a_bar_fills_over_all_epochs(capsys):
    train(Bar())
    text = capsys.readouterr().err
    assert "epoch 3/3" in text
    assert "100%|" in text
    assert "accuracy" in text


def test_silence_is_silent(capsys):
    train(Silent())
    assert capsys.readouterr() == ("", "")


def test_a_stderr_that_is_no_terminal_gets_lines():
    program = (
        "from models.progress import Lines, live; raise SystemExit(not isinstance(live(), Lines))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", program], stderr=subprocess.PIPE, check=False
        ).returncode
        == 0
    )
