"""A training in bf16 says where the processor makes it the slower precision, and only there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.runs import precision

ROOT = Path(__file__).parents[3]
COMMAND = (
    *("-m", "models", "train", "--network", "lenet5", "--dataset", "mnist5k"),
    *("--epochs", "1", "--train-size", "64", "--batch-size", "64"),
)
WITHOUT_BF16 = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}  # as a processor that has no bf16 products


def told(command, tmp_path, **environment):
    """What a command says on stderr, with a fresh cache."""
    variables = {**os.environ, "CONVBOOK_CACHE": str(tmp_path / "cache"), **environment}
    whole = [sys.executable, *command]
    ended = subprocess.run(whole, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


@pytest.mark.slow
@pytest.mark.skipif(not torch.cpu._is_avx512_supported(), reason="bf16 is emulated from AVX-512 on")
def test_where_bf16_is_no_faster_the_first_of_several_trainings_says_so(tmp_path):
    sweep = tmp_path / "sweep.yml"
    base = "{dataset: mnist5k, precision: bf16, epochs: 1, train_size: 64, batch_size: 64}"
    sweep.write_text(f"base: {base}\ngrid: {{seed: [0, 1]}}\n")
    command = (*("-m", "models", "sweep"), str(sweep))
    said = told(command, tmp_path, CONVBOOK_WORKERS="1", **WITHOUT_BF16)
    assert said.count("bf16 multiplies no faster than fp32 here") == 1
    assert "precision fp32 trains faster" in said


@pytest.mark.slow
def test_a_training_in_fp32_says_nothing_of_it(tmp_path):
    assert "bf16" not in told(COMMAND, tmp_path, **WITHOUT_BF16)


@pytest.mark.skipif(
    not torch.cpu._is_avx512_bf16_supported(), reason="this processor has no bf16 products"
)
def test_where_the_processor_multiplies_faster_in_bf16_nothing_is_said():
    fp32, bf16 = precision.rates()
    assert bf16 > fp32
    assert precision.advice("bf16", "cpu") is None


def test_measuring_draws_no_random_numbers():
    precision.rates.cache_clear()
    before = torch.get_rng_state()
    assert all(rate > 0 for rate in precision.rates())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_gpu_is_not_judged_by_the_processor():
    assert precision.advice("bf16", "cuda") is None
