"""A Dask scheduler and workers in processes of their own, as on hosts that share no folder."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from processes import wait_for

ROOT = Path(__file__).resolve().parents[2]


class Host:
    """A place with a cache folder of its own; `prefix` is how to run a command there."""

    def __init__(
        self, folder: Path, address: str = "127.0.0.1", prefix: Sequence[str] = ()
    ) -> None:
        self.folder, self.address, self.prefix = folder, address, list(prefix)
        folder.mkdir(parents=True)

    def start(self, *command: str) -> subprocess.Popen:
        own = {
            "CONVBOOK_CACHE": str(self.folder / "cache"),
            "CONVBOOK_RUNS": str(self.folder / "published"),
        }
        environment = os.environ | own | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*self.prefix, sys.executable, *command],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def has(self, pattern: str) -> bool:
        return any((self.folder / "cache").glob(pattern))


class Cluster:
    """A scheduler on one host, and workers on any."""

    def __init__(self, host: Host) -> None:
        self.processes: list[subprocess.Popen] = []
        file = host.folder / "scheduler.json"
        self.scheduler = self._start(
            host,
            "scheduler",
            "--host",
            host.address,
            "--port",
            "0",
            "--scheduler-file",
            str(file),
            "--no-dashboard",
        )
        wait_for(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def _start(self, host: Host, kind: str, *options: str) -> subprocess.Popen:
        self.processes.append(host.start("-m", "dask", kind, *options))
        return self.processes[-1]

    def worker(self, host: Host, threads: int = 1) -> subprocess.Popen:
        place = ("--host", host.address, "--local-directory", str(host.folder / "scratch"))
        plain = ("--no-nanny", "--no-dashboard", "--nthreads", str(threads), "--memory-limit", "0")
        return self._start(host, "worker", self.address, *place, *plain)


@contextmanager
def cluster_on(host: Host) -> Iterator[Cluster]:
    cluster = Cluster(host)
    try:
        yield cluster
    finally:
        for process in reversed(cluster.processes):
            process.kill()
            process.wait()
