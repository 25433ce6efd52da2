"""A training in bf16 says where the processor gains nothing by it, once, and only there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.runs.bf16_note import NO_GAIN, note
from models.runs.making import default_device
from models.training.precision import multiplies_fast

ROOT = Path(__file__).parents[3]
SWEEP = """
base: {{dataset: mnist5k, precision: {precision}, epochs: 1, train_size: 64, batch_size: 64}}
grid: {{seed: [0, 1]}}
"""


def told(tmp_path, precision):
    """What two trainings of one process say on stderr, with a fresh cache."""
    sweep = tmp_path / "sweep.yml"
    sweep.write_text(SWEEP.format(precision=precision))
    variables = {"CONVBOOK_CACHE": str(tmp_path / "cache"), "CONVBOOK_WORKERS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "models", "sweep", str(sweep)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


@pytest.mark.slow
def test_where_bf16_is_no_faster_the_first_of_several_trainings_says_so(tmp_path):
    expected = 0 if multiplies_fast(default_device()) else 1
    assert told(tmp_path, "bf16").count(NO_GAIN) == expected


@pytest.mark.slow
def test_a_training_in_fp32_says_nothing_of_it(tmp_path):
    assert "bf16" not in told(tmp_path, "fp32")


def test_a_gpu_is_not_judged_by_the_processor():
    assert note("bf16", "cuda") is None
