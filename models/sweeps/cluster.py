"""The Dask cluster that a sweep goes to: any scheduler's address, or workers of this machine's own.

A local cluster is a process of its own (`python -m models.sweeps.cluster WORKERS THREADS`) with its
scheduler and its worker processes below it. So the asker is a plain client in both cases, Ctrl-C in
a terminal reaches only the asker, and a script that asks needs no `if __name__ == "__main__"`. Dask
is imported only when a cluster is used.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

CONNECT = 10  # seconds that a scheduler may take to answer


class ClusterError(Exception):
    """Dask cannot be used as asked: the message is one line for the user."""


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect a client to the scheduler at an address such as `tcp://10.0.0.1:8786`.

    Raises:
        ClusterError: That is no address, or no scheduler answers there.
    """
    from distributed import Client
    from distributed.comm.addressing import get_address_host_port

    try:
        get_address_host_port(address, strict=True)
    except ValueError as error:
        raise ClusterError(
            f"expected an address such as tcp://10.0.0.1:8786, got {address!r}: {error}"
        ) from None
    if address.startswith("tls://"):
        _require_certificates(address)
    try:
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except OSError as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address}: {error or type(error).__name__}"
        ) from None
    try:
        yield client
    finally:
        client.close()


def _require_certificates(address: str) -> None:
    """Refuse a scheduler that speaks TLS where Dask has no certificates to speak it with.

    Raises:
        ClusterError: There are none, or they cannot be read.
    """
    from distributed.security import Security

    try:
        found = Security().get_connection_args("client")["ssl_context"]
    except OSError as error:
        raise ClusterError(f"Dask's certificates for {address} cannot be read: {error}") from None
    if found is None:
        raise ClusterError(
            f"expected Dask's settings distributed.comm.tls to name certificates for {address}, "
            "got none: see Dask's documentation of TLS, or ask for a tcp:// address"
        )


@contextmanager
def local_cluster(workers: int, threads: int) -> Iterator[str]:
    """Start worker processes of so many threads each, and give their scheduler's address.

    Nothing is left of them afterwards: they are killed, for all that they could lose is written
    down already.

    Raises:
        ClusterError: It did not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="convbook-", ignore_cleanup_errors=True) as folder,
        open(Path(folder, "log"), "w+b") as log,
        _start(workers, threads, folder, log) as process,
    ):
        assert process.stdout is not None
        try:
            address = process.stdout.readline().decode().strip()
            if not address:
                raise ClusterError(f"the local Dask cluster did not start: {_last_line(log)}")
            yield address
        finally:
            _kill(process.pid)


def _start(workers: int, threads: int, folder: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
    packages = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([packages, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "models.sweeps.cluster", str(workers), str(threads), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        start_new_session=True,
    )


def _kill(process: int) -> None:
    """End a local cluster's process and all below it, which share its process group."""
    if sys.platform == "win32":
        os.kill(process, signal.SIGTERM)  # its workers end when they see it gone
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def serve(workers: int, threads: int, folder: str) -> None:
    """Run a local cluster and say its address on stdout.

    When stdin ends, the asker is dead, and so it dies too.
    """
    from distributed import LocalCluster

    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=threads,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # with none, Dask opens one at its usual port
        scheduler_kwargs={"dashboard": False},
        memory_limit=0,
        local_directory=folder,
    )
    assert cluster.scheduler is not None
    cluster.scheduler.http_server.stop()  # nobody has asked for it
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    _kill(os.getpid())


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
