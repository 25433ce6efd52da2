"""Trainings beside processes that are busy with something else, as on anyone's machine.

`python -m book.benchmark.under_load CONTENDER NETWORK SIZES` trains for so many seconds for each
number that it reads on stdin, and answers with examples a second: so a training that is warmed up
can be measured again and again, alone and beside others.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass

from book.benchmark.contest import Measured, Sizes
from book.benchmark.trainers import trainer

BUSY = (0, 1, 2)  # processes that are busy beside the training
COUNTING = "while True: pass"


@dataclass(frozen=True)
class Crew:
    """Processes that train a network at once: one with all threads, or one a core with one each."""

    title: str
    contender: str
    network: str
    one_a_core: bool = False


CREWS = {
    "convbook": Crew("LeNet-5, side by side", "convbook", "lenet5", one_a_core=True),
    "convbook, one process": Crew("LeNet-5, one process", "convbook", "lenet5"),
    "keras": Crew("LeNet-5", "keras", "lenet5"),
    "convbook, MiniGoogLeNet side by side": Crew(
        "MiniGoogLeNet, side by side", "convbook", "minigooglenet", one_a_core=True
    ),
    "convbook, MiniGoogLeNet": Crew("MiniGoogLeNet, one process", "convbook", "minigooglenet"),
    "keras, MiniGoogLeNet": Crew("MiniGoogLeNet", "keras, bf16", "minigooglenet"),
}


class Worker:
    """A training in a process of its own, which waits until it is asked for its rate."""

    def __init__(
        self, contender: str, network: str, sizes: Sizes, variables: Mapping[str, str]
    ) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "book.benchmark.under_load"]
        self.process = subprocess.Popen(
            [*command, contender, network, json.dumps(asdict(sizes))],
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, seconds: float) -> None:
        """Have it train for so many seconds."""
        assert self.process.stdin
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def answer(self) -> float:
        """Return the examples a second of what it was last asked.

        Raises:
            RuntimeError: It has ended.
        """
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended early (exit {self.process.wait()})")
        return float(line)

    def end(self) -> None:
        """End its process."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(
    count: int,
    contender: str,
    network: str,
    sizes: Sizes,
    variables: Mapping[str, str] | None = None,
) -> Iterator[list[Worker]]:
    """Start so many workers, with these variables of the environment, and end them afterwards."""
    with ExitStack() as stack:
        crew = []
        for _ in range(count):
            crew.append(Worker(contender, network, sizes, variables or {}))
            stack.callback(crew[-1].end)
        rate(crew, 0.0)  # until all are warm
        yield crew


def rate(crew: list[Worker], seconds: float) -> float:
    """Return the examples a second of all workers together, in the same seconds."""
    for worker in crew:
        worker.ask(seconds)
    return sum([worker.answer() for worker in crew])


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Have so many processes count for as long as this lasts, at the same priority."""
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", COUNTING])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def measure(crew: Crew, sizes: Sizes) -> Measured:
    """Measure the rate of a crew alone and beside busy processes.

    The value is that alone, `beside` holds the others by the number of the busy.
    """
    from models.sweeps.cores import available_cores

    count = available_cores() if crew.one_a_core else 1
    variables = {"OMP_NUM_THREADS": "1"} if crew.one_a_core else {}
    rates = {}
    with workers(count, crew.contender, crew.network, sizes, variables) as trainings:
        for others in BUSY:
            with busy(others):
                rates[others] = rate(trainings, sizes.load_seconds)
    beside = {str(others): rates[others] for others in BUSY if others}
    return {"value": rates[0], "beside": beside}


def main(contender: str, network: str, sizes: str) -> None:
    """Train whenever a line on stdin says for how many seconds; answer with the rate."""
    training = trainer(contender, network, Sizes(**json.loads(sizes)))
    for line in sys.stdin:
        print(training.rate(float(line)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
