"""A training computes with the threads that it was told, whatever its kernels start."""

import os
import subprocess
import sys

import pytest

TRAIN = """
from models.runs.obtain import obtain
from models.specs import RunSpec

spec = RunSpec(network="minigooglenet", norm="batch", precision="bf16", dataset="mnist5k",
               train_size=64, batch_size=32, epochs=1)
print(obtain(spec).record.provenance.threads)
"""


@pytest.mark.usefixtures("own_folders")
def test_a_training_in_bf16_keeps_to_its_number_of_threads():
    threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "3"}  # numba's own would be 3
    command = [sys.executable, "-c", TRAIN]
    ended = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True)
    assert ended.stdout == "1\n", ended.stderr
